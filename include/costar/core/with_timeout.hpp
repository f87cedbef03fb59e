// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/branch_group.hpp>
#include <costar/core/error.hpp>
#include <costar/core/timer.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

/// Awaits `awaitable` for at most `limit`.
///
/// Errors: `errc::timed_out` when the time is over first; what was awaited has been cancelled and has ended
/// then. One that had completed by then, or ends with a value or an error of its own though it was cancelled,
/// has that outcome: no byte and no end of a file is lost. An operation of several steps, such as
/// `async_read`, ends by the cancellation with a part done; `with_timeout(limit, async_read(socket, buffer,
/// as_tuple(use_task)))` says how much. Cost: tens of nanoseconds when the time is not over, no allocation
/// where `awaitable` is a task.
template <class Rep, class Period, class Awaitable>
machine::timed<machine::awaited_t<Awaitable>> with_timeout(
    std::chrono::duration<Rep, Period> limit, Awaitable awaitable)
{
    return machine::timed<machine::awaited_t<Awaitable>>(
        machine::as_nanoseconds(limit), as_task(std::move(awaitable)));
}

}  // namespace costar

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

/// Awaits `awaitable` in a scope of its own that is not cancelled with the awaiting one: clean-up that must
/// finish.
///
/// Stopping an actor waits for its shields.
template <class Awaitable>
machine::shielded<machine::awaited_t<Awaitable>> shield(Awaitable awaitable)
{
    return machine::shielded<machine::awaited_t<Awaitable>>(as_task(std::move(awaitable)));
}

}  // namespace costar
