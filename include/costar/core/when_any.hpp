// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/branch_group.hpp>
#include <costar/core/error.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace costar::machine {

/// An awaitable whose end may be passed over without loss, since it ends the same way when it is awaited
/// again: a pause, a wait for a future, a receive.
template <class Awaitable>
concept repeatable = requires { requires Awaitable::is_repeatable; };

/// A repeatable one that waits first and takes what came afterwards: `settle()` of its awaiter ends the wait,
/// then comes `await_resume()`, or `pass_over()` when nothing is to be taken.
template <class Awaitable>
concept taken_late = repeatable<Awaitable> && requires(Awaitable&& awaitable) {
    std::move(awaitable).operator co_await().settle();
    std::move(awaitable).operator co_await().pass_over();
};

/// One of the branches of `when_any`: its task, and where its value comes from.
template <class Awaitable>
class contestant {
public:
    using value_type = awaited_t<Awaitable>;

    explicit contestant(Awaitable&& awaitable) : task_(as_task(std::move(awaitable))) {}

    promise_base& promise() const noexcept { return task_.promise(); }
    value_type take() { return task_.promise().take(); }
    void pass_over() const noexcept {}

private:
    task<value_type> task_;
};

template <class Awaitable>
    requires taken_late<Awaitable>
class contestant<Awaitable> {
public:
    using value_type = awaited_t<Awaitable>;

    explicit contestant(Awaitable&& awaitable)
        : awaiter_(std::move(awaitable).operator co_await()), task_(settle(*this))
    {}
    contestant(const contestant&) = delete;
    contestant& operator=(const contestant&) = delete;
    ~contestant() { pass_over(); }

    promise_base& promise() const noexcept { return task_.promise(); }
    value_type take()
    {
        task_.promise().take();
        is_settled_ = false;
        return awaiter_.await_resume();
    }
    void pass_over() noexcept
    {
        if (std::exchange(is_settled_, false))
            awaiter_.pass_over();
    }

private:
    using awaiter = decltype(std::declval<Awaitable>().operator co_await());

    class settling {
    public:
        explicit settling(awaiter& inner) noexcept : inner_(inner) {}
        bool await_ready() const noexcept { return inner_.await_ready(); }
        template <std::derived_from<promise_base> Promise>
        auto await_suspend(std::coroutine_handle<Promise> caller)
        {
            return inner_.await_suspend(caller);
        }
        void await_resume() { inner_.settle(); }

    private:
        awaiter& inner_;
    };

    static task<> settle(contestant& self)
    {
        co_await settling(self.awaiter_);
        self.is_settled_ = true;
    }

    awaiter awaiter_;
    task<> task_;
    bool is_settled_ = false;  // neither taken nor passed over
};

/// What `when_any` gives: a variant with the value of the branch that was first, and what others had
/// completed with by then.
///
/// `std::get_if`, `std::visit` and `index()` see the first. `completed<I>()` sees every outcome there is.
template <class... T>
class first_of : public std::variant<something<T>...> {
public:
    using variant = std::variant<something<T>...>;

    /// What branch `Index` ended with, whether it was the first or not; null when it was cancelled, or would
    /// end the same way again. Rethrows when it failed by itself.
    template <std::size_t Index>
    std::variant_alternative_t<Index, variant>* completed()
    {
        if (Index == this->index())
            return std::get_if<Index>(static_cast<variant*>(this));
        if (is_cancellation(failures_[Index]))
            return nullptr;
        if (failures_[Index])
            std::rethrow_exception(failures_[Index]);
        if (others_ == nullptr)
            return nullptr;
        auto& value = std::get<Index>(*others_);
        return value ? &*value : nullptr;
    }

private:
    template <class...>
    friend class when_any_awaiter;

    template <std::size_t Index, class... Args>
    explicit first_of(std::in_place_index_t<Index> which, Args&&... args)
        : variant(which, std::forward<Args>(args)...)
    {}

    template <std::size_t Index>
    auto& other()
    {
        if (others_ == nullptr)
            others_ = std::make_unique<std::tuple<std::optional<something<T>>...>>();
        return std::get<Index>(*others_);
    }

    std::exception_ptr failures_[sizeof...(T)];
    std::unique_ptr<std::tuple<std::optional<something<T>>...>> others_;  // seldom there is one
};

/// Awaits the first of several awaitables; made by `when_any`.
template <class... Awaitable>
class when_any_awaiter final : branch_group {
public:
    using value_type = first_of<awaited_t<Awaitable>...>;

    explicit when_any_awaiter(std::tuple<Awaitable...> awaitables)
        : when_any_awaiter(std::move(awaitables), std::index_sequence_for<Awaitable...>{})
    {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        await_branches(caller.promise(), count);
        start(caller.promise().scope(), std::index_sequence_for<Awaitable...>{});
    }

    value_type await_resume()
    {
        for (std::size_t i = 0; i < count; ++i) {
            late_[i] = late_[i] || branches_[i].was_cut_short();
            branches_[i].close();
        }
        return take(std::index_sequence_for<Awaitable...>{});
    }

private:
    /// What a branch has ended with, the one that it would be the greatest loss to pass over first.
    enum class outcome {
        value,
        failure,
        value_again,
        failure_again,
        late,
        cancelled
    };

