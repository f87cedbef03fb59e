// SPDX-License-Identifier: MIT

#include <costar/actor/offload.hpp>

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <cassert>
#include <cstdint>

namespace costar {

class offload_pool::helpers : public asio::thread_pool {
public:
    using asio::thread_pool::thread_pool;
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
    if (!by_hand_ && helping_ < threads_) {
        if (helpers_ == nullptr)
            helpers_ = std::make_unique<helpers>(threads_);
        asio::post(*helpers_, [this] { help(); });
        ++helping_;
    }
    ++count_;
    work.waiting_ = true;
    if (by_hand_) {
        work.come_home();
        return;
    }
    work.previous_ = last_;
    (last_ == nullptr ? first_ : last_->next_) = &work;
    last_ = &work;
}

/// Runs functions on a helper thread until none waits.
void offload_pool::help() noexcept
{
    for (std::unique_lock lock(mutex_);;) {
        offload_work* work = first_;
        if (work == nullptr) {
            --helping_;
            return;
        }
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
    // Nobody makes helpers any more.
    lock.unlock();
    if (helpers_ == nullptr)
        return;
    assert(!helpers_->get_executor().running_in_this_thread() &&
        "an engine is not destroyed by a function that was offloaded to it");
    helpers_->join();
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
    .describe = [](const cancel_hook&) { return std::string("an offloaded function"); }};

bool offload_work::begin(promise_base& caller) noexcept
{
    scope& within = caller.scope();
    if (within.is_cancelled()) {
        give_up();
        return false;
    }
    waiter = &caller;
    home_ = &within.home();
    try {
        work_.emplace(home_->get_executor().require(asio::execution::outstanding_work.tracked));
        pool_.begin(*this);
    } catch (...) {
        failure_ = std::current_exception();
        return false;
    }
    within.attach(*this);
    return true;
}

void offload_work::call() noexcept
{
    try {
        call_(*this);
    } catch (...) {
        failure_ = std::current_exception();
    }
}

void offload_work::give_up() noexcept
{
    failure_ = std::make_exception_ptr(error(errc::cancelled));
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

}  // namespace costar
