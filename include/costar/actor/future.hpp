// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/context.hpp>
#include <costar/kernel/ask.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar::machine {

/// Tells those to whom a future was piped that its request came to nothing.
struct failed_ask {
    errc reason;
    pid who;                      ///< who was asked
    const message_type* request;  ///< with what

    std::string request_name() const { return request->name(); }
};

/// Whoever waits for the end of a future; linked to it, so that waiting allocates nothing.
class future_waiter {
public:
    /// Called when the future ends, and when it is dropped, after which it is not there any more.
    using function = void (*)(future_waiter& self, bool dropped) noexcept;

    explicit future_waiter(function notify) noexcept : notify_(notify) {}
    future_waiter(const future_waiter&) = delete;
    future_waiter& operator=(const future_waiter&) = delete;
    ~future_waiter() { leave(); }

    /// Waits no more; harmless when it does not wait.
    void leave() noexcept;

private:
    friend class future_state;

    function notify_;
    future_waiter* next_ = nullptr;
    future_waiter** place_ = nullptr;  // the pointer that points here
};

/// What lies behind a future: the request, what has become of it, and who is told.
///
/// It belongs to its future. One that was piped somewhere lives on without it until the request ends.
class future_state : private reply_waiter, private timer_node, private stray {
public:
    future_state(const future_state&) = delete;
    future_state& operator=(const future_state&) = delete;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    /// Sends the request, which ends as one of `context::ask` would; without a deadline when `timeout` is the
    /// longest there is.
    void begin(
        cell& self, held_envelope sent, std::unique_ptr<headers> with, std::chrono::nanoseconds timeout);

    bool ready() const noexcept { return ended_; }

    /// Why there is no value; nothing while there may be one yet.
    errc failure() const noexcept { return failure_; }
    [[noreturn]] void throw_failure() const;

    pid asked() const noexcept { return asked_; }

    /// Who that is, for errors and dumps.
    std::string told() const;
    awaited_request request() const noexcept
    {
        return {token_, asked_.place(), asked_.key(), awaited_kind::answer};
    }
    strand_context& home() const noexcept { return post_.home(); }

    void attach(future_waiter& added) noexcept;
    void cancel() noexcept;

    /// Tells `receivers` when there is something to tell. With `last` nobody else is going to look at the
    /// value.
    void pipe_to(std::initializer_list<pid> receivers, bool last);

    /// The future is gone.
    void drop() noexcept;

protected:
    future_state(cell& self, pid to) noexcept;
    virtual ~future_state();

    /// Keeps the answer; gives why that is not possible.
    virtual errc keep(const message_type* type, void* value) noexcept = 0;

    /// Sends the value to an actor; the last one gets the value itself.
    virtual void send_value(pid receiver, bool last) = 0;

    station& post_;
    pid owner_;

private:
    static void take(reply_waiter& base, const message_type* type, void* value, errc failure) noexcept;
    void give_up(errc reason) noexcept;
    void end(errc failure) noexcept;
    void tell(pid receiver, bool last) noexcept;

    pid asked_;
    const message_type* request_ = nullptr;
    std::uint64_t token_ = 0;
    future_waiter* waiters_ = nullptr;
    std::vector<pid, pool_allocator<pid>> receivers_;
    std::unique_ptr<const std::string> circle_;  // that it would have closed
    errc failure_{};
    bool ended_ = false;
    bool dropped_ = false;
};

/// The same with its value.
template <class Reply>
class future_value final : public future_state {
public:
    future_value(cell& self, pid to) noexcept : future_state(self, to) {}

    std::optional<stored_reply<Reply>> value;

private:
    errc keep(const message_type* type, void* answer) noexcept override
    {
        return keep_reply<Reply>(value, type, answer, errc{});
    }

    void send_value(pid receiver, bool last) override
    {
        if constexpr (std::is_copy_constructible_v<stored_reply<Reply>>)
            if (!last)
                return post_.send(receiver, stored_reply<Reply>(*value), owner_);
        post_.send(receiver, std::move(*value), owner_);
    }
};