    template <std::size_t... Index>
    when_any_awaiter(std::tuple<Awaitable...> awaitables, std::index_sequence<Index...>)
        : contestants_(std::move(std::get<Index>(awaitables))...)
    {}

    void task_ended(promise_base& promise) noexcept override
    {
        if (first_ == count) {
            for (std::size_t i = 0; i < count; ++i) {
                if (branches_[i].is(promise)) {
                    first_ = i;
                    first_cancelled_ = branches_[i].is_cancelled();
                }
            }
            note_late(std::index_sequence_for<Awaitable...>{});
            for (std::size_t i = 0; i < count; ++i)
                if (i != first_)
                    branches_[i].cancel();
        }
        branch_ended(promise);
    }

    /// Notes which branches have not begun: those have awaited nothing.
    template <std::size_t... Index>
    void note_late(std::index_sequence<Index...>) noexcept
    {
        ((late_[Index] = Index != first_ && std::get<Index>(contestants_).promise().where().line() == 0),
            ...);
    }

    template <std::size_t... Index>
    void start(scope& parent, std::index_sequence<Index...>)
    {
        (branches_[Index].start(std::get<Index>(contestants_).promise(), parent, *this), ...);
    }

    template <std::size_t... Index>
    value_type take(std::index_sequence<Index...>)
    {
        std::size_t chosen = first_;
        outcome best = outcome::cancelled;
        ((Index == first_ ? void(best = outcome_of<Index>()) : void()), ...);
        if (best != outcome::value) {
            const auto compare = [&](std::size_t index, outcome seen) {
                if (seen < best) {
                    best = seen;
                    chosen = index;
                }
            };
            (compare(Index, outcome_of<Index>()), ...);
        }
        ((Index == chosen ? void() : pass_over<Index>()), ...);
        std::optional<value_type> all;
        ((Index == chosen ? fill<Index>(all) : void()), ...);
        ((Index == chosen ? void() : keep<Index>(*all)), ...);
        return std::move(*all);
    }

    template <std::size_t Index>
    outcome outcome_of() const noexcept
    {
        constexpr bool again = repeatable<std::tuple_element_t<Index, std::tuple<Awaitable...>>>;
        const std::exception_ptr& failure = std::get<Index>(contestants_).promise().failure();
        if (late_[Index])
            return failure ? outcome::cancelled : outcome::late;
        if (!failure)
            return again ? outcome::value_again : outcome::value;
        if ((Index != first_ || first_cancelled_) && is_cancellation(failure))
            return outcome::cancelled;
        return again ? outcome::failure_again : outcome::failure;
    }

    template <std::size_t Index>
    void fill(std::optional<value_type>& all)
    {
        auto& winner = std::get<Index>(contestants_);
        if constexpr (std::is_void_v<decltype(winner.take())>) {
            winner.take();
            all.emplace(value_type(std::in_place_index<Index>));
        } else {
            all.emplace(value_type(std::in_place_index<Index>, winner.take()));
        }
    }

    template <std::size_t Index>
    void pass_over() noexcept
    {
        auto& loser = std::get<Index>(contestants_);
        if (!loser.promise().failure())
            loser.pass_over();
    }

    /// Keeps what a branch that was not chosen has completed with.
    template <std::size_t Index>
    void keep(value_type& all)
    {
        auto& loser = std::get<Index>(contestants_);
        if constexpr (repeatable<std::tuple_element_t<Index, std::tuple<Awaitable...>>>)
            return;
        else if (loser.promise().failure())
            all.failures_[Index] = loser.promise().failure();
        else if constexpr (std::is_void_v<decltype(loser.take())>)
            all.template other<Index>().emplace();
        else
            all.template other<Index>().emplace(loser.take());
    }

    static constexpr std::size_t count = sizeof...(Awaitable);

    std::tuple<contestant<Awaitable>...> contestants_;
    branch branches_[count];
    std::size_t first_ = count;
    bool first_cancelled_ = false;
    bool late_[count] =
        {};  // what it ended with it owes to its cancellation, or began after the first had ended
};

}  // namespace costar::machine

namespace costar {

/// Awaits the first of several awaitables to end, by value or exception; the variant's index says which.
///
/// The others are cancelled and awaited before its value is returned, so nothing of them runs afterwards.
/// They begin in their order, and what is there at once wins against those that have not begun.
///
/// A branch that had completed when it was to be cancelled keeps its outcome. For those that can be awaited
/// again without loss, a receive, a read of a stream, a pause, a wait for a future or an actor's end, that
/// means that they have taken nothing: another outcome is given in their place. So nothing is lost in
/// `when_any(self.receive(), socket.async_read_some(...))`. Of several others, two reads for example, a value
/// comes before an error and then the first before the rest; `first.completed<I>()` gives each of them, and
/// must be looked at for each branch whose outcome matters:
///
///     auto ended = co_await when_any(left.async_receive(use_task), right.async_receive(use_task));
///     if (auto* value = ended.completed<0>()) ...
///     if (auto* value = ended.completed<1>()) ...
template <class... Awaitable>
    requires(sizeof...(Awaitable) > 0)
auto when_any(Awaitable... awaitables)
{
    return machine::grouped<machine::when_any_awaiter<Awaitable...>, std::tuple<Awaitable...>>(
        std::tuple<Awaitable...>(std::move(awaitables)...));
}

}  // namespace costar
