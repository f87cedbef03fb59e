// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <string>

namespace costar::machine {

/// The last moment that a strand knows, some 292 years after its clock's origin.
inline constexpr std::uint64_t latest_time = UINT64_MAX / 2;

/// Time as strands count it: nanoseconds since the clock's origin, `latest_time` at most.
inline std::uint64_t deadline_after(std::uint64_t now, std::chrono::nanoseconds delay) noexcept
{
    const auto span = static_cast<std::uint64_t>(std::max<std::int64_t>(delay.count(), 0));
    return now + std::min(span, latest_time - std::min(now, latest_time));
}

/// A duration in nanoseconds. Those of coarser units that do not fit become the longest and the shortest
/// there is; what is no number counts as the shortest.
template <class Rep, class Period>
constexpr std::chrono::nanoseconds as_nanoseconds(std::chrono::duration<Rep, Period> length) noexcept
{
    using std::chrono::nanoseconds;
    using seconds = std::chrono::duration<double>;  // has room for all of them
    if (seconds(length) >= seconds(nanoseconds::max()))
        return nanoseconds::max();
    if (!(seconds(length) > seconds(nanoseconds::min())))
        return nanoseconds::min();
    return std::chrono::duration_cast<nanoseconds>(length);
}

/// Waits on the strand's timer wheel; made by `sleep_for`.
class sleep_awaiter : private run_node, private timer_node, private cancel_hook {
public:
    sleep_awaiter(const sleep_awaiter&) = delete;
    sleep_awaiter& operator=(const sleep_awaiter&) = delete;
    ~sleep_awaiter()
    {
        if (armed())  // the frame is destroyed where it waits
            home_->disarm(*this);
    }

    explicit sleep_awaiter(std::chrono::nanoseconds delay) noexcept : cancel_hook(actions), delay_(delay)
    {
        timer_node::fire = [](timer_node* timer) { static_cast<sleep_awaiter*>(timer)->end(false); };
    }

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        scope& scope = caller.promise().scope();
        cancelled_ = scope.is_cancelled();
        home_ = &scope.home();
        if (cancelled_)
            return home_->must_yield(*this, caller.promise());
        waiter = &caller.promise();
        if (delay_.count() <= 0) {
            home_->make_ready_again(*this);
            return true;
        }
        scope.attach(*this);
        // The time of the turn may lie as far back as this coroutine has run, and the sleep would end too
        // early.
        home_->arm(*this, deadline_after(home_->read_clock(), delay_));
        return true;
    }

    void await_resume() const
    {
        if (cancelled_)
            throw error(errc::cancelled);
    }

private:
    static const hook_actions actions;

    void end(bool cancelled) noexcept
    {
        cancelled_ = cancelled;
        home_->disarm(*this);
        detach();
        home_->make_ready(*this);
    }

    std::chrono::nanoseconds delay_;
    strand_context* home_ = nullptr;
    bool cancelled_ = false;
};

inline const hook_actions sleep_awaiter::actions{
    .cancel = [](cancel_hook& hook) noexcept { static_cast<sleep_awaiter&>(hook).end(true); },
    .describe = [](const cancel_hook&) { return std::string("a timer"); }};

/// A pause that has not begun; awaited once.
class [[nodiscard]] sleeping {
public:
    static constexpr bool is_repeatable = true;

    explicit sleeping(std::chrono::nanoseconds delay) noexcept : delay_(delay) {}
    sleep_awaiter operator co_await() const noexcept { return sleep_awaiter(delay_); }

private:
    std::chrono::nanoseconds delay_;
};

}  // namespace costar::machine

namespace costar {

/// Suspends for at least `delay`; zero or less gives others a turn.
///
/// Resumes on the awaiting strand. Accuracy: not early; late by the rest of a turn or a timer tick.
/// Cancellation: ends with `errc::cancelled`.
/// Cost: tens of nanoseconds, no allocation.
template <class Rep, class Period>
machine::sleeping sleep_for(std::chrono::duration<Rep, Period> delay) noexcept
{
    return machine::sleeping(machine::as_nanoseconds(delay));
}

}  // namespace costar

namespace costar::machine {

/// Gives the other ready coroutines of the strand a turn; made by `yield`.
class yield_awaiter : private run_node {
public:
    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        waiter = &caller.promise();
        caller.promise().scope().home().make_ready_again(*this);
    }

    void await_resume() const noexcept {}
};

/// A yield that has not begun.
struct [[nodiscard]] yielding {
    static constexpr bool is_repeatable = true;

    yield_awaiter operator co_await() const noexcept { return {}; }
};

}  // namespace costar::machine

namespace costar {

/// Resumes behind what is ready now, on the same strand; with actors that were born and have not begun it
/// takes turns. Not cancelled.
inline machine::yielding yield() noexcept
{
    return {};
}

}  // namespace costar
