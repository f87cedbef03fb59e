// SPDX-License-Identifier: MIT

#pragma once

#include "driver.hpp"
#include "pinning.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

namespace costar::machine {

/// A strand with an `io_context` and a thread of its own.
class scheduler::owned_driver final : public driver {
public:
    owned_driver(std::unique_ptr<strand_context> context, const scheduler_options& options, const void* owner)
        : driver(std::move(context)),
          spin_(static_cast<std::uint64_t>(std::max<std::int64_t>(options.spin.count(), 0))),
          pin_(options.pin_threads),
          owner_(owner),
          work_(asio::make_work_guard(io_)),
          timer_(io_)
    {}

    void kick() noexcept override
    {
        kick_unless_stopped([this] { asio::post(io_, [] {}); });
    }
    bool may_enter() const noexcept override { return of_this_thread_ == this; }
    bool may_hold_back() const noexcept override { return of_this_thread_ == nullptr; }
    bool sleeps_seldom() const noexcept override { return spin_ != 0; }  // else it sleeps whenever it waits
    asio::execution_context& context() const noexcept override { return io_; }

    void timer_changed(std::uint64_t due) override
    {
        // The timer may fire in vain; it is set anew only when it would fire too late.
        if (due >= armed_for_)
            return;
        arm(due);
    }

    /// Handlers of sockets that are ready may follow each other without end. A look at them ends here, by the
    /// clock, so that it costs nothing while it is short.
    void has_entered(std::uint64_t now) noexcept override
    {
        if (is_looking_ && now - polled_at_ >= look_length) {
            is_looking_ = false;
            io_.stop();
        }
    }

    void start() override
    {
        thread_ = std::thread([this] { run(); });
    }

    void stop() noexcept override
    {
        refuse_kicks();
        asio::post(io_, [] {});
        if (thread_.joinable())
            thread_.join();
    }

    void clear() noexcept override { io_.shutdown(); }

    static bool is_thread_of(const void* owner) noexcept
    {
        return of_this_thread_ != nullptr && of_this_thread_->owner_ == owner;
    }

private:
    void run()
    {
        of_this_thread_ = this;
        if (pin_)
            pin_this_thread(context_->index());
        bool is_clock_read = false;
        while (!is_stopped()) {
            if (context_->turn(std::exchange(is_clock_read, false))) {
                context_->read_clock();  // the turn may have been long
                poll();
                continue;
            }
            // The clock is read here, where nobody waits for this strand, and not before it answers.
            is_clock_read = context_->read_clock() - polled_at_ < poll_interval && wait_briefly();
            if (is_clock_read)
                continue;
            if (spin_ != 0 && poll() != 0)  // else the sleep begins with a look at the sockets
                continue;
            if (wait_spinning() || !context_->fall_asleep())
                continue;
            if (io_.run_one() == 0) [[unlikely]]
                io_.restart();  // somebody has stopped it by its executor
            context_->stay_awake();
        }
        of_this_thread_ = nullptr;
    }

    /// Gives sockets and timers of the same context their share; a system call. The clock was read just
    /// before.
    std::size_t poll()
    {
        polled_at_ = context_->now();
        is_looking_ = true;
        const std::size_t count = io_.poll();
        if (!std::exchange(is_looking_, false)) [[unlikely]]
            io_.restart();
        return count;
    }

    /// Looks for work from other threads for about a microsecond: what answers comes that soon.
    bool wait_briefly() noexcept
    {
        if (spin_ == 0 || vain_spins_ != 0)
            return false;
        for (int i = 0; i < 128; ++i)
            if (context_->awaits_input())
                return true;
        return false;
    }

    /// Looks for work from other threads for a while. A strand that nobody sends to stops looking, and tries
    /// again from time to time.
    bool wait_spinning()
    {
        if (spin_ == 0)
            return false;
        if (vain_spins_ >= vain_spins_max && ++skipped_ < 64)
            return false;
        skipped_ = 0;
        const std::uint64_t end = context_->read_clock() + spin_;
        do {
            for (int i = 0; i < 32; ++i) {
                if (context_->has_input()) {
                    vain_spins_ = 0;
                    return true;
                }
                relax();
            }
            if (is_stopped())
                return true;
            if (poll() != 0)
                return true;
        } while (context_->read_clock() < end);
        ++vain_spins_;
        return false;
    }

    /// Spares the core while it looks.
    static void relax() noexcept
    {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#else
        std::this_thread::yield();
#endif
    }

    void arm(std::uint64_t due)
    {
        armed_for_ = due;
        timer_.expires_after(time_until(due, context_->read_clock()));
        timer_.async_wait([this](const boost::system::error_code& code) {
            if (code)
                return;
            armed_for_ = UINT64_MAX;
            context_->forget_announcement();
            const std::uint64_t next = context_->next_timer();
            if (next > context_->read_clock() && next != UINT64_MAX)
                arm(next);
        });
    }

    /// Can destroy what is pending before it is itself destroyed.
    struct own_context : asio::io_context {
        own_context() : asio::io_context(1) {}
        using asio::io_context::shutdown;
    };

    static constexpr int vain_spins_max = 4;
    static constexpr std::uint64_t poll_interval = 50'000;  // nanoseconds
    static constexpr std::uint64_t look_length = 200'000;   // likewise

    /// Whose thread this is, null elsewhere.
    static constinit inline thread_local const owned_driver* of_this_thread_ = nullptr;

    const std::uint64_t spin_;
    const bool pin_;
    const void* owner_;
    mutable own_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    asio::steady_timer timer_;
    std::uint64_t armed_for_ = UINT64_MAX;
    std::uint64_t polled_at_ = 0;
    bool is_looking_ = false;  // at the sockets, and has not ended that
    int vain_spins_ = 0;
    int skipped_ = 0;
    std::thread thread_;
};

}  // namespace costar::machine
