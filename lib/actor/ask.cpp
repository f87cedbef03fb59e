// SPDX-License-Identifier: MIT

#include <costar/actor/ask.hpp>

#include <costar/core/log.hpp>

#include <fmt/chrono.h>

#include <chrono>

namespace costar {

void throw_ask_failure(cell& self, const reply_waiter& waiting, errc reason, pid to,
    std::chrono::nanoseconds timeout, const promise_base* asker)
{
    if (reason == errc::request_circle)
        throw error(reason, station::of(self).take_circle(waiting));
    const auto limit = std::chrono::duration<double, std::milli>(timeout);
    const std::string within = reason == errc::timed_out ? fmt::format(" within {} ms", limit.count()) : "";
    throw error(reason,
        fmt::format("{} asked {}{}, at {}", station::of(self).name_of(self), to, within,
            asker != nullptr ? async_stack(*asker) : std::string("?")));
}

const hook_actions stop_awaiter::actions{.cancel =
                                             [](cancel_hook& hook) noexcept {
                                                 auto& self = static_cast<stop_awaiter&>(hook);
                                                 self.cancelled_ = true;
                                                 station& post = station::of(self.self_);
                                                 post.forget(self.token_);
                                                 post.forget_end(self.target_, self.token_);
                                                 self.end();
                                             },
    .describe =
        [](const cancel_hook& hook) {
            return "the end of " + static_cast<const stop_awaiter&>(hook).target_.to_string();
        }};

stop_awaiter::~stop_awaiter()
{
    if (token_ != 0)
        station::of(self_).forget(token_);
}

bool stop_awaiter::begin(scope& within)
{
    station& post = station::of(self_);
    if (target_ == post.pid_of(self_))
        return false;  // nobody can wait for their own end
    cancelled_ = within.is_cancelled();
    if (cancelled_)
        return false;
    token_ = post.expect(*this);
    within.attach(*this);
    post.await_end(target_, token_);
    return true;
}

void stop_awaiter::await_resume() const
{
    if (cancelled_)
        throw error(errc::cancelled);
}

void stop_awaiter::take(reply_waiter& base, const message_type*, void*, errc) noexcept
{
    static_cast<stop_awaiter&>(base).end();
}

void stop_awaiter::end() noexcept
{
    token_ = 0;
    detach();
    self_.home().make_ready(*this);
}

const hook_actions mailbox_awaiter::actions{.cancel =
                                                [](cancel_hook& hook) noexcept {
                                                    auto& self = static_cast<mailbox_awaiter&>(hook);
                                                    station::of(self.self_).forget(self.token_);
                                                    self.end(errc::cancelled);
                                                },
    .describe =
        [](const cancel_hook& hook) {
            return "a look at the mailbox of " +
                static_cast<const mailbox_awaiter&>(hook).target_.to_string();
        }};

mailbox_awaiter::~mailbox_awaiter()
{
    if (token_ != 0)
        station::of(self_).forget(token_);
}

bool mailbox_awaiter::begin(scope& within)
{
    if (within.is_cancelled()) {
        failure_ = errc::cancelled;
        return false;
    }
    station& post = station::of(self_);
    token_ = post.expect(*this);
    within.attach(*this);
    post.look_at_mailbox(target_, token_);
    return true;
}

mailbox_state mailbox_awaiter::await_resume() const
{
    if (failure_ != errc{})
        throw error(failure_, "mailbox of " + target_.to_string());
    return seen_;
}

void mailbox_awaiter::take(reply_waiter& base, const message_type*, void* value, errc failure) noexcept
{
    auto& self = static_cast<mailbox_awaiter&>(base);
    if (failure == errc{})
        self.seen_ = *static_cast<const mailbox_state*>(value);
    self.end(failure);
}

void mailbox_awaiter::end(errc reason) noexcept
{
    token_ = 0;
    failure_ = reason;
    detach();
    self_.home().make_ready(*this);
}

}  // namespace costar
