// SPDX-License-Identifier: MIT

#include <costar/actor/send_async.hpp>

#include <costar/core/error.hpp>

namespace costar {

const hook_actions send_awaiter::actions{
    .cancel =
        [](cancel_hook& hook) noexcept {
            auto& self = static_cast<send_awaiter&>(hook);
            station& post = station::of(self.self_);
            post.forget(self.token_);
            post.withdraw(self.to_, self.token_);
            self.end(errc::cancelled);
        },
    .describe =
        [](const cancel_hook& hook) {
            return "room in the mailbox of " + static_cast<const send_awaiter&>(hook).to_.to_string();
        },
};

send_awaiter::~send_awaiter()
{
    if (sent_ != nullptr)
        sent_->discard();
    if (token_ != 0) {  // destroyed while it waits
        station::of(self_).forget(token_);
    }
}

bool send_awaiter::await_ready()
{
    station& post = station::of(self_);
    cell* receiver = post.find(to_);
    if (receiver == nullptr || receiver->has_extras || self_.has_extras || self_.is_cancelled())
        return false;
    sent_->sender = post.pid_of(self_);
    post.deliver(*receiver, std::exchange(sent_, nullptr));
    return self_.home().spend();  // else others get a turn first
}

bool send_awaiter::begin(scope& within)
{
    if (sent_ == nullptr) {  // it was delivered, and others get a turn
        self_.home().make_ready(*this);
        return true;
    }
    if (within.is_cancelled()) {
        failure_ = errc::cancelled;
        return false;
    }
    station& post = station::of(self_);
    token_ = post.expect(*this);
    within.attach(*this);
    sent_->sender = post.pid_of(self_);
    try {
        to_ = post.send_specially(self_, to_, std::exchange(sent_, nullptr), nullptr, token_);
    } catch (...) {  // the actor's middleware; nothing was sent
        if (token_ == 0)
            return true;  // it has stopped the actor too, and so the wait has ended
        post.forget(std::exchange(token_, 0));
        detach();
        throw;
    }
    return true;
}

void send_awaiter::await_resume() const
{
    if (failure_ != errc{})
        throw error(failure_, "send to " + to_.to_string());
}

void send_awaiter::take(reply_waiter& base, const message_type*, void*, errc failure) noexcept
{
    static_cast<send_awaiter&>(base).end(failure);
}

void send_awaiter::end(errc reason) noexcept
{
    token_ = 0;
    failure_ = reason;
    detach();
    self_.home().make_ready(*this);
}

}  // namespace costar
