// SPDX-License-Identifier: MIT

#include <costar/actor/offload.hpp>

#include <boost/asio/execution/outstanding_work.hpp>

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace costar::machine {

/// The threads, which are started one by one as they are needed: one that cannot be started leaves the work
/// to those that there are.
struct offload_pool::helpers {
    std::vector<std::thread> threads;
    std::condition_variable work_came;
    std::size_t idle = 0;  // threads that wait for work, or were woken and have not come to it
};

offload_pool::offload_pool(std::size_t threads, std::size_t queue, bool by_hand)
    : threads_(std::max<std::size_t>(threads, 1)),
      limit_(queue > SIZE_MAX - threads_ ? SIZE_MAX : threads_ + queue),
      by_hand_(by_hand)
{}

offload_pool::~offload_pool()
{
    close();
}

void offload_pool::begin(offload_work& work)
{
    const std::lock_guard lock(mutex_);
    if (closed_)
        throw error(errc::engine_stopped);
    if (count_ >= limit_)
        throw error(errc::offload_full);
    if (!by_hand_)
        see_to_help();
    ++count_;
    work.waiting_ = true;
    if (by_hand_) {
        work.come_home();
        return;
    }
    work.previous_ = last_;
    (last_ == nullptr ? first_ : last_->next_) = &work;
    last_ = &work;
    ++queued_;
    helpers_->work_came.notify_one();
}

/// Starts one more thread if all are busy. Throws when it cannot be started and there is no other one.
void offload_pool::see_to_help()
{
    if (helpers_ == nullptr)
        helpers_ = std::make_unique<helpers>();
    std::vector<std::thread>& threads = helpers_->threads;
    if (queued_ < helpers_->idle || threads.size() == threads_)
        return;
    try {
        threads.reserve(threads.size() + 1);
        threads.emplace_back([this] { help(); });
    } catch (const std::exception&) {  // neither the thread nor memory for it
        if (threads.empty())
            throw;
    }
}

/// Runs functions on a helper thread until the pool is closed.
void offload_pool::help() noexcept
{
    for (std::unique_lock lock(mutex_);;) {
        ++helpers_->idle;
        helpers_->work_came.wait(lock, [this] { return first_ != nullptr || closed_; });
        --helpers_->idle;
        offload_work* work = first_;
        if (work == nullptr)
            return;
        unlink(*work);
        lock.unlock();
        work->call();
        lock.lock();
        --count_;
        lock.unlock();
        work->come_home();  // from here on it may be gone
        lock.lock();
    }
}

/// Has the strand itself run what waits. False when it was given up.
bool offload_pool::take(offload_work& work) noexcept
{
    const std::lock_guard lock(mutex_);
    if (!work.waiting_)
        return false;
    work.waiting_ = false;
    --count_;
    return true;
}

void offload_pool::unlink(offload_work& work) noexcept
{
    work.waiting_ = false;
    if (by_hand_)
        return;
    (work.previous_ == nullptr ? first_ : work.previous_->next_) = work.next_;
    (work.next_ == nullptr ? last_ : work.next_->previous_) = work.previous_;
    work.next_ = work.previous_ = nullptr;
    --queued_;
}

void offload_pool::withdraw(offload_work& work) noexcept
{
    {
        const std::lock_guard lock(mutex_);
        if (!work.waiting_)
            return;
        unlink(work);
        --count_;
    }
    work.waiter->scope().cut_short();
    work.give_up();
    if (!by_hand_)  // else it is on its way home already
        work.arrive();
}

void offload_pool::close() noexcept
{
    std::unique_lock lock(mutex_);
    closed_ = true;
    while (offload_work* work = first_) {
        unlink(*work);
        --count_;
        work->give_up();
        work->come_home();
    }
    if (helpers_ == nullptr)
        return;
    helpers_->work_came.notify_all();
    lock.unlock();  // nobody starts a thread any more
    for (std::thread& each : helpers_->threads) {
        assert(each.get_id() != std::this_thread::get_id() &&
            "an engine is not destroyed by a function that was offloaded to it");
        each.join();
    }
    helpers_.reset();
}

offload_work::offload_work(offload_pool& pool, function call) noexcept
    : cancel_hook(actions), job{nullptr, &run_job}, pool_(pool), call_(call)
{}

const hook_actions offload_work::actions{.cancel =
                                             [](cancel_hook& hook) noexcept {
                                                 auto& self = static_cast<offload_work&>(hook);
                                                 self.pool_.withdraw(self);
                                             },
    .describe = [](const cancel_hook&) { return std::string("an offloaded function"); },
    .is_certain = false};

bool offload_work::begin(promise_base& caller) noexcept
{
    scope& within = caller.scope();
    if (within.is_cancelled()) {
        give_up();
        return within.home().must_yield(*this, caller);
    }
    waiter = &caller;
    home_ = &within.home();
    try {
        work_.emplace(home_->get_executor().require(asio::execution::outstanding_work.tracked));
        pool_.begin(*this);
    } catch (...) {
        failure_ = caught_exception();
        return home_->must_yield(*this, caller);
    }
    within.attach(*this);
    return true;
}

void offload_work::call() noexcept
{
    try {
        call_(*this);
    } catch (...) {
        failure_ = caught_exception();
    }
}

void offload_work::give_up() noexcept
{
    try {
        failure_ = std::make_exception_ptr(error(errc::cancelled));
    } catch (const std::bad_alloc&) {
        failure_ = caught_exception();
    }
}

void offload_work::come_home() noexcept
{
    home_->post(static_cast<job&>(*this));
}

void offload_work::run_job(job* base, bool destroy_only)
{
    if (destroy_only)
        return;  // it goes with the frame that it lies in
    auto& self = static_cast<offload_work&>(*base);
    if (self.pool_.by_hand_ && self.pool_.take(self))
        self.call();
    self.arrive();
}

void offload_work::arrive() noexcept
{
    detach();
    home_->make_ready(*this);
}

}  // namespace costar::machine
