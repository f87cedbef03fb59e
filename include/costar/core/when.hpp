// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/timer.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace costar {

/// What awaiting `Awaitable` in a task gives.
template <class Awaitable>
struct awaited;

template <class T>
concept member_co_await = requires(T&& value) { std::forward<T>(value).operator co_await(); };

template <class Awaitable>
    requires bridged<Awaitable>
struct awaited<Awaitable>
    : awaited<decltype(await_as<std::remove_cvref_t<Awaitable>>::convert(std::declval<Awaitable>()))> {};

template <class Awaitable>
    requires(!bridged<Awaitable> && member_co_await<Awaitable>)
struct awaited<Awaitable> {
    using type = decltype(std::declval<Awaitable>().operator co_await().await_resume());
};

template <class Awaitable>
    requires(!bridged<Awaitable> && !member_co_await<Awaitable>)
struct awaited<Awaitable> {
    using type = decltype(std::declval<Awaitable&>().await_resume());
};

template <class Awaitable>
using awaited_t = typename awaited<Awaitable>::type;

/// A void result in a tuple or variant.
using nothing = std::monostate;

/// A result as it lies in a tuple, variant or vector: `nothing` for void, a wrapper for a reference.
template <class T>
struct stored_as {
    using type = T;
};
template <>
struct stored_as<void> {
    using type = nothing;
};
template <class T>
struct stored_as<T&> {
    using type = std::reference_wrapper<T>;
};

template <class T>
using something = typename stored_as<T>::type;

/// Makes a task of anything awaitable.
template <class T>
task<T> as_task(task<T> awaitable)
{
    return awaitable;
}

template <class Awaitable>
task<awaited_t<Awaitable>> as_task(Awaitable awaitable)
{
    co_return co_await std::move(awaitable);
}

/// Tasks that run side by side in scopes of their own while one coroutine awaits them all.
///
/// The base of `when_all`, `when_any` and `with_timeout`. The awaiting coroutine resumes when the last branch
/// has ended, so no branch outlives what it borrowed.
class branch_group : public task_owner {
public:
    branch_group(const branch_group&) = delete;
    branch_group& operator=(const branch_group&) = delete;

protected:
    /// One task in its scope.
    class branch : public run_node {
    public:
        void start(promise_base& promise, scope& parent, task_owner& group, bool shielded = false)
        {
            scope_.emplace(parent, shielded);
            promise.start_under(*scope_, group);
            waiter = &promise;
            parent.home().make_ready(*this);
        }
        bool is(const promise_base& promise) const noexcept { return waiter == &promise; }
        bool is_cancelled() const noexcept { return scope_->is_cancelled(); }
        bool was_cut_short() const noexcept { return scope_->was_cut_short(); }
        void cancel() noexcept { scope_->cancel(); }
        void close() noexcept { scope_.reset(); }

    private:
        std::optional<child_scope> scope_;
    };

    branch_group() = default;
    ~branch_group() = default;

    /// False when there is none, and the caller goes on at once.
    bool await_branches(promise_base& caller, std::size_t count) noexcept
    {
        if (count == 0)
            return caller.scope().home().must_yield(parent_, caller);
        parent_.waiter = &caller;
        running_ = count;
        return true;
    }

    /// True when the last branch has ended; the caller is made ready then.
    bool branch_ended(promise_base& ended) noexcept
    {
        ended.scope().mark_ended();
        if (--running_ != 0)
            return false;
        parent_.waiter->scope().home().make_ready(parent_);
        return true;
    }

private:
    run_node parent_;
    std::size_t running_ = 0;
};

/// Refuses tasks that are empty, before the first of them begins.
template <class Other>
void check_begun(const Other&) noexcept
{}
template <class T>
void check_begun(const task<T>& work)
{
    if (!work)
        refuse_empty_task();
}
template <class... Branches>
void check_begun(const std::tuple<Branches...>& branches)
{
    std::apply([](const auto&... each) { (check_begun(each), ...); }, branches);
}
template <class T>
void check_begun(const std::vector<task<T>>& works)
{
    for (const task<T>& each : works)
        check_begun(each);
}

/// Tasks to be awaited together that have not begun; awaited once, movable until then. Errors: throws
/// `std::logic_error` when one is empty.
template <class Awaiter, class Tasks>
class [[nodiscard]] grouped {
public:
    explicit grouped(Tasks tasks) noexcept : tasks_(std::move(tasks)) {}
    Awaiter operator co_await() &&
    {
        check_begun(tasks_);
        return Awaiter(std::move(tasks_));
    }

private:
    Tasks tasks_;
};

