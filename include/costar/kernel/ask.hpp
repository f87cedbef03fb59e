// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/timer.hpp>
#include <costar/kernel/cell.hpp>
#include <costar/kernel/mailbox.hpp>
#include <costar/kernel/station.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// A request that has not been sent, made by `context::ask`. It is sent when awaited and does nothing when
/// dropped.
template <class Reply>
class [[nodiscard]] ask_request;

/// A request that has not been sent keeps its headers where its deadline is going to be.
inline headers* headers_of_unsent(const envelope& unsent) noexcept
{
    return reinterpret_cast<headers*>(unsent.deadline);
}
inline envelope* with_headers(envelope* unsent, headers with)
{
    unsent->deadline = reinterpret_cast<std::uint64_t>(new headers(std::move(with)));
    return unsent;
}
inline void discard_unsent(envelope* unsent) noexcept
{
    delete headers_of_unsent(*unsent);
    unsent->discard();
}

/// Throws the `std::logic_error` of a request that is awaited although it is empty, as one that was moved
/// from.
[[noreturn]] void refuse_empty_request();

/// Throws what an `ask` ends with, saying who was asked and from where.
[[noreturn]] void throw_ask_failure(cell& self, const reply_waiter& waiting, errc reason, pid to,
    std::chrono::nanoseconds timeout, const promise_base& asker);

/// Moves an answer to where it is waited for. Gives why that was not possible, nothing when it was.
template <class Reply>
errc keep_reply(
    std::optional<stored_reply<Reply>>& place, const message_type* type, void* value, errc failure) noexcept
{
    if (failure != errc{})
        return failure;
    if (type != &type_of<stored_reply<Reply>>)
        return errc::wrong_reply;
    if constexpr (std::is_nothrow_move_constructible_v<stored_reply<Reply>>) {
        place.emplace(std::move(*static_cast<stored_reply<Reply>*>(value)));
    } else {
        try {
            place.emplace(std::move(*static_cast<stored_reply<Reply>*>(value)));
        } catch (...) {
            return errc::wrong_reply;
        }
    }
    return errc{};
}

/// A deadline of what `self` asks: whoever asked it waits no longer than that, unless the asking goes on
/// beside the message at hand.
inline std::uint64_t no_later_than_asked(const cell& self, const scope& within, std::uint64_t due) noexcept
{
    const bool inherits = self.current != nullptr && self.current->deadline != 0 && !within.is_apart();
    return inherits ? std::min(due, self.current->deadline) : due;
}

/// Waits for the answer to a request.
template <class Reply>
class ask_awaiter : private run_node, private timer_node, private cancel_hook, private reply_waiter {
public:
    ask_awaiter(cell& self, pid to, envelope* sent, std::chrono::nanoseconds timeout) noexcept
        : cancel_hook(actions), reply_waiter(take), self_(self), to_(to), sent_(sent), timeout_(timeout)
    {
        timer_node::fire = [](timer_node* timer) {
            static_cast<ask_awaiter*>(timer)->give_up(errc::timed_out);
        };
    }
    ~ask_awaiter()
    {
        if (sent_ != nullptr)
            discard_unsent(sent_);
        if (token_ != 0) {  // destroyed while it waits
            home().disarm(*this);
            station::of(self_).forget(token_);
        }
    }

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        if (sent_ == nullptr) [[unlikely]]
            refuse_empty_request();
        waiter = &caller.promise();
        scope& scope = waiter->scope();
        if (scope.is_cancelled()) {
            failure_ = errc::cancelled;
            return home().must_yield(*this, *waiter);
        }
        station& post = station::of(self_);
        const std::uint64_t due =
            no_later_than_asked(self_, scope, deadline_after(home().time_for(timeout_), timeout_));
        token_ = post.expect(*this);
        scope.attach(*this);
        home().arm(*this, due);
        envelope* sent = std::exchange(sent_, nullptr);
        headers* with = headers_of_unsent(*sent);
        sent->sender = post.pid_of(self_);
        sent->reply = token_;
        sent->deadline = due;
        if (self_.has_extras || with != nullptr) [[unlikely]]
            send_specially(sent, std::unique_ptr<headers>(with));
        else
            post.send(to_, sent);
        return true;
    }

    Reply await_resume()
    {
        if (failure_ != errc{}) [[unlikely]]
            throw_ask_failure(self_, *this, failure_, to_, timeout_, *waiter);
        if constexpr (!std::is_void_v<Reply>)
            return std::move(*value_);
    }

private:
    static const hook_actions actions;

    static void take(reply_waiter& base, const message_type* type, void* value, errc failure) noexcept
    {
        auto& self = static_cast<ask_awaiter&>(base);
        self.failure_ = keep_reply<Reply>(self.value_, type, value, failure);
        self.end();
    }

    /// Past the actor's middleware, which may throw: then nothing was asked, and nothing is waited for.
    [[gnu::noinline]] void send_specially(envelope* sent, std::unique_ptr<headers> with)
    {
        try {
            station::of(self_).send_specially(self_, to_, sent, std::move(with));
        } catch (...) {
            if (token_ == 0)
                return;  // it has stopped the actor too, and so the wait has ended
            station::of(self_).forget(std::exchange(token_, 0));
            home().disarm(*this);
            detach();
            throw;
        }
    }

    void give_up(errc reason) noexcept
    {
        failure_ = reason;
        station& post = station::of(self_);
        post.forget(token_);
        post.withdraw(to_, token_);  // it may wait for room in a mailbox
        end();
    }

    void end() noexcept
    {
        token_ = 0;
        home().disarm(*this);
        detach();
        home().make_ready(*this);
    }

    strand_context& home() const noexcept { return self_.home(); }

    cell& self_;
    pid to_;
    envelope* sent_;
    std::chrono::nanoseconds timeout_;
    std::uint64_t token_ = 0;
    errc failure_{};
    std::optional<stored_reply<Reply>> value_;
};

