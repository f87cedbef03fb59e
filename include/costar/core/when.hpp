// SPDX-License-Identifier: MIT

#pragma once

// `when_all` is here; `when_any`, `with_timeout` and `shield` come with it.

#include <costar/core/branch_group.hpp>
#include <costar/core/when_any.hpp>
#include <costar/core/with_timeout.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

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
    using tasks = std::tuple<task<machine::awaited_t<Awaitable>>...>;
    return machine::grouped<machine::when_all_awaiter<machine::awaited_t<Awaitable>...>, tasks>(
        tasks(as_task(std::move(awaitables))...));
}

}  // namespace costar

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

/// Awaits all tasks of a vector at once and gives their values in the same order.
template <class T>
auto when_all(std::vector<task<T>> tasks)
{
    return machine::grouped<machine::when_all_range_awaiter<T>, std::vector<task<T>>>(std::move(tasks));
}

}  // namespace costar