/// Waits until a future has ended.
class future_wait : private run_node, private cancel_hook, private future_waiter {
public:
    explicit future_wait(future_state* subject) noexcept
        : cancel_hook(actions), future_waiter(notify), subject_(subject)
    {}

    bool await_ready() const noexcept { return is_over() && strand_context::current()->spend(); }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        waiter = &caller.promise();
        return begin(caller.promise().scope());
    }

    /// Throws when the wait was cancelled; what became of the request is for others to look at.
    void await_resume() const;

protected:
    using future_waiter::leave;

    /// The future with its value; throws when there is none.
    future_state& ended() const;

private:
    static const hook_actions actions;
    static void notify(future_waiter& base, bool dropped) noexcept;

    bool is_over() const noexcept { return subject_ == nullptr || subject_->ready(); }
    bool begin(scope& within) noexcept;
    void wake() noexcept;

    future_state* subject_;
    strand_context* home_ = nullptr;
    bool cancelled_ = false;
};

/// A wait for a future that has not begun.
class [[nodiscard]] future_end {
public:
    static constexpr bool is_repeatable = true;

    explicit future_end(future_state* subject) noexcept : subject_(subject) {}
    future_wait operator co_await() const noexcept { return future_wait(subject_); }

private:
    future_state* subject_;
};

}  // namespace costar::machine

namespace costar {

/// An answer that is under way, or there: `auto price = self.ask_future(shop, get_price{})`.
///
/// `co_await price` gives a reference to the value, as often as one likes, from several coroutines too;
/// `co_await std::move(price)` moves the value out and uses the future up. Both throw `costar::error` as
/// awaiting `context::ask` does, and do not suspend when the answer is there. A future that is dropped
/// forgets its request: an answer that still comes is counted as late. An empty one, moved from or made of
/// nothing, is ready and `cancelled`.
///
/// From a thread, ask the engine for a standard one: `engine.ask(shop, get_price{}, asio::use_future).get()`.
///
/// Thread safety: used, moved and dropped on the strand of the actor that asked. Any actor there may await
/// it.
/// Lifetime: it may outlive its actor. References to the value live as long as the future. Coroutines that
/// still wait when it is dropped end with `cancelled`.
/// Circles: a future that is awaited is a link of a circle of questions, see `errc::request_circle`. One that
/// closes a circle is not always found to, since it was sent before it is awaited; it ends at its deadline.
/// Cancellation: a wait that is cancelled leaves the request as it is; `co_await std::move(f)` has taken it
/// along and forgets it.
/// Cost: one block of the strand's pool beside what `context::ask` costs.
template <class Reply>
class [[nodiscard]] future {
public:
    using value_type = Reply;

    /// Only its own strand may have it, see `is_strand_bound`.
    static constexpr bool belongs_to_strand = true;