template <class Reply>
inline const hook_actions ask_awaiter<Reply>::actions{
    .cancel = [](cancel_hook& hook) noexcept { static_cast<ask_awaiter&>(hook).give_up(errc::cancelled); },
    .describe =
        [](const cancel_hook& hook) {
            const auto& self = static_cast<const ask_awaiter&>(hook);
            return fmt::format("a reply from {}, asked at {}",
                station::of(self.self_).shared().names.told(self.to_), async_stack(*self.waiter));
        },
    .request =
        [](const cancel_hook& hook) noexcept {
            const auto& self = static_cast<const ask_awaiter&>(hook);
            return awaited_request{self.token_, self.to_.place(), self.to_.key(), awaited_kind::answer};
        }};

template <class Reply>
class [[nodiscard]] ask_request {
public:
    ask_request(cell& self, pid to, envelope* sent, std::chrono::nanoseconds timeout) noexcept
        : self_(&self), to_(to), sent_(sent), timeout_(timeout)
    {}
    ask_request(ask_request&& other) noexcept
        : self_(other.self_),
          to_(other.to_),
          sent_(std::exchange(other.sent_, nullptr)),
          timeout_(other.timeout_)
    {}
    ask_request& operator=(ask_request&& other) noexcept
    {
        std::swap(self_, other.self_);
        std::swap(to_, other.to_);
        std::swap(sent_, other.sent_);
        std::swap(timeout_, other.timeout_);
        return *this;
    }
    ~ask_request()
    {
        if (sent_ != nullptr)
            discard_unsent(sent_);
    }

    ask_awaiter<Reply> operator co_await() && noexcept
    {
        return ask_awaiter<Reply>(*self_, to_, std::exchange(sent_, nullptr), timeout_);
    }

private:
    cell* self_;
    pid to_;
    envelope* sent_;
    std::chrono::nanoseconds timeout_;
};

/// Waits for what is answered once and has no deadline: an end, room in a mailbox, a look at one.
class token_awaiter : protected run_node, private cancel_hook, private reply_waiter {
public:
    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        waiter = &caller.promise();
        return begin(caller.promise().scope());
    }

protected:
    token_awaiter(cell& self, pid target) noexcept
        : cancel_hook(actions), reply_waiter(take), self_(self), target_(target)
    {}
    token_awaiter(const token_awaiter&) = delete;
    token_awaiter& operator=(const token_awaiter&) = delete;
    ~token_awaiter();

    /// Has `token` answered. What it throws ends the wait, unless that has ended already.
    virtual void ask(station& post, std::uint64_t token) = 0;

    /// The wait was cancelled.
    virtual void withdraw(station& post, std::uint64_t token) noexcept;

    /// The answer has come.
    virtual void keep(void* value) noexcept;

    /// What is waited for, as a text.
    virtual std::string subject() const = 0;

    /// What the one who was asked has to do for it.
    virtual awaited_kind kind() const noexcept { return awaited_kind::nothing; }

    /// Throws when it came to nothing.
    void check() const;

    cell& self_;
    pid target_;

private:
    static const hook_actions actions;
    static void take(reply_waiter& base, const message_type* type, void* value, errc failure) noexcept;

    bool begin(scope& within);
    void end(errc reason) noexcept;

    std::uint64_t token_ = 0;
    errc failure_{};
};

/// Waits until an actor has ended; made by `context::wait` and `context::stop`.
class stop_awaiter final : public token_awaiter {
public:
    stop_awaiter(cell& self, pid target, bool is_stop) noexcept
        : token_awaiter(self, target), is_stop_(is_stop)
    {}

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        if (is_own()) [[unlikely]]
            return self_.home().must_yield(*this, caller.promise());
        return token_awaiter::await_suspend(caller);
    }

    void await_resume() const { check(); }

private:
    /// Nobody can wait for their own end.
    bool is_own() const noexcept;

    void ask(station& post, std::uint64_t token) override;
    void withdraw(station& post, std::uint64_t token) noexcept override;
    std::string subject() const override;
    awaited_kind kind() const noexcept override { return awaited_kind::end; }

    bool is_stop_;
};

/// A stop that has been requested already, or that others bring about; awaiting it waits for the end.
class stop_request {
public:
    static constexpr bool is_repeatable = true;

    stop_request(cell& self, pid target, bool is_stop = false) noexcept
        : self_(&self), target_(target), is_stop_(is_stop)
    {}
    stop_awaiter operator co_await() const noexcept { return stop_awaiter(*self_, target_, is_stop_); }

private:
    cell* self_;
    pid target_;
    bool is_stop_;
};

/// Waits for a look at a mailbox; made by `context::mailbox_of`.
class mailbox_awaiter final : public token_awaiter {
public:
    mailbox_awaiter(cell& self, pid target) noexcept : token_awaiter(self, target) {}

    mailbox_state await_resume() const
    {
        check();
        return seen_;
    }

private:
    void ask(station& post, std::uint64_t token) override;
    void keep(void* value) noexcept override;
    std::string subject() const override;

    mailbox_state seen_;
};

/// A look at a mailbox that has not begun.
class [[nodiscard]] mailbox_request {
public:
    mailbox_request(cell& self, pid target) noexcept : self_(&self), target_(target) {}
    mailbox_awaiter operator co_await() const noexcept { return mailbox_awaiter(*self_, target_); }

private:
    cell* self_;
    pid target_;
};

}  // namespace costar::machine