/// The first failure among branches that are awaited together; it cancels the others.
class first_failure {
public:
    template <class Branches>
    void note(promise_base& ended, Branches& branches) noexcept
    {
        if (!ended.failure() || failure_)
            return;
        failure_ = ended.failure();
        for (auto& other : branches)
            if (!other.is(ended))
                other.cancel();
    }

    /// Ends all branches and rethrows the failure, if there was one.
    template <class Branches>
    void close(Branches& branches)
    {
        for (auto& ended : branches)
            ended.close();
        if (failure_)
            std::rethrow_exception(failure_);
    }

private:
    std::exception_ptr failure_;
};

/// Awaits several tasks at once; made by `when_all`.
template <class... T>
class when_all_awaiter final : branch_group {
public:
    explicit when_all_awaiter(std::tuple<task<T>...> tasks) noexcept : tasks_(std::move(tasks)) {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        const bool waits = await_branches(caller.promise(), sizeof...(T));
        start(caller.promise().scope(), std::index_sequence_for<T...>{});
        return waits;
    }

    std::tuple<something<T>...> await_resume()
    {
        failure_.close(branches_);
        return std::apply([](auto&... done) { return std::tuple<something<T>...>{result(done)...}; }, tasks_);
    }

private:
    void task_ended(promise_base& promise) noexcept override
    {
        failure_.note(promise, branches_);
        branch_ended(promise);
    }

    template <std::size_t... Index>
    void start(scope& parent, std::index_sequence<Index...>)
    {
        (branches_[Index].start(std::get<Index>(tasks_).promise(), parent, *this), ...);
    }

    template <class U>
    static something<U> result(task<U>& done)
    {
        if constexpr (std::is_void_v<U>)
            return done.promise().take(), nothing{};
        else
            return done.promise().take();
    }

    std::tuple<task<T>...> tasks_;
    branch branches_[sizeof...(T) == 0 ? 1 : sizeof...(T)];
    first_failure failure_;
};

/// Awaits several awaitables at once and gives a tuple of their values (`std::monostate` for void).
///
/// They run on the awaiting strand, interleaved at their suspensions. When one throws, the others are
/// cancelled and awaited, then the first exception is rethrown, and the values of those that had ended well
/// are gone. What must not be lost is awaited by `when_all(as_result(a), as_result(b))`, where each branch
/// has an outcome of its own.
///
/// Cancellation: passes to all branches.
template <class... Awaitable>
auto when_all(Awaitable... awaitables)
{
    using tasks = std::tuple<task<awaited_t<Awaitable>>...>;
    return grouped<when_all_awaiter<awaited_t<Awaitable>...>, tasks>(
        tasks(as_task(std::move(awaitables))...));
}

/// Awaits a range of tasks at once; made by `when_all`.
template <class T>
class when_all_range_awaiter final : branch_group {
public:
    explicit when_all_range_awaiter(std::vector<task<T>> tasks)
        : tasks_(std::move(tasks)), branches_(tasks_.size())
    {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        const bool waits = await_branches(caller.promise(), tasks_.size());
        for (std::size_t i = 0; i < tasks_.size(); ++i)
            branches_[i].start(tasks_[i].promise(), caller.promise().scope(), *this);
        return waits;
    }

    auto await_resume()
    {
        failure_.close(branches_);
        if constexpr (!std::is_void_v<T>) {
            std::vector<something<T>> values;
            values.reserve(tasks_.size());
            for (task<T>& done : tasks_)
                values.push_back(done.promise().take());
            return values;
        }
    }

private:
    void task_ended(promise_base& promise) noexcept override
    {
        failure_.note(promise, branches_);
        branch_ended(promise);
    }

    std::vector<task<T>> tasks_;
    std::vector<branch> branches_;
    first_failure failure_;
};

/// Awaits all tasks of a vector at once and gives their values in the same order.
template <class T>
auto when_all(std::vector<task<T>> tasks)
{
    return grouped<when_all_range_awaiter<T>, std::vector<task<T>>>(std::move(tasks));
}

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
    return grouped<when_any_awaiter<Awaitable...>, std::tuple<Awaitable...>>(
        std::tuple<Awaitable...>(std::move(awaitables)...));
}

