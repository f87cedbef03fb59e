// SPDX-License-Identifier: MIT

#include <costar/actor/future.hpp>

#include <fmt/format.h>

#include <cassert>

namespace costar::machine {

void future_waiter::leave() noexcept
{
    if (place_ == nullptr)
        return;
    *place_ = next_;
    if (next_ != nullptr)
        next_->place_ = place_;
    place_ = nullptr;
}

future_state::future_state(cell& self, pid to) noexcept
    : reply_waiter(take),
      stray([](stray& lone) noexcept { delete &static_cast<future_state&>(lone); }),
      post_(station::of(self)),
      owner_(post_.pid_of(self)),
      asked_(to)
{
    timer_node::fire = [](timer_node* timer) { static_cast<future_state*>(timer)->give_up(errc::timed_out); };
}

future_state::~future_state()
{
    if (token_ != 0) {
        post_.forget(token_);
        home().disarm(*this);
    }
}

void future_state::begin(
    cell& self, held_envelope sent, std::unique_ptr<headers> with, std::chrono::nanoseconds timeout)
{
    request_ = sent->type;
    scope* within = home().running();
    if (within != nullptr && &within->root() != &static_cast<root_scope&>(self))
        within = nullptr;  // a handler of the strand acts for the actor
    if (within != nullptr ? within->is_cancelled() : self.is_cancelled()) {
        end(errc::cancelled);
        return;
    }
    std::uint64_t due = 0;
    if (timeout != std::chrono::nanoseconds::max()) {
        due = deadline_after(home().time_for(timeout), timeout);
        if (within != nullptr)
            due = no_later_than_asked(self, *within, due);
    }
    token_ = post_.expect(*this);
    if (due != 0)
        home().arm(*this, due);
    sent->sender = owner_;
    sent->reply = token_;
    sent->deadline = due;
    if (self.has_extras || with != nullptr) [[unlikely]]
        post_.send_specially(self, asked_, sent.release(), std::move(with));
    else
        post_.send(asked_, sent.release());
}

std::string future_state::told() const
{
    return post_.shared().names.told(asked_);
}

void future_state::throw_failure() const
{
    if (circle_ != nullptr)
        throw error(failure_, *circle_);
    const cell* asker = post_.find(owner_);
    throw error(failure_,
        fmt::format("{} asked {}", asker != nullptr ? post_.name_of(*asker) : owner_.to_string(), told()));
}

void future_state::attach(future_waiter& added) noexcept
{
    assert(strand_context::current() == &home() && "a future is used on the strand where it was asked for");
    added.next_ = waiters_;
    added.place_ = &waiters_;
    if (waiters_ != nullptr)
        waiters_->place_ = &added.next_;
    waiters_ = &added;
}

void future_state::cancel() noexcept
{
    if (!ended_)
        give_up(errc::cancelled);
}

void future_state::pipe_to(std::initializer_list<pid> receivers, bool last)
{
    if (!ended_) {
        receivers_.insert(receivers_.end(), receivers);
        return;
    }
    for (const pid& receiver : receivers)
        tell(receiver, last && &receiver == receivers.end() - 1);
}

void future_state::drop() noexcept
{
    assert(
        strand_context::current() == &home() && "a future is dropped on the strand where it was asked for");
    while (future_waiter* waiter = waiters_) {
        waiter->leave();
        waiter->notify_(*waiter, true);
    }
    if (ended_ || receivers_.empty()) {
        delete this;
        return;
    }
    dropped_ = true;
    home().keep(*this);
}

void future_state::take(reply_waiter& base, const message_type* type, void* value, errc failure) noexcept
{
    auto& self = static_cast<future_state&>(base);
    self.token_ = 0;
    self.home().disarm(self);
    if (failure == errc::request_circle)
        self.circle_ = std::make_unique<const std::string>(self.post_.take_circle(self));
    self.end(failure != errc{} ? failure : self.keep(type, value));
}

void future_state::give_up(errc reason) noexcept
{
    post_.forget(token_);
    post_.withdraw(asked_, std::exchange(token_, 0));  // it may wait for room in a mailbox
    home().disarm(*this);
    end(reason);
}

void future_state::end(errc failure) noexcept
{
    ended_ = true;
    failure_ = failure;
    for (const pid& receiver : receivers_)
        tell(receiver, dropped_ && &receiver == &receivers_.back());
    if (dropped_) {
        delete this;
        return;
    }
    for (future_waiter* waiter = waiters_; waiter != nullptr;) {
        future_waiter* told = std::exchange(waiter, waiter->next_);
        told->notify_(*told, false);
    }
}

void future_state::tell(pid receiver, bool last) noexcept
{
    errc failure = failure_;
    try {
        if (failure == errc{}) {
            send_value(receiver, last);
            return;
        }
    } catch (...) {
        failure = errc::wrong_reply;  // the value cannot be copied
    }
    post_.send(receiver, failed_ask{failure, asked_, request_}, owner_);
}

const hook_actions future_wait::actions{.cancel =
                                            [](cancel_hook& hook) noexcept {
                                                auto& self = static_cast<future_wait&>(hook);
                                                self.cancelled_ = true;
                                                self.leave();
                                                self.wake();
                                            },
    .describe =
        [](const cancel_hook& hook) {
            return "a reply from " + static_cast<const future_wait&>(hook).subject_->told();
        },
    .request =
        [](const cancel_hook& hook) noexcept {
            return static_cast<const future_wait&>(hook).subject_->request();
        }};

bool future_wait::begin(scope& within) noexcept
{
    home_ = &within.home();
    if (is_over()) {  // others get a turn first; it may be dropped meanwhile
        if (subject_ != nullptr)
            subject_->attach(*this);
        home_->make_ready_again(*this);
        return true;
    }
    cancelled_ = within.is_cancelled();
    if (cancelled_)
        return home_->must_yield(*this, *waiter);
    within.attach(*this);
    subject_->attach(*this);
    return true;
}

void future_wait::notify(future_waiter& base, bool dropped) noexcept
{
    auto& self = static_cast<future_wait&>(base);
    if (dropped)
        self.subject_ = nullptr;
    if (self.is_attached())
        self.wake();
}

void future_wait::wake() noexcept
{
    detach();
    home_->make_ready(*this);
}

void future_wait::await_resume() const
{
    if (cancelled_)
        throw error(errc::cancelled);
}

future_state& future_wait::ended() const
{
    if (cancelled_ || subject_ == nullptr)
        throw error(errc::cancelled);
    if (subject_->failure() != errc{})
        subject_->throw_failure();
    return *subject_;
}

}  // namespace costar::machine
