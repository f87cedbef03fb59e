// SPDX-License-Identifier: MIT

#include <costar/rpc/event_loop.hpp>

#include "strand_loop.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include <kj/debug.h>

#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace costar::machine {

namespace {

constinit thread_local kj_loop* present_loop = nullptr;

}  // namespace

void gathered_output::leave() noexcept
{
    if (place_ == nullptr)
        return;
    *place_ = next_;
    if (next_ != nullptr)
        next_->place_ = place_;
    place_ = nullptr;
}

kj_loop::kj_loop(asio::any_io_executor executor, flushing who)
    : executor_(std::move(executor)), flushing_by_(who), loop_(static_cast<kj::EventPort&>(*this))
{}

kj_loop::~kj_loop() noexcept(false) = default;

kj_loop& kj_loop::here()
{
    if (strand_context* strand = strand_context::current())
        return strand_loop::of(*strand);
    if (present_loop == nullptr || present_loop->is_over_)
        throw std::logic_error(
            "no event loop for Cap'n Proto here: use it in an actor or a task of a strand, "
            "or make a costar::rpc::event_loop in the thread that runs your io_context");
    return *present_loop;
}

void kj_loop::enter()
{
    if (present_loop == this) {
        ++depth_;
        return;
    }
    if (present_loop != nullptr)
        present_loop->present_.reset();
    present_.emplace(loop_);
    outer_ = std::exchange(present_loop, this);
}

void kj_loop::leave() noexcept
{
    if (depth_ > 0) {
        --depth_;
        return;
    }
    present_.reset();
    present_loop = std::exchange(outer_, nullptr);
    if (present_loop != nullptr)
        present_loop->present_.emplace(present_loop->loop_);
}

kj_loop* kj_loop::lingering() noexcept
{
    return present_loop != nullptr && present_loop->is_over_ ? present_loop : nullptr;
}

void kj_loop::withdraw() noexcept
{
    if (present_loop == this) {
        depth_ = 0;
        leave();
    }
}

void kj_loop::drain() noexcept
{
    constexpr int rows_max = 1 << 16;  // events that beget events for ever are left
    try {
        for (int row = 0; row < rows_max && loop_.isRunnable(); ++row)
            loop_.run(events_in_a_row);
    } catch (...) {
        // Whoever would have been told of it is gone.
    }
}

void kj_loop::drain_present() noexcept
{
    if (present_loop != nullptr)
        present_loop->drain();
}

void kj_loop::pump()
{
    if (is_pumping_ || is_over_)
        return;
    struct pumping {
        kj_loop& self;
        explicit pumping(kj_loop& loop) noexcept : self(loop) { self.is_pumping_ = true; }
        ~pumping()
        {
            const bool is_flushed_here = self.flushing_by_ == flushing::by_pump;
            if (is_flushed_here)
                self.flush();
            // KJ tells of the first event only, and takes back what it has told in `run` alone: one that was
            // dropped again since would keep the next one silent.
            self.loop_.run(0);
            self.is_pumping_ = false;
            if (self.loop_.isRunnable() || self.ended_ != nullptr || self.is_woken_ ||
                (is_flushed_here && self.flushes_ != nullptr))
                self.pump_later();
        }
    } guard(*this);
    for (int row = 0; row < rows_of_a_pump && run_row(); ++row)
        ;
}

/// True when there is more to do.
bool kj_loop::run_row()
{
    if (is_woken_)
        present_->poll();  // what came through a `kj::Executor`; leaves KJ's idea of the port stale, which
                           // `run` mends
    loop_.run(events_in_a_row);
    finish_waits();
    return loop_.isRunnable() || ended_ != nullptr || is_woken_;
}

/// Calls the handlers whose promises have come: each may begin further waits, and throw.
void kj_loop::finish_waits()
{
    while (promise_wait* wait = ended_) {
        ended_ = wait->next_;
        if (ended_ == nullptr)
            ended_last_ = &ended_;
        wait->finish();
    }
}

void kj_loop::flush() noexcept
{
    // Those that ask again in their flush come with the next one.
    flushing_ = std::exchange(flushes_, nullptr);
    if (flushing_ != nullptr)
        flushing_->place_ = &flushing_;
    while (gathered_output* subject = flushing_) {
        subject->leave();
        subject->flush();
    }
}

void kj_loop::pump_later() noexcept
{
    if (is_posted_ || is_pumping_)
        return;
    is_posted_ = true;
    try {
        post_pump();
    } catch (const std::bad_alloc&) {
        is_posted_ = false;  // whatever comes next asks again
    }
}

