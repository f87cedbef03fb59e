// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/cell.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/envelope.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace costar::machine {

template <class Actor>
class class_actor;

/// The parameter and result of a handler that takes one message.
template <class Call>
struct handler_signature {};

template <class Handler>
    requires requires { &Handler::operator(); }
struct handler_signature<Handler> : handler_signature<decltype(&Handler::operator())> {};

template <class Result, class Message>
struct handler_signature<Result (*)(Message)> {
    using parameter = Message;
    using message = std::remove_cvref_t<Message>;
    using result = Result;
};
template <class Result, class Message>
struct handler_signature<Result (*)(Message) noexcept> : handler_signature<Result (*)(Message)> {};
template <class Result, class Class, class Message>
struct handler_signature<Result (Class::*)(Message)> : handler_signature<Result (*)(Message)> {};
template <class Result, class Class, class Message>
struct handler_signature<Result (Class::*)(Message) const&> : handler_signature<Result (*)(Message)> {};
template <class Result, class Class, class Message>
struct handler_signature<Result (Class::*)(Message)&> : handler_signature<Result (*)(Message)> {};
template <class Result, class Class, class Message>
struct handler_signature<Result (Class::*)(Message) const> : handler_signature<Result (*)(Message)> {};
template <class Result, class Class, class Message>
struct handler_signature<Result (Class::*)(Message) noexcept> : handler_signature<Result (*)(Message)> {};
template <class Result, class Class, class Message>
struct handler_signature<Result (Class::*)(Message) const noexcept> : handler_signature<Result (*)(Message)> {
};

template <class Handler>
concept handles_one = requires { typename handler_signature<Handler>::message; };

template <class...>
inline constexpr bool are_different = true;
template <class First, class... Others>
inline constexpr bool are_different<First, Others...> =
    (!std::same_as<First, Others> && ...) && are_different<Others...>;

}  // namespace costar::machine

namespace costar {

/// A message that an actor has received, and the request in it if somebody asked.
///
/// It is let go of when this handle is destroyed: a request that was not answered by then ends with
/// `errc::unanswered` for its asker (`errc::actor_failed` when an exception is under way), and a message that
/// was neither matched nor looked at becomes a dead letter with `errc::not_understood`.
///
/// Errors: using one that came to nothing unwinds the body. One of a stop throws `errc::cancelled`, so the
/// actor ends as it was told to; one that did not come in time throws `errc::timed_out`, and only says no to
/// `is` and `match`; one that is empty otherwise, because it was moved from or handed on, throws
/// `std::logic_error`.
///
/// Thread safety: used on the actor's strand, by its body, its tasks, or a child on the same strand to which
/// it was given. It must not outlive the actor.
class message {
public:
    /// Only its own strand may have it, see `is_strand_bound`.
    static constexpr bool belongs_to_strand = true;

    message() noexcept = default;
    explicit message(machine::envelope* received) noexcept : envelope_(received) {}
    message(message&& other) noexcept : envelope_(std::exchange(other.envelope_, nullptr)) {}
    message& operator=(message&& other) noexcept
    {
        message(std::move(other)).swap(*this);
        return *this;
    }
    ~message()
    {
        if (*this)
            machine::station::finish(envelope_);
    }

    /// What a `receive` with a deadline gives when the deadline passes.
    static message none_in_time() noexcept { return message(marked(timed_out_value)); }

    /// What a `receive` gives when it is time to stop.
    static message none_at_end() noexcept { return message(marked(end_value)); }

    void swap(message& other) noexcept { std::swap(envelope_, other.envelope_); }

    /// False when nothing came: it is time to stop, or `timed_out()`.
    explicit operator bool() const noexcept
    {
        return reinterpret_cast<std::uintptr_t>(envelope_) > end_value;
    }
    bool timed_out() const noexcept { return envelope_ == marked(timed_out_value); }

    /// The strand that it belongs to, null when it is empty.
    const machine::strand_context* bound_to() const noexcept
    {
        return *this ? &envelope_->receiver().home() : nullptr;
    }

    template <any_message Message>
    bool is() const
    {
        return *this ? holds<Message>() : look_at_nothing();
    }

    /// The message, which must be a `Message`. It counts as handled from here on.
    ///
    /// Errors: throws `std::logic_error` that names both types when it is of another one.
    template <any_message Message>
    Message& get()
    {
        if (!*this || !holds<Message>()) [[unlikely]]
            refuse(machine::type_of<Message>);
        return open<Message>();
    }

    /// Calls the first handler that takes this message's type; false when none does.
    ///
    /// A handler takes the message by value or reference. What it returns answers a request, and must convert
    /// to `Message::reply`; one that returns nothing answers a request whose reply is void, else later with
    /// `respond`. Handlers are plain functions or lambdas: one that has to await is written in the actor's
    /// loop instead.
    template <class... Handlers>
    bool match(Handlers&&... handlers)
    {
        static_assert(!(std::is_member_pointer_v<std::decay_t<Handlers>> || ...),
            "a handler is a function or a lambda; a member function needs its object: "
            "[&](const my_message& message) { object.handle(message); }");
        static_assert((machine::handles_one<std::decay_t<Handlers>> && ...),
            "a handler takes one message and names its type: [](const my_message& message) {}");
        if constexpr ((machine::handles_one<std::decay_t<Handlers>> && ...))
            static_assert(machine::are_different<
                              typename machine::handler_signature<std::decay_t<Handlers>>::message...>,
                "two handlers take the same message type, and the second would never be called");
        if (!*this) [[unlikely]]
            return look_at_nothing();
        return (try_handler(handlers) || ...);
    }

