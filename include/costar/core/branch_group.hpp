// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand_context.hpp>
#include <costar/core/task.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

/// A void result in a tuple or variant.
using nothing = std::monostate;

}  // namespace costar

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

/// Makes a task of anything awaitable.
template <class T>
task<T> as_task(task<T> awaitable)
{
    return awaitable;
}

template <class Awaitable>
task<machine::awaited_t<Awaitable>> as_task(Awaitable awaitable)
{
    using value = machine::awaited_t<Awaitable>;
    if constexpr (std::is_object_v<value>) {
        value came = co_await std::move(awaitable);  // in a variable: GCC 14 fails on some temporaries here
        co_return came;
    } else {
        co_return co_await std::move(awaitable);
    }
}

}  // namespace costar

namespace costar::machine {

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

}  // namespace costar::machine
