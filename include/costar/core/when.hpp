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
        void cancel() noexcept { scope_->cancel(); }
        void close() noexcept { scope_.reset(); }

    private:
        std::optional<child_scope> scope_;
    };

    branch_group() = default;
    ~branch_group() = default;

    void await_branches(promise_base& caller, std::size_t count) noexcept
    {
        parent_.waiter = &caller;
        running_ = count;
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

/// Tasks to be awaited together that have not begun; awaited once, movable until then.
template <class Awaiter, class Tasks>
class [[nodiscard]] grouped {
public:
    explicit grouped(Tasks tasks) noexcept : tasks_(std::move(tasks)) {}
    Awaiter operator co_await() && { return Awaiter(std::move(tasks_)); }

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

    bool await_ready() const noexcept { return sizeof...(T) == 0; }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        await_branches(caller.promise(), sizeof...(T));
        start(caller.promise().scope(), std::index_sequence_for<T...>{});
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
/// cancelled and awaited, then the first exception is rethrown.
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

    bool await_ready() const noexcept { return tasks_.empty(); }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        await_branches(caller.promise(), tasks_.size());
        for (std::size_t i = 0; i < tasks_.size(); ++i)
            branches_[i].start(tasks_[i].promise(), caller.promise().scope(), *this);
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

/// Awaits the first of several tasks; made by `when_any`.
template <class... T>
class when_any_awaiter final : branch_group {
public:
    using value_type = std::variant<something<T>...>;

    explicit when_any_awaiter(std::tuple<task<T>...> tasks) noexcept : tasks_(std::move(tasks)) {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        await_branches(caller.promise(), sizeof...(T));
        start(caller.promise().scope(), std::index_sequence_for<T...>{});
    }

    value_type await_resume()
    {
        for (branch& ended : branches_)
            ended.close();
        return take(std::index_sequence_for<T...>{});
    }

private:
    void task_ended(promise_base& promise) noexcept override
    {
        if (winner_ == none) {
            for (std::size_t i = 0; i < sizeof...(T); ++i) {
                if (branches_[i].is(promise))
                    winner_ = i;
            }
            for (std::size_t i = 0; i < sizeof...(T); ++i)
                if (i != winner_)
                    branches_[i].cancel();
        }
        branch_ended(promise);
    }

    template <std::size_t... Index>
    void start(scope& parent, std::index_sequence<Index...>)
    {
        (branches_[Index].start(std::get<Index>(tasks_).promise(), parent, *this), ...);
    }

    template <std::size_t... Index>
    value_type take(std::index_sequence<Index...>)
    {
        std::optional<value_type> value;
        ((Index == winner_ ? fill<Index>(value) : void()), ...);
        return std::move(*value);
    }

    template <std::size_t Index>
    void fill(std::optional<value_type>& value)
    {
        auto& promise = std::get<Index>(tasks_).promise();
        if constexpr (std::is_void_v<std::tuple_element_t<Index, std::tuple<T...>>>) {
            promise.take();
            value.emplace(std::in_place_index<Index>);
        } else {
            value.emplace(std::in_place_index<Index>, promise.take());
        }
    }

    static constexpr std::size_t none = sizeof...(T);

    std::tuple<task<T>...> tasks_;
    branch branches_[sizeof...(T)];
    std::size_t winner_ = none;
};

/// Awaits the first of several awaitables to end, by value or exception; the variant's index says which.
///
/// The losers are cancelled and awaited before the winner's value is returned, so nothing of them runs
/// afterwards.
template <class... Awaitable>
    requires(sizeof...(Awaitable) > 0)
auto when_any(Awaitable... awaitables)
{
    using tasks = std::tuple<task<awaited_t<Awaitable>>...>;
    return grouped<when_any_awaiter<awaited_t<Awaitable>...>, tasks>(
        tasks(as_task(std::move(awaitables))...));
}

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
        if (timed_out_)
            throw error(errc::timed_out);
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
    timeout_awaiter<T> operator co_await() && { return timeout_awaiter<T>(limit_, std::move(task_)); }

private:
    std::chrono::nanoseconds limit_;
    task<T> task_;
};

/// Awaits `awaitable` for at most `limit`.
///
/// Errors: `errc::timed_out` when the time is over first; what was awaited has been cancelled and has ended
/// then. Cost: tens of nanoseconds when the time is not over, no allocation where `awaitable` is a task.
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
    shield_awaiter<T> operator co_await() && { return shield_awaiter<T>(std::move(task_)); }

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
