// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/scheduler.hpp>
#include <costar/core/strand.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

namespace costar::machine {

/// What the kinds of drivers have in common: a count of those who hold on to it.
///
/// Lifetime: the driver, and the strand's machine with it, goes with the last of the scheduler, the executors
/// that track work, and its own handlers in a borrowed context. So an operation that is still pending there
/// when the engine ends finds a strand that refuses it, and not freed memory.
class scheduler::driver : public strand_driver {
public:
    explicit driver(std::unique_ptr<strand_context> context) noexcept : context_(std::move(context)) {}

    virtual void start() = 0;

    /// Ends the turns. No kick is under way when it returns, and none does anything from then on.
    virtual void stop() noexcept = 0;

    /// Destroys what is pending in a context of its own.
    virtual void clear() noexcept {}

    /// The engine is gone, and a borrowed context may go next: lets go of all that belongs to it.
    virtual void leave_context() noexcept {}

    void work_started() noexcept override { hold(); }
    void work_finished() noexcept override { let_go(); }

    void hold() noexcept { holds_.fetch_add(1, std::memory_order_relaxed); }
    void let_go() noexcept
    {
        // Release and acquire: the last one sees all that the others did.
        if (holds_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete this;
    }

    strand_context& machine() const noexcept { return *context_; }

protected:
    /// Calls `wake_up`, which uses what ends with the engine, unless it has ended. A thread of somebody else
    /// may come here at any time, with an operation that completes while the engine is being destroyed.
    template <class Function>
    void kick_unless_stopped(Function&& wake_up) noexcept
    {
        // Both sides write first and then look at what the other one has written: sequentially consistent, so
        // that one of them sees it.
        kicks_.fetch_add(1, std::memory_order_seq_cst);
        if (!stopped_.load(std::memory_order_seq_cst))
            std::forward<Function>(wake_up)();
        kicks_.fetch_sub(1, std::memory_order_release);
    }

    /// From now on nobody kicks. Waits for those who do.
    void refuse_kicks() noexcept
    {
        stopped_.store(true, std::memory_order_seq_cst);
        while (kicks_.load(std::memory_order_seq_cst) != 0)
            std::this_thread::yield();
    }

    bool is_stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

    std::unique_ptr<strand_context> context_;

private:
    std::atomic<std::size_t> holds_{1};  // the scheduler's, and any number on any thread
    std::atomic<std::size_t> kicks_{0};  // under way, on any thread
    std::atomic<bool> stopped_{false};   // written by the one who stops it
};

/// Time until `due` by the strand's clock, as a timer wants it.
inline std::chrono::nanoseconds time_until(std::uint64_t due, std::uint64_t now) noexcept
{
    const std::uint64_t left = due > now ? due - now : 0;
    const std::uint64_t longest = std::uint64_t{3600} * 1'000'000'000;  // looked at again every hour at least
    return std::chrono::nanoseconds(left < longest ? left : longest);
}

}  // namespace costar::machine
