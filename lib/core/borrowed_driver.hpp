// SPDX-License-Identifier: MIT

#pragma once

#include "driver.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/wait_traits.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace costar::machine {

/// A strand on somebody else's executor. It posts one handler at a time, and none while it is idle.
class scheduler::borrowed_driver final : public driver {
public:
    borrowed_driver(std::unique_ptr<strand_context> context, asio::any_io_executor executor)
        : driver(std::move(context)),
          context_of_io_(&asio::query(executor, asio::execution::context)),
          io_(std::in_place, std::move(executor))
    {}

    void kick() noexcept override
    {
        kick_unless_stopped(
            [this] { asio::post(io_->executor, [self = handler_hold(*this)] { self->pump(); }); });
    }

    // What runs on the `asio::strand` is a turn from its beginning to its end. To ask the `asio::strand`
    // would use what another thread may be destroying.
    bool may_enter() const noexcept override { return false; }
    bool may_hold_back() const noexcept override { return false; }
    bool sleeps_seldom() const noexcept override { return false; }
    asio::execution_context& context() const noexcept override { return *context_of_io_; }

    void timer_changed(std::uint64_t due) override
    {
        const std::uint64_t arming = ++armings_;
        if (due == UINT64_MAX) {
            io_->timer.cancel();  // an idle strand holds no work
            return;
        }
        io_->timer.expires_after(time_until(due, context_->read_clock()));
        io_->timer.async_wait([self = handler_hold(*this), arming](const boost::system::error_code& code) {
            // One that had fired before the timer was set anew says nothing about the new setting.
            if (code || self->is_stopped() || arming != self->armings_)
                return;
            self->context_->forget_announcement();
            self->pump();
        });
    }

    void work_started() noexcept override
    {
        hold();
        if (work_count_.fetch_add(1, std::memory_order_acq_rel) == 0)
            update_work();
    }
    void work_finished() noexcept override
    {
        if (work_count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            update_work();
        let_go();
    }

    void start() override
    {
        if (!context_->fall_asleep())
            kick();
    }

    void stop() noexcept override
    {
        refuse_kicks();
        io_->timer.cancel();
        const std::lock_guard lock(work_mutex_);
        work_.reset();
    }

    void leave_context() noexcept override { io_.reset(); }

private:
    /// What a handler in the borrowed context holds.
    class handler_hold {
    public:
        explicit handler_hold(borrowed_driver& held) noexcept : held_(&held) { held.hold(); }
        handler_hold(handler_hold&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
        ~handler_hold()
        {
            if (held_ != nullptr)
                held_->let_go();
        }
        borrowed_driver* operator->() const noexcept { return held_; }

    private:
        borrowed_driver* held_;
    };

    void pump()
    {
        if (is_stopped())
            return;
        context_->stay_awake();
        struct repost {
            borrowed_driver& self;
            bool more = true;  // a handler that throws leaves the rest for the next turn
            ~repost()
            {
                if (more || !self.context_->fall_asleep())
                    self.kick();
            }
        } after{*this};
        after.more = context_->turn();
    }

    void update_work() noexcept
    {
        const std::lock_guard lock(work_mutex_);
        if (work_count_.load(std::memory_order_acquire) == 0)
            work_.reset();
        else if (!work_ && !is_stopped())
            work_.emplace(asio::prefer(io_->base, asio::execution::outstanding_work.tracked));
    }

    /// What belongs to the borrowed context. Executors that track work may outlive both.
    struct io_part {
        using strand = asio::strand<asio::any_io_executor>;

        explicit io_part(asio::any_io_executor borrowed)
            : base(std::move(borrowed)), executor(asio::make_strand(base)), timer(executor)
        {}

        asio::any_io_executor base;
        strand executor;
        asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
            strand>
            timer;
    };

    asio::execution_context* context_of_io_;
    std::optional<io_part> io_;
    std::uint64_t armings_ = 0;
    std::atomic<std::size_t> work_count_{0};  // executors that track work, on any thread
    std::mutex work_mutex_;
    std::optional<asio::any_io_executor> work_;
};

}  // namespace costar::machine