/// Marks a value as the end of a wait whose time was over; for values that stand for an error.
template <class T>
struct after_timeout {
    static void mark(T&) noexcept {}
};

/// Awaits a task until a deadline; made by `with_timeout`.
template <class T>
class timeout_awaiter final : branch_group, timer_node {
public:
    timeout_awaiter(std::chrono::nanoseconds limit, task<T> inner) : limit_(limit), task_(std::move(inner))
    {
        timer_node::fire = [](timer_node* timer) {
            auto& self = *static_cast<timeout_awaiter*>(timer);
            self.timed_out_ = true;
            self.branch_.cancel();
        };
    }
    ~timeout_awaiter()
    {
        if (home_ != nullptr)
            home_->disarm(*this);
    }

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        scope& parent = caller.promise().scope();
        await_branches(caller.promise(), 1);
        branch_.start(task_.promise(), parent, *this);
        home_ = &parent.home();
        // Not from the time of the turn: it may lie so far back that the deadline would be over.
        home_->arm(*this, deadline_after(home_->read_clock(), limit_));
    }

    T await_resume()
    {
        branch_.close();
        if (timed_out_ && is_cancellation(task_.promise().failure()))
            throw error(errc::timed_out);
        if constexpr (std::is_object_v<T>) {
            if (timed_out_) {
                T value = task_.promise().take();
                after_timeout<T>::mark(value);
                return value;
            }
        }
        return task_.promise().take();
    }

private:
    void task_ended(promise_base& promise) noexcept override
    {
        home_->disarm(*this);
        branch_ended(promise);
    }

    std::chrono::nanoseconds limit_;
    task<T> task_;
    branch branch_;
    strand_context* home_ = nullptr;
    bool timed_out_ = false;
};

/// A wait with a deadline that has not begun; awaited once, movable until then.
template <class T>
class [[nodiscard]] timed {
public:
    timed(std::chrono::nanoseconds limit, task<T> inner) noexcept : limit_(limit), task_(std::move(inner)) {}
    timeout_awaiter<T> operator co_await() &&
    {
        check_begun(task_);
        return timeout_awaiter<T>(limit_, std::move(task_));
    }

private:
    std::chrono::nanoseconds limit_;
    task<T> task_;
};

/// Awaits `awaitable` for at most `limit`.
///
/// Errors: `errc::timed_out` when the time is over first; what was awaited has been cancelled and has ended
/// then. One that had completed by then, or ends with a value or an error of its own though it was cancelled,
/// has that outcome: no byte and no end of a file is lost. An operation of several steps, such as
/// `async_read`, ends by the cancellation with a part done; `with_timeout(limit, async_read(socket, buffer,
/// as_tuple(use_task)))` says how much. Cost: tens of nanoseconds when the time is not over, no allocation
/// where `awaitable` is a task.
template <class Rep, class Period, class Awaitable>
timed<awaited_t<Awaitable>> with_timeout(std::chrono::duration<Rep, Period> limit, Awaitable awaitable)
{
    return timed<awaited_t<Awaitable>>(as_nanoseconds(limit), as_task(std::move(awaitable)));
}

/// Awaits a task that is not to be cancelled; made by `shield`.
template <class T>
class shield_awaiter final : branch_group {
public:
    explicit shield_awaiter(task<T> inner) : task_(std::move(inner)) {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        await_branches(caller.promise(), 1);
        branch_.start(task_.promise(), caller.promise().scope(), *this, true);
    }

    T await_resume()
    {
        branch_.close();
        return task_.promise().take();
    }

private:
    void task_ended(promise_base& promise) noexcept override { branch_ended(promise); }

    task<T> task_;
    branch branch_;
};

/// A shielded task that has not begun; awaited once, movable until then.
template <class T>
class [[nodiscard]] shielded {
public:
    explicit shielded(task<T> inner) noexcept : task_(std::move(inner)) {}
    shield_awaiter<T> operator co_await() &&
    {
        check_begun(task_);
        return shield_awaiter<T>(std::move(task_));
    }

private:
    task<T> task_;
};

/// Awaits `awaitable` in a scope of its own that is not cancelled with the awaiting one: clean-up that must
/// finish.
///
/// Stopping an actor waits for its shields.
template <class Awaitable>
shielded<awaited_t<Awaitable>> shield(Awaitable awaitable)
{
    return shielded<awaited_t<Awaitable>>(as_task(std::move(awaitable)));
}

}  // namespace costar
