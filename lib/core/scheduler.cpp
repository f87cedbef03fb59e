// SPDX-License-Identifier: MIT

#include <costar/core/scheduler.hpp>

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include <pthread.h>

namespace costar {

namespace {

/// The strand whose thread this is, in an owned engine.
constinit thread_local const void* own_thread_of = nullptr;

void relax() noexcept
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
}

void pin_this_thread(std::size_t core) noexcept
{
    const unsigned cores = std::thread::hardware_concurrency();
    if (cores == 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % cores, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/// Time until `due` by the strand's clock, as a timer wants it.
std::chrono::nanoseconds time_until(std::uint64_t due, std::uint64_t now) noexcept
{
    const std::uint64_t left = due > now ? due - now : 0;
    const std::uint64_t longest = std::uint64_t{3600} * 1'000'000'000;  // looked at again every hour at least
    return std::chrono::nanoseconds(left < longest ? left : longest);
}

}  // namespace

/// What the kinds of drivers have in common.
class scheduler::driver : public strand_driver {
public:
    explicit driver(strand_context& context) noexcept : context_(&context) {}

    virtual void start() = 0;
    virtual void stop() noexcept = 0;

protected:
    strand_context* context_;
};

/// A strand with an `io_context` and a thread of its own.
class scheduler::owned_driver final : public driver {
public:
    owned_driver(strand_context& context, const scheduler_options& options, const void* owner)
        : driver(context), spin_(static_cast<std::uint64_t>(std::max<std::int64_t>(options.spin.count(), 0))),
          pin_(options.pin_threads), owner_(owner), work_(asio::make_work_guard(io_)), timer_(io_)
    {
    }

    void kick() noexcept override { asio::post(io_, [] {}); }
    bool may_enter() const noexcept override { return own_thread_of == this; }
    bool may_hold_back() const noexcept override { return own_thread_of == nullptr; }
    void work_started() noexcept override {}
    void work_finished() noexcept override {}
    asio::execution_context& context() const noexcept override { return io_; }

    void timer_changed(std::uint64_t due) override
    {
        // The timer may fire in vain; it is set anew only when it would fire too late.
        if (due >= armed_for_)
            return;
        arm(due);
    }

    void start() override
    {
        thread_ = std::thread([this] { run(); });
    }

    void stop() noexcept override
    {
        stopping_.store(true, std::memory_order_release);
        asio::post(io_, [] {});
        if (thread_.joinable())
            thread_.join();
    }

    static bool is_thread_of(const void* owner) noexcept
    {
        return own_thread_of != nullptr && static_cast<const owned_driver*>(own_thread_of)->owner_ == owner;
    }

private:
    void run()
    {
        own_thread_of = this;
        if (pin_)
            pin_this_thread(context_->index());
        while (!stopping_.load(std::memory_order_acquire)) {
            if (context_->turn()) {
                io_.poll();
                continue;
            }
            if (io_.poll() != 0)
                continue;
            if (wait_spinning() || !context_->fall_asleep())
                continue;
            io_.run_one();
            context_->stay_awake();
        }
        own_thread_of = nullptr;
    }

    /// Looks for work from other threads for a while. A strand that nobody sends to stops looking, and tries again
    /// from time to time.
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
            if (stopping_.load(std::memory_order_relaxed))
                return true;
            if (io_.poll() != 0)
                return true;
        } while (context_->read_clock() < end);
        ++vain_spins_;
        return false;
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

    static constexpr int vain_spins_max = 4;

    const std::uint64_t spin_;
    const bool pin_;
    const void* owner_;
    mutable asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    asio::steady_timer timer_;
    std::uint64_t armed_for_ = UINT64_MAX;
    int vain_spins_ = 0;
    int skipped_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

/// A strand on somebody else's executor. It posts one handler at a time, and none while it is idle.
class scheduler::borrowed_driver final : public driver, public std::enable_shared_from_this<borrowed_driver> {
public:
    borrowed_driver(strand_context& context, asio::any_io_executor executor)
        : driver(context), base_(std::move(executor)), executor_(asio::make_strand(base_)), timer_(executor_)
    {
    }

    void kick() noexcept override
    {
        asio::post(executor_, [self = shared_from_this()] { self->pump(); });
    }
    bool may_enter() const noexcept override { return executor_.running_in_this_thread(); }
    bool may_hold_back() const noexcept override { return false; }
    asio::execution_context& context() const noexcept override
    {
        return asio::query(base_, asio::execution::context);
    }

    void timer_changed(std::uint64_t due) override
    {
        if (due == UINT64_MAX) {
            timer_.cancel();  // an idle strand holds no work
            return;
        }
        timer_.expires_after(time_until(due, context_->read_clock()));
        timer_.async_wait([self = shared_from_this()](const boost::system::error_code& code) {
            if (code)
                return;
            self->context_->forget_announcement();
            self->pump();
        });
    }

    void work_started() noexcept override
    {
        if (work_count_.fetch_add(1, std::memory_order_acq_rel) == 0)
            update_work();
    }
    void work_finished() noexcept override
    {
        if (work_count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            update_work();
    }

    void start() override
    {
        if (!context_->fall_asleep())
            kick();
    }

    void stop() noexcept override
    {
        stopped_ = true;
        timer_.cancel();
        const std::lock_guard lock(work_mutex_);
        work_.reset();
    }

private:
    void pump()
    {
        if (stopped_)
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
        else if (!work_ && !stopped_)
            work_.emplace(asio::prefer(base_, asio::execution::outstanding_work.tracked));
    }

    asio::any_io_executor base_;
    asio::strand<asio::any_io_executor> executor_;
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                               asio::strand<asio::any_io_executor>>
        timer_;
    std::atomic<bool> stopped_{false};
    std::atomic<std::size_t> work_count_{0};  // executors that track work, on any thread
    std::mutex work_mutex_;
    std::optional<asio::any_io_executor> work_;
};

/// A strand that gets its turns from whoever holds it: a simulation.
class scheduler::manual_driver final : public driver {
public:
    explicit manual_driver(strand_context& context) noexcept : driver(context) {}

    void kick() noexcept override {}
    bool may_enter() const noexcept override { return false; }
    bool may_hold_back() const noexcept override { return false; }
    void timer_changed(std::uint64_t) override {}
    void work_started() noexcept override {}
    void work_finished() noexcept override {}
    asio::execution_context& context() const noexcept override { return io_; }
    void start() override {}
    void stop() noexcept override {}

private:
    mutable asio::io_context io_{1};
};

scheduler::scheduler(const scheduler_options& options)
{
    std::size_t count = options.strands;
    if (count == 0)
        count = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i) {
        contexts_.push_back(std::make_unique<strand_context>(
            static_cast<std::uint32_t>(i), options.turn, options.clock != nullptr ? *options.clock : real_clock_));
        drivers_.push_back(std::make_shared<owned_driver>(*contexts_.back(), options, this));
    }
}

scheduler::scheduler(std::vector<asio::any_io_executor> borrowed, const scheduler_options& options)
{
    for (std::size_t i = 0; i < borrowed.size(); ++i) {
        contexts_.push_back(std::make_unique<strand_context>(
            static_cast<std::uint32_t>(i), options.turn, options.clock != nullptr ? *options.clock : real_clock_));
        drivers_.push_back(std::make_shared<borrowed_driver>(*contexts_.back(), std::move(borrowed[i])));
    }
}

scheduler::scheduler(manual, const scheduler_options& options)
{
    for (std::size_t i = 0; i < std::max<std::size_t>(options.strands, 1); ++i) {
        contexts_.push_back(std::make_unique<strand_context>(
            static_cast<std::uint32_t>(i), options.turn, options.clock != nullptr ? *options.clock : real_clock_));
        drivers_.push_back(std::make_shared<manual_driver>(*contexts_.back()));
    }
}

scheduler::~scheduler()
{
    stop();
    for (auto& context : contexts_)
        context->discard_input();
    contexts_.clear();
}

bool scheduler::is_owned() const noexcept
{
    return dynamic_cast<const owned_driver*>(drivers_.front().get()) != nullptr;
}

bool scheduler::is_own_thread() const noexcept
{
    return owned_driver::is_thread_of(this);
}

void scheduler::start(const std::vector<parcel_receiver*>& receivers)
{
    std::vector<strand_context*> siblings;
    for (auto& context : contexts_)
        siblings.push_back(context.get());
    for (std::size_t i = 0; i < siblings.size(); ++i)
        siblings[i]->connect(*drivers_[i], siblings, *receivers[i]);
    for (auto& driver : drivers_)
        driver->start();
}

void scheduler::stop() noexcept
{
    for (auto& driver : drivers_)
        driver->stop();
}

}  // namespace costar
