// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/core/timer.hpp>
#include <costar/kernel/message.hpp>
#include <costar/kernel/station.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <utility>

namespace costar::machine {

/// Waits for the next message; made by `context::receive()`.
class receive_awaiter {
public:
    explicit receive_awaiter(cell& self) noexcept : self_(self) {}

    // Whether a branch may take a message is only known once it is known which branch asks.
    bool await_ready() const noexcept
    {
        return self_.first != nullptr && !self_.had_branches() && self_.home().spend();
    }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        promise_base& promise = caller.promise();
        if (!must_wait(promise.scope(), self_.first != nullptr)) [[unlikely]]
            return must_yield(promise);
        self_.waiter = &promise;
        self_.set_receptive(true);
        if (self_.first == nullptr)
            self_.wanted = &any_type;
        else
            run_again_for(self_.first);
        return true;
    }

    /// Ends the wait and leaves the message where it is, for an `await_resume` in the same turn or later.
    void settle() { settle_for(self_.first); }

    /// In place of the `await_resume` after a `settle`: the message is left for another receive.
    void pass_over() noexcept;

    [[gnu::always_inline]] message await_resume(bool is_selective = false)
    {
        self_.set_receptive(false);
        if (self_.is_cancelled() || self_.receive_cancelled || self_.first == nullptr) [[unlikely]]
            return take_nothing();
        envelope* taken = self_.first;
        self_.first = taken->next;
        return hand_over(taken, is_selective);
    }

    /// Says by an exception that another coroutine of the actor waits for a message.
    [[noreturn]] void refuse_second(const scope& where) const;

protected:
    [[gnu::always_inline]] message hand_over(envelope* taken, bool is_selective)
    {
        self_.count_taken(*taken);
        if (self_.receives_in_branch || self_.has_extras || taken->type == &type_of<poison_pill>) [[unlikely]]
            return hand_over_specially(taken, is_selective);
        return hold(taken);
    }

    message hold(envelope* taken) noexcept
    {
        self_.current = taken;
        taken->hold(self_);
        return message(taken);
    }

    /// Ends a receive to which no message was given: a stop, or the cancellation of its branch.
    message take_nothing();
    void end_without_message();
    message hand_over_specially(envelope* taken, bool is_selective);

    /// The actor's turn comes again, for this message, which stays in its mailbox until then.
    void run_again_for(const envelope* waiting) noexcept;
    message swallow(envelope* pill) noexcept;

    /// False when the receive ends without a wait, by a stop or with the message that is there. Throws in a
    /// branch that was cancelled.
    bool must_wait(scope& where, bool there)
    {
        if (&where == &static_cast<scope&>(self_) && !self_.is_cancelled() && !self_.had_branches())
            [[likely]]
            return true;
        return must_wait_in(where, there);
    }
    bool must_wait_in(scope& where, bool there);

    /// True when a receive that ends at once, because the actor or its branch was cancelled, lets others run
    /// first.
    bool must_yield(promise_base& caller) noexcept;

    void settle_for(const envelope* there);
    void attach_to(scope& branch);
    void detach() noexcept;

    cell& self_;
};

/// Waits for the next message of a type; made by `context::receive<T>()`.
class selective_awaiter : protected receive_awaiter {
public:
    using receive_awaiter::pass_over;

    selective_awaiter(cell& self, const message_type& wanted) noexcept
        : receive_awaiter(self), wanted_(&wanted)
    {}

    bool await_ready() const noexcept
    {
        return !self_.had_branches() && find() != nullptr && self_.home().spend();
    }

    template <std::derived_from<promise_base> Promise>
    [[gnu::always_inline]] bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        promise_base& promise = caller.promise();
        envelope* const* there = find();
        if (!must_wait(promise.scope(), there != nullptr))
            return must_yield(promise);
        self_.waiter = &promise;
        self_.set_receptive_for_some();
        if (there == nullptr)
            self_.wanted = wanted_;
        else
            run_again_for(*there);
        return true;
    }

    void settle()
    {
        envelope* const* there = find();
        settle_for(there != nullptr ? *there : nullptr);
    }

    message await_resume()
    {
        message taken = self_.first != nullptr && suits(*self_.first) ? receive_awaiter::await_resume(true)
                                                                      : take_from_behind();
        if (taken)
            taken.mark_handled();  // who asks for a type has understood it
        return taken;
    }

protected:
    message take_from_behind();

    bool suits(const envelope& waiting) const noexcept
    {
        return waiting.type == wanted_ || waiting.type == &type_of<poison_pill>;
    }

    /// The link that leads to the first envelope of the wanted type, or to a poison pill before it.
    envelope** find() const noexcept
    {
        if (self_.first == nullptr)
            return nullptr;
        return suits(*self_.first) ? &self_.first : find_behind();
    }
    envelope** find_behind() const noexcept;

    const message_type* wanted_;
};

/// Ends a wait for a message when a deadline passes; made by `context::receive(timeout)`.
template <class Awaiter>
class timed_awaiter : private Awaiter, private timer_node {
public:
    template <class... Args>
    timed_awaiter(std::chrono::nanoseconds timeout, cell& self, Args&... args) noexcept
        : Awaiter(self, args...), timeout_(timeout)
    {
        timer_node::fire = [](timer_node* timer) { static_cast<timed_awaiter*>(timer)->time_out(); };
    }
    ~timed_awaiter() { this->self_.home().disarm(*this); }

    using Awaiter::await_ready;
    using Awaiter::pass_over;

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        if (!Awaiter::await_suspend(caller))
            return false;
        strand_context& home = this->self_.home();
        home.arm(*this, deadline_after(home.time_for(timeout_), timeout_));
        return true;
    }

    void settle()
    {
        this->self_.home().disarm(*this);
        if (!timed_out_) {
            Awaiter::settle();
            return;
        }
        leave_in_time();
        this->self_.set_settled();
    }

    message await_resume()
    {
        this->self_.home().disarm(*this);
        if (!timed_out_)
            return Awaiter::await_resume();
        leave_in_time();
        return message::none_in_time();
    }

private:
    void leave_in_time() noexcept
    {
        this->self_.set_receptive(false);
        this->self_.current = nullptr;  // what is done now is done on nobody's behalf
        this->detach();
    }

    void time_out() noexcept
    {
        if (this->self_.wanted == nullptr)
            return;  // a message came in the same turn
        this->self_.wanted = nullptr;
        timed_out_ = true;
        this->self_.home().make_ready(this->self_);
    }

    std::chrono::nanoseconds timeout_;
    bool timed_out_ = false;
};

/// A receive that has not begun: movable, awaited once.
template <class Make>
class [[nodiscard]] receiving {
public:
    static constexpr bool is_repeatable = true;

    explicit receiving(Make make) noexcept : make_(make) {}
    auto operator co_await() const noexcept { return make_(); }

private:
    Make make_;
};

}  // namespace costar::machine