    /// Answers the request in this message. Nothing happens when nobody asked, or it was answered before.
    ///
    /// Errors: the asker gets `errc::wrong_reply` when it asked for another type.
    template <class Reply>
    void respond(Reply&& value)
    {
        machine::check_reply<Reply>();
        mark_handled();
        answer(std::forward<Reply>(value));
    }

    /// Who sent it, nobody for a sender that is no actor.
    pid sender() const { return there().sender; }

    /// Does somebody wait for an answer?
    bool is_request() const { return there().reply != 0; }

    /// Readable name of the message's type.
    std::string type_name() const;

    /// Gives the envelope away, unanswered.
    machine::envelope* release() noexcept
    {
        if (!*this)
            return nullptr;
        machine::cell& self = envelope_->receiver();
        if (self.current == envelope_)
            self.current = nullptr;
        if (envelope_->is_kept()) [[unlikely]]
            machine::station::forget_attempt(*envelope_);
        return std::exchange(envelope_, nullptr);
    }

    /// What came with it beside the message; empty for most. Valid while the message is.
    const costar::headers& headers() const;

    /// Says by an exception why there is no message.
    [[noreturn]] void refuse_nothing() const;

    /// It is handed to a coroutine other than the body of its receiver, which may answer it whatever the body
    /// waits for.
    void leave_body() noexcept
    {
        if (*this && envelope_->receiver().current == envelope_)
            envelope_->receiver().current = nullptr;
    }

    /// Lets go of it after a failure that its actor survives, as `failing_message` says.
    void fail() noexcept
    {
        if (*this)
            machine::station::of(envelope_->receiver()).give_again(*std::exchange(envelope_, nullptr));
    }

    /// A handled message is no dead letter when it is let go of.
    void mark_handled() { there().mark_handled(); }

private:
    machine::envelope& there() const
    {
        if (!*this) [[unlikely]]
            refuse_nothing();
        return *envelope_;
    }

    template <class Reply>
    void answer(Reply&& value)
    {
        machine::envelope& asked = there();  // a handler may have handed it on
        if (asked.reply == 0)
            return;
        machine::station::of(asked.receiver()).answer(asked.reply, std::forward<Reply>(value));
        asked.reply = 0;  // after it: who could not answer still owes one
    }

    /// What `is` and `match` find in a message that came to nothing.
    bool look_at_nothing() const;

    [[noreturn]] void refuse(const machine::message_type& wanted) const;

    // For those who know that there is a message.
    template <any_message Message>
    bool holds() const noexcept
    {
        return envelope_->type == &machine::type_of<Message>;
    }
    template <any_message Message>
    Message& open() noexcept
    {
        envelope_->mark_handled();
        return envelope_->as<Message>();
    }

    template <class Handler>
    bool try_handler(Handler& handler)
    {
        using signature = machine::handler_signature<std::decay_t<Handler>>;
        using value = typename signature::message;
        static_assert(any_message<value>, "a handler's parameter must be a message type");
        static_assert(!is_task<typename signature::result>,
            "match() takes no coroutines: await in the actor's loop, or write a class actor");
        if (!holds<value>())
            return false;
        envelope_->mark_handled();
        respond_with<value>([&]() -> decltype(auto) {
            if constexpr (std::is_lvalue_reference_v<typename signature::parameter>) {
                return handler(envelope_->as<value>());
            } else {
                if constexpr (!std::is_trivially_copyable_v<value>) {
                    if constexpr (is_copyable<value> &&
                        !std::is_rvalue_reference_v<typename signature::parameter>) {
                        if (may_come_again()) [[unlikely]]
                            return handler(value(envelope_->as<value>()));
                    }
                    envelope_->mark_moved();
                }
                return handler(std::move(envelope_->as<value>()));
            }
        });
        return true;
    }

    template <class>
    friend class machine::class_actor;
    friend class machine::post_office;
    friend class machine::station;

    /// Is it given to the actor again when it fails? Then it must stay whole.
    bool may_come_again() const noexcept
    {
        return envelope_->is_kept() && envelope_->receiver().extras()->keeps_failing;
    }

    /// Calls a handler and answers with what it returns.
    template <class Message, class Call>
    void respond_with(Call&& call)
    {
        using result = decltype(call());
        if constexpr (std::is_void_v<result>) {
            call();
            if constexpr (request<Message>)
                if constexpr (std::is_void_v<typename Message::reply>)
                    if (*this)  // else the handler has kept it, to answer later
                        answer(std::monostate{});
        } else {
            static_assert(
                request<Message>, "a handler that returns a value needs `using reply` in its message");
            if constexpr (request<Message>) {
                using reply = stored_reply<typename Message::reply>;
                static_assert(
                    std::is_convertible_v<result, reply>, "the handler's value must convert to the reply");
                if (envelope_->reply != 0)
                    answer(static_cast<reply>(call()));
                else
                    static_cast<void>(call());
            }
        }
    }

    // Where an envelope would be, in a message that came to nothing. One pointer keeps the frames small.
    static constexpr std::uintptr_t timed_out_value = 1;
    static constexpr std::uintptr_t end_value = 2;
    static machine::envelope* marked(std::uintptr_t value) noexcept
    {
        return reinterpret_cast<machine::envelope*>(value);
    }

    machine::envelope* envelope_ = nullptr;
};

}  // namespace costar