    future() noexcept = default;
    explicit future(machine::future_value<Reply>* begun) noexcept : state_(begun) {}
    future(future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    future& operator=(future&& other) noexcept
    {
        future(std::move(other)).swap(*this);
        return *this;
    }
    ~future()
    {
        if (state_ != nullptr)
            state_->drop();
    }

    void swap(future& other) noexcept { std::swap(state_, other.state_); }

    /// False for an empty one.
    explicit operator bool() const noexcept { return state_ != nullptr; }

    /// The strand that it belongs to, null when it is empty.
    const machine::strand_context* bound_to() const noexcept
    {
        return state_ != nullptr ? &state_->home() : nullptr;
    }

    /// Is the value there, or the error?
    bool ready() const noexcept { return state_ == nullptr || state_->ready(); }

    /// Waits until `ready()`, and throws only when the wait itself is cancelled: for
    /// `when_any(price.wait(), self.receive())`, which leaves the future where it is.
    machine::future_end wait() const noexcept { return machine::future_end(state_); }

    /// Forgets the request: the future ends with `errc::cancelled`. Nothing happens when it has ended.
    void cancel() noexcept
    {
        if (state_ != nullptr)
            state_->cancel();
    }

    /// Sends the value as a message to each of these actors when it is there, now if it is there already; an
    /// error as `failed_ask`. The sender is the actor that asked.
    ///
    /// A void reply comes as `std::monostate`. What is piped is sent even if the future is dropped and the
    /// actor ends before. `std::move(f).pipe_to(pid)` copies nothing.
    template <std::convertible_to<pid>... Receivers>
        requires(sizeof...(Receivers) > 0)
    void pipe_to(const Receivers&... receivers) &
    {
        static_assert(std::is_copy_constructible_v<stored_reply<Reply>>,
            "the value cannot be copied; give it away: std::move(f).pipe_to(pid)");
        if (state_ != nullptr)
            state_->pipe_to({static_cast<pid>(receivers)...}, false);
    }
    template <std::convertible_to<pid>... Receivers>
        requires(sizeof...(Receivers) > 0)
    void pipe_to(const Receivers&... receivers) &&
    {
        static_assert(sizeof...(Receivers) == 1 || std::is_copy_constructible_v<stored_reply<Reply>>,
            "the value cannot be copied for several actors");
        const future used_up(std::move(*this));
        if (used_up.state_ != nullptr)
            used_up.state_->pipe_to({static_cast<pid>(receivers)...}, true);
    }

    class reference_awaiter;
    class value_awaiter;
    reference_awaiter operator co_await() const& noexcept { return reference_awaiter(state_); }
    value_awaiter operator co_await() && noexcept { return value_awaiter(std::move(*this)); }

    /// What lies behind it, for those that wait for several.
    machine::future_value<Reply>* state() const noexcept { return state_; }

private:
    machine::future_value<Reply>* state_ = nullptr;
};

/// Waits for a future and gives a reference to its value.
template <class Reply>
class future<Reply>::reference_awaiter : public machine::future_wait {
public:
    using machine::future_wait::future_wait;

    std::conditional_t<std::is_void_v<Reply>, void, const stored_reply<Reply>&> await_resume() const
    {
        [[maybe_unused]] const machine::future_state& state = ended();
        if constexpr (!std::is_void_v<Reply>)
            return *static_cast<const machine::future_value<Reply>&>(state).value;
    }
};

/// Waits for a future and moves its value out.
template <class Reply>
class future<Reply>::value_awaiter : public machine::future_wait {
public:
    explicit value_awaiter(future subject) noexcept
        : machine::future_wait(subject.state()), subject_(std::move(subject))
    {}
    ~value_awaiter() { leave(); }  // before the future that it waits for

    Reply await_resume()
    {
        [[maybe_unused]] machine::future_state& state = ended();
        if constexpr (!std::is_void_v<Reply>)
            return std::move(*static_cast<machine::future_value<Reply>&>(state).value);
    }

private:
    future subject_;
};

template <class Destination, class Message>
    requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
auto context::ask_future(const Destination& to, Message&& message, std::chrono::nanoseconds timeout)
{
    return ask_future(to, std::forward<Message>(message), costar::headers(), timeout);
}

template <class Destination, class Message>
    requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
auto context::ask_future(
    const Destination& to, Message&& message, costar::headers with, std::chrono::nanoseconds timeout)
{
    using reply = typename std::remove_cvref_t<Message>::reply;
    post().shared().check_way(to, message);
    machine::held_envelope sent(machine::envelope::make(std::forward<Message>(message)));
    auto* state = new machine::future_value<reply>(*this, to);
    future<reply> made(state);
    state->begin(*this, std::move(sent),
        with.empty() ? nullptr : std::make_unique<costar::headers>(std::move(with)), or_default(timeout));
    return made;
}

}  // namespace costar
