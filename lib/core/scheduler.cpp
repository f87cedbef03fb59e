// SPDX-License-Identifier: MIT

#include <costar/core/scheduler.hpp>

#include <costar/core/log.hpp>

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <pthread.h>
#include <sched.h>

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

/// The cores that the process was given. Asked before main, since threads may be bound to one by themselves,
/// and hand that on to those they start.
const cpu_set_t given_cores = [] {
    cpu_set_t given;
    CPU_ZERO(&given);
    if (sched_getaffinity(0, sizeof given, &given) != 0)
        CPU_ZERO(&given);
    return given;
}();

/// Binds the calling thread to the n-th of the given cores.
void pin_this_thread(std::size_t n)
{
    const auto count = static_cast<std::size_t>(CPU_COUNT(&given_cores));
    int failure = EINVAL;
    if (count != 0) {
        n %= count;
        std::size_t core = 0;
        while (!CPU_ISSET(core, &given_cores) || n-- > 0)
            ++core;
        cpu_set_t chosen;
        CPU_ZERO(&chosen);
        CPU_SET(core, &chosen);
        failure = pthread_setaffinity_np(pthread_self(), sizeof chosen, &chosen);
    }
    if (failure != 0)
        log(log_level::warning,
            std::string("a strand's thread could not be bound to a core: ") +
                std::generic_category().message(failure));
}

/// Time until `due` by the strand's clock, as a timer wants it.
std::chrono::nanoseconds time_until(std::uint64_t due, std::uint64_t now) noexcept
{
    const std::uint64_t left = due > now ? due - now : 0;
    const std::uint64_t longest = std::uint64_t{3600} * 1'000'000'000;  // looked at again every hour at least
    return std::chrono::nanoseconds(left < longest ? left : longest);
}

}  // namespace

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
    bool may_enter() const noexcept override { return own_thread_of == this; }
    bool may_hold_back() const noexcept override { return own_thread_of == nullptr; }
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
        return own_thread_of != nullptr && static_cast<const owned_driver*>(own_thread_of)->owner_ == owner;
    }

private:
    void run()
    {
        own_thread_of = this;
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
        own_thread_of = nullptr;
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

/// A strand that gets its turns from whoever holds it: a simulation.
class scheduler::manual_driver final : public driver {
public:
    explicit manual_driver(std::unique_ptr<strand_context> context) : driver(std::move(context)) {}

    void kick() noexcept override {}
    bool may_enter() const noexcept override { return false; }
    bool may_hold_back() const noexcept override { return false; }
    bool sleeps_seldom() const noexcept override { return false; }
    void timer_changed(std::uint64_t) override {}
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
    for (std::size_t i = 0; i < count; ++i)
        add(std::make_unique<owned_driver>(make_context(options), options, this));
}

scheduler::scheduler(std::vector<asio::any_io_executor> borrowed, const scheduler_options& options)
{
    if (borrowed.empty())
        throw std::invalid_argument("an engine needs at least one executor");
    for (asio::any_io_executor& each : borrowed)
        add(std::make_unique<borrowed_driver>(make_context(options), std::move(each)));
}

scheduler::scheduler(manual, const scheduler_options& options)
{
    for (std::size_t i = 0; i < std::max<std::size_t>(options.strands, 1); ++i)
        add(std::make_unique<manual_driver>(make_context(options)));
}

scheduler::~scheduler()
{
    stop();
    for (strand_context* context : contexts_)
        context->discard_input();
    for (auto& driver : drivers_)
        driver->clear();
    for (strand_context* context : contexts_)
        context->discard_input();
}

std::unique_ptr<strand_context> scheduler::make_context(const scheduler_options& options)
{
    if (options.turn.ring_slots > turn_options::ring_slots_max)
        throw std::invalid_argument("turn_options::ring_slots is more than 2^24");
    return std::make_unique<strand_context>(static_cast<std::uint32_t>(contexts_.size()), options.turn,
        options.clock != nullptr ? *options.clock : real_clock_);
}

void scheduler::add(std::unique_ptr<driver> made)
{
    contexts_.push_back(&made->machine());
    drivers_.reserve(drivers_.size() + 1);
    drivers_.emplace_back(made.release());
}

void scheduler::release::operator()(driver* held) const noexcept
{
    held->leave_context();
    held->let_go();
}

bool scheduler::is_owned() const noexcept
{
    return dynamic_cast<const owned_driver*>(drivers_.front().get()) != nullptr;
}

bool scheduler::is_manual() const noexcept
{
    return dynamic_cast<const manual_driver*>(drivers_.front().get()) != nullptr;
}

bool scheduler::is_own_thread() const noexcept
{
    return owned_driver::is_thread_of(this);
}

void scheduler::start(const std::vector<parcel_receiver*>& receivers)
{
    for (std::size_t i = 0; i < contexts_.size(); ++i)
        contexts_[i]->connect(*drivers_[i], contexts_, *receivers[i]);
    for (auto& driver : drivers_)
        driver->start();
}

void scheduler::stop() noexcept
{
    for (auto& driver : drivers_)
        driver->stop();
    for (strand_context* context : contexts_)
        context->refuse_posts();
}

}  // namespace costar
