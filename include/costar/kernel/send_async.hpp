// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/ask.hpp>
#include <costar/kernel/cell.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/headers.hpp>

#include <concepts>
#include <coroutine>
#include <memory>
#include <stdexcept>
#include <utility>

namespace costar::machine {

/// Waits until a message has found room in its receiver's mailbox; made by `context::send_async`.
class send_awaiter final : public token_awaiter {
public:
    send_awaiter(cell& self, pid to, envelope* sent) noexcept : token_awaiter(self, to), sent_(sent) {}
    ~send_awaiter()
    {
        if (sent_ != nullptr)
            sent_->discard();
    }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        scope& within = caller.promise().scope();
        if (within.is_cancelled() || !is_delivered())
            return token_awaiter::await_suspend(caller);
        return self_.home().must_yield(*this, caller.promise());
    }

    void await_resume() const { check(); }

private:
    /// A plain mailbox of this strand has room at any time.
    bool is_delivered();

    void ask(station& post, std::uint64_t token) override;
    void withdraw(station& post, std::uint64_t token) noexcept override;
    std::string subject() const override;
    awaited_kind kind() const noexcept override { return awaited_kind::room; }

    envelope* sent_;
};

/// A send that has not begun: awaited once, and does nothing when dropped.
class [[nodiscard]] send_request {
public:
    send_request(cell& self, pid to, envelope* sent) noexcept : self_(&self), to_(to), sent_(sent) {}
    send_request(send_request&& other) noexcept
        : self_(other.self_), to_(other.to_), sent_(std::exchange(other.sent_, nullptr))
    {}
    ~send_request()
    {
        if (sent_ != nullptr)
            sent_->discard();
    }

    send_awaiter operator co_await() &&
    {
        if (sent_ == nullptr) [[unlikely]]
            refuse_empty_request();
        return send_awaiter(*self_, to_, std::exchange(sent_, nullptr));
    }

private:
    cell* self_;
    pid to_;
    envelope* sent_;
};

/// Waits until the actor's children and tasks have ended; made by `context::end_children`.
class family_awaiter : private run_node, private cancel_hook {
public:
    explicit family_awaiter(cell& self) noexcept : cancel_hook(actions), self_(self) {}
    ~family_awaiter()
    {
        if (waits_)
            station::forget_family(self_);
    }

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        if (caller.promise().scope().is_apart())
            throw std::logic_error("end_children() is for the body of an actor, not for its tasks");
        waiter = &caller.promise();
        station& post = station::of(self_);
        waits_ = post.end_family(self_, *this);
        if (!waits_)
            return self_.home().must_yield(*this, caller.promise());
        caller.promise().scope().attach(*this);
        post.suspect_requests(self_);
        return true;
    }

    void await_resume() noexcept
    {
        waits_ = false;
        detach();
    }

private:
    static const hook_actions actions;

    cell& self_;
    bool waits_ = false;
};

/// An end of all children that has not begun.
class [[nodiscard]] family_end {
public:
    explicit family_end(cell& self) noexcept : self_(&self) {}
    family_awaiter operator co_await() const noexcept { return family_awaiter(*self_); }

private:
    cell* self_;
};

}  // namespace costar::machine