void kj_loop::begin_again(asio::any_io_executor executor) noexcept
{
    executor_ = std::move(executor);
    is_over_ = false;
    is_posted_ = false;  // a pump that was posted may have come, and found nothing to do
    pump_later();
}

void kj_loop::run_posted()
{
    is_posted_ = false;
    pump();
}

void kj_loop::flush_soon(gathered_output& subject) noexcept
{
    if (subject.place_ != nullptr)
        return;
    subject.next_ = flushes_;
    subject.place_ = &flushes_;
    if (flushes_ != nullptr)
        flushes_->place_ = &subject.next_;
    flushes_ = &subject;
    if (flushing_by_ == flushing::by_pump)
        pump_later();
}

void kj_loop::end(promise_wait& wait) noexcept
{
    *ended_last_ = &wait;
    ended_last_ = &wait.next_;
    pump_later();
}

void kj_loop::abandon_waits() noexcept
{
    ended_ = nullptr;
    ended_last_ = &ended_;
    waits_.destroy_all();
}

/// Only `kj::Promise::wait` calls it.
bool kj_loop::wait()
{
    KJ_FAIL_REQUIRE(
        "a promise must not be waited for with wait(), which would block the thread of an Asio executor: "
        "co_await it, or give it to costar::rpc::async_wait");
}

bool kj_loop::poll()
{
    return std::exchange(is_woken_, false);
}

void kj_loop::setRunnable(bool runnable)
{
    if (runnable)
        pump_later();
}

void kj_loop::wake() const
{
    asio::post(executor_, [self = std::const_pointer_cast<kj_loop>(shared_from_this())] {
        if (!self->present_)  // the rpc::event_loop that it was has ended
            return;
        self->is_woken_ = true;
        self->pump();
    });
}

}  // namespace costar::machine

namespace costar::rpc {

class event_loop::thread_loop final : public machine::kj_loop {
public:
    explicit thread_loop(asio::any_io_executor executor) : kj_loop(std::move(executor), flushing::by_pump) {}

    class keeper;

    bool may_begin_again() const noexcept { return is_over() && std::this_thread::get_id() == thread_; }

    /// Carries nothing any more. It stays the present one for what handlers and coroutines hold that only
    /// their context destroys: `asio::awaitable` has its frame destroyed by a post.
    void end() noexcept
    {
        set_over();
        abandon_waits();
    }

    void end_for_good() noexcept
    {
        drain();
        withdraw();
    }

private:
    void post_pump() override
    {
        asio::post(get_executor(), [self = std::static_pointer_cast<thread_loop>(shared_from_this())] {
            if (!self->is_over())
                self->pump_here();
        });
    }

    void pump_here()
    {
        if (std::this_thread::get_id() != thread_) {
            forget_posted();
            throw std::logic_error(
                "a costar::rpc::event_loop belongs to the thread that made it, and another one runs "
                "its executor: give it an io_context that this thread alone runs, or use actors");
        }
        run_posted();
    }

    std::thread::id thread_ = std::this_thread::get_id();
};

/// Holds the loops of an execution context until all its handlers have been destroyed: a service is shut down
/// with the others, and destroyed behind them.
///
/// A context that is run again under another event loop of the same thread has coroutines that hold what
/// belongs to the one before: so that one begins again.
class event_loop::thread_loop::keeper final : public asio::execution_context::service {
public:
    static inline asio::execution_context::id id;

    explicit keeper(asio::execution_context& context) : service(context) {}
    ~keeper()
    {
        for (; !kept_.empty(); kept_.pop_back())  // the one that was entered last is the present one
            kept_.back()->end_for_good();
    }

    std::shared_ptr<thread_loop> loop_on(asio::any_io_executor executor)
    {
        for (auto& each : kept_)
            if (each->may_begin_again()) {
                each->begin_again(std::move(executor));
                return each;
            }
        return kept_.emplace_back(std::make_shared<thread_loop>(std::move(executor)));
    }

private:
    void shutdown() override
    {
        for (auto& each : kept_) {
            each->enter();
            each->end();  // where the context ends first
        }
    }

    std::vector<std::shared_ptr<thread_loop>> kept_;
};

event_loop::event_loop(asio::any_io_executor executor)
{
    if (machine::kj_loop* const left = machine::kj_loop::lingering())
        left->withdraw();
    if (machine::present_loop != nullptr)
        throw std::logic_error("this thread has an event loop for Cap'n Proto already");
    auto& context = asio::query(executor, asio::execution::context);
    loop_ = asio::use_service<thread_loop::keeper>(context).loop_on(std::move(executor));
    loop_->enter();
}

event_loop::~event_loop()
{
    loop_->end();
}

}  // namespace costar::rpc
