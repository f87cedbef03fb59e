// SPDX-License-Identifier: MIT

#include <costar/kernel/ask.hpp>

#include <costar/core/log.hpp>

#include <fmt/chrono.h>

#include <chrono>
#include <stdexcept>

namespace costar::machine {

void refuse_empty_request()
{
    throw std::logic_error("the request is empty: it was moved from, or awaited before");
}

void throw_ask_failure(cell& self, const reply_waiter& waiting, errc reason, pid to,
    std::chrono::nanoseconds timeout, const promise_base& asker)
{
    if (reason == errc::request_circle)
        throw error(reason, station::of(self).take_circle(waiting));
    const auto limit = std::chrono::duration<double, std::milli>(timeout);
    const std::string within = reason == errc::timed_out ? fmt::format(" within {} ms", limit.count()) : "";
    throw error(reason,
        fmt::format("{} asked {}{}, at {}", station::of(self).name_of(self),
            station::of(self).shared().names.told(to), within, async_stack(asker)));
}

const hook_actions token_awaiter::actions{.cancel =
                                              [](cancel_hook& hook) noexcept {
                                                  auto& self = static_cast<token_awaiter&>(hook);
                                                  station& post = station::of(self.self_);
                                                  post.forget(self.token_);
                                                  self.withdraw(post, self.token_);
                                                  self.end(errc::cancelled);
                                              },
    .describe = [](const cancel_hook& hook) { return static_cast<const token_awaiter&>(hook).subject(); },
    .request =
        [](const cancel_hook& hook) noexcept {
            const auto& self = static_cast<const token_awaiter&>(hook);
            return awaited_request{self.token_, self.target_.place(), self.target_.key(), self.kind()};
        }};

token_awaiter::~token_awaiter()
{
    if (token_ != 0)  // destroyed while it waits
        station::of(self_).forget(token_);
}

bool token_awaiter::begin(scope& within)
{
    if (within.is_cancelled()) {
        failure_ = errc::cancelled;
        return self_.home().must_yield(*this, *waiter);
    }
    station& post = station::of(self_);
    token_ = post.expect(*this);
    within.attach(*this);
    try {
        ask(post, token_);
    } catch (...) {  // the actor's middleware; nothing was asked
        if (token_ == 0)
            return true;  // it has stopped the actor too, and so the wait has ended
        post.forget(std::exchange(token_, 0));
        detach();
        throw;
    }
    return true;
}

void token_awaiter::take(reply_waiter& base, const message_type*, void* value, errc failure) noexcept
{
    auto& self = static_cast<token_awaiter&>(base);
    if (failure == errc{})
        self.keep(value);
    self.end(failure);
}

void token_awaiter::end(errc reason) noexcept
{
    token_ = 0;
    failure_ = reason;
    detach();
    self_.home().make_ready(*this);
}

void token_awaiter::withdraw(station&, std::uint64_t) noexcept {}

void token_awaiter::keep(void*) noexcept {}

void token_awaiter::check() const
{
    if (failure_ == errc::request_circle)
        throw error(failure_, station::of(self_).take_circle(*this));
    if (failure_ != errc{})
        throw error(failure_, subject());
}

bool stop_awaiter::is_own() const noexcept
{
    return target_ == station::of(self_).pid_of(self_);
}

void stop_awaiter::ask(station& post, std::uint64_t token)
{
    if (is_stop_ && target_.node() != post.shared().node)
        post.stop(target_, token);  // once more: that it is not permitted is said to who waits
    else
        post.await_end(target_, token, post.pid_of(self_));
}

void stop_awaiter::withdraw(station& post, std::uint64_t token) noexcept
{
    post.forget_end(target_, token);
}

std::string stop_awaiter::subject() const
{
    return "the end of " + station::of(self_).shared().names.told(target_);
}

void mailbox_awaiter::ask(station& post, std::uint64_t token)
{
    post.look_at_mailbox(target_, token);
}

void mailbox_awaiter::keep(void* value) noexcept
{
    seen_ = *static_cast<const mailbox_state*>(value);
}

std::string mailbox_awaiter::subject() const
{
    return "a look at the mailbox of " + station::of(self_).shared().names.told(target_);
}

}  // namespace costar::machine
