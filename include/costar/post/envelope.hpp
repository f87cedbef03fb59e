// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/ground/hash.hpp>
#include <costar/ground/pool.hpp>
#include <costar/ground/ring.hpp>
#include <costar/post/copyable.hpp>
#include <costar/post/pid.hpp>
#include <costar/post/strand_bound.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

namespace costar {

class cell;
class station;
struct envelope;

/// What the runtime knows of a message type. Two messages are of one type when their records have one
/// address.
struct message_type {
    const std::type_info* info;
    std::uint32_t bytes;

    /// `arena::block_class_of` its envelope.
    std::uint16_t block_class;

    /// Small and trivially copied: it travels between strands by value.
    bool is_inline;

    /// It may not go to another strand, see `costar::is_strand_bound`.
    bool is_strand_bound;

    /// Null where there is nothing to destroy.
    void (*destroy)(void* body) noexcept;

    /// What a request of this type is answered with; null for a message that is none.
    const message_type* reply;

    /// The level in a mailbox that has an order, 0 to 7, 8 for control; null for an ordinary message.
    std::uint8_t (*level)(const void* body) noexcept;

    /// Moves a message to new memory.
    void (*move)(void* to, void* from);

    /// Copies a message to new memory; null where it cannot be copied, see `is_copyable`.
    void (*copy)(void* to, const void* from);

    /// The hash of what its own `hash_key()` gives; null where it declares none.
    std::uint64_t (*hash_key)(const void* body);

    /// Answers a request that its receiver let go of; null where that is `errc::unanswered`.
    void (*answer_alone)(station& post, std::uint64_t token, pid receiver, void* body);

    /// Time without messages is not over when one of these comes.
    bool leaves_idle;

    /// Readable name, for logs and dead letters. It lives as long as the calling thread.
    const std::string& name() const;
};

/// A message that is answered names the type of its answer: `using reply = std::string;`.
template <class Message>
concept request = requires { typename Message::reply; };

/// A message can be any movable type that is not over-aligned.
template <class Message>
concept any_message = std::is_object_v<Message> && std::same_as<Message, std::remove_cv_t<Message>> &&
    std::move_constructible<Message> && alignof(Message) <= 16;

/// Refuses what is no message, in a sentence.
template <class Message>
constexpr void check_message()
{
    static_assert(!std::is_array_v<Message>,
        "a message is an object: send a class of your own, or std::string(\"...\") instead of a literal");
    static_assert(std::is_array_v<Message> || any_message<Message>,
        "a message must be movable and aligned to 16 bytes at most");
}

/// Refuses what would never be the answer that was asked for, in a sentence.
template <class Reply>
constexpr void check_reply()
{
    static_assert(
        !std::is_array_v<std::remove_reference_t<Reply>> && !std::same_as<std::decay_t<Reply>, const char*>,
        "an answer is an object of the reply's type: respond(std::string(\"...\")) instead of a literal");
}

/// A request that is answered by itself when its receiver let go of it, handled or not: with its
/// `auto_reply()`, or its `auto_reply(pid)`, which is given the receiver's.
template <class Message>
concept answers_alone = request<Message> &&
    (requires(const Message& message) { message.auto_reply(); } ||
        requires(const Message& message, pid receiver) { message.auto_reply(receiver); });

/// Defined in station.hpp.
template <class Message>
void answer_alone(station& post, std::uint64_t token, pid receiver, void* body);

/// A message that says what a router with a consistent hash goes by: `hash_key() const` gives a number or a
/// text.
template <class Message>
concept keyed = requires(const Message& message) { stable_hash(message.hash_key()); };

/// Void answers travel as this.
template <class T>
using stored_reply = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class Message>
constexpr message_type make_message_type() noexcept;

/// The record of `Message`.
template <class Message>
inline constexpr message_type type_of = make_message_type<Message>();

/// Tells the receiver to stop when its turn comes.
struct poison_pill {
    using reply = void;
};

/// Who it was that answered `touch`.
struct touched {
    pid who;
    friend bool operator==(const touched&, const touched&) = default;
};

/// Is the actor there, and has it let go of all messages before this one? Answered by itself.
struct touch {
    using reply = touched;
    touched auto_reply(pid receiver) const noexcept { return {receiver}; }
    static constexpr bool leaves_idle = true;
};

/// An actor that is watched has ended.
struct terminated {
    static constexpr bool is_control = true;
    static constexpr bool leaves_idle = true;

    pid who;

    /// `actor_stopped` when it was stopped or returned, `actor_failed` after its last crash, `no_such_actor`
    /// when it was gone before it was watched.
    errc reason = errc::actor_stopped;

    friend bool operator==(const terminated&, const terminated&) = default;
};

/// No message came for as long as `context::set_receive_timeout` says.
struct receive_timeout {
    static constexpr bool leaves_idle = true;
};

/// Stands for any type where a certain one can be wanted.
inline constexpr message_type any_type{};

/// Marks an answer that is a failure; its body is an `errc`.
inline constexpr message_type failure_type{};

/// A message under way on one strand: a header and, right behind it, the message itself.
struct alignas(16) envelope {
    /// The envelope behind it in its mailbox. Once received: its receiver, and whether it is handled.
    envelope* next;
    const message_type* type;
    pid sender;

    /// Where the answer goes, 0 when none is awaited.
    std::uint64_t reply;

    /// When the asker stops waiting (strand time), 0 for never. It has a mark in the mailbox of an actor that
    /// got it from another strand or thread.
    std::uint64_t deadline;

    void* body() noexcept { return this + 1; }

    template <class Message>
    Message& as() noexcept
    {
        return *static_cast<Message*>(body());
    }

    /// From now on it is with its receiver.
    void hold(cell& receiver) noexcept { next = reinterpret_cast<envelope*>(&receiver); }
    cell& receiver() const noexcept
    {
        return *reinterpret_cast<cell*>(marked_receiver() & ~(handled_mark | kept_mark | moved_mark));
    }

    /// It counts as one that has come from another strand or thread, until it is taken.
    void mark_borne() noexcept { deadline |= borne_mark; }
    bool is_borne() const noexcept { return (deadline & borne_mark) != 0; }
    void unmark_borne() noexcept { deadline &= ~borne_mark; }

    void mark_handled() noexcept { add_mark(handled_mark); }
    bool is_handled() const noexcept { return (marked_receiver() & handled_mark) != 0; }

    /// Somebody wants to know when it is let go of.
    void mark_kept() noexcept { add_mark(kept_mark); }
    bool is_plainly_handled() const noexcept
    {
        return (marked_receiver() & (handled_mark | kept_mark | moved_mark)) == handled_mark;
    }

    /// Of one that is plainly handled.
    cell& plain_receiver() const noexcept
    {
        return *reinterpret_cast<cell*>(marked_receiver() - handled_mark);
    }

    /// A handler takes it by value, so it may be empty; only asked for what is kept.
    void mark_moved() noexcept
    {
        if ((marked_receiver() & kept_mark) != 0)
            add_mark(moved_mark);
    }
    bool is_moved() const noexcept { return (marked_receiver() & moved_mark) != 0; }
    bool is_kept() const noexcept { return (marked_receiver() & kept_mark) != 0; }

    static envelope* allocate(std::size_t body_bytes)
    {
        return static_cast<envelope*>(arena::current().allocate(sizeof(envelope) + body_bytes));
    }

    /// Moves a message into a new envelope.
    template <class Message>
    static envelope* make(
        Message&& message, pid sender = {}, std::uint64_t reply = 0, std::uint64_t deadline = 0)
    {
        using value = std::remove_cvref_t<Message>;
        check_message<value>();
        void* memory = arena::current().allocate(sizeof(envelope) + sizeof(value));
        if constexpr (std::is_nothrow_constructible_v<value, Message>) {
            return make_at(memory, std::forward<Message>(message), sender, reply, deadline);
        } else {
            try {
                return make_at(memory, std::forward<Message>(message), sender, reply, deadline);
            } catch (...) {
                arena::deallocate(memory, sizeof(envelope) + sizeof(value));
                throw;
            }
        }
    }

    /// Moves a message into an envelope in memory of the right size.
    template <class Message>
    static envelope* make_at(
        void* memory, Message&& message, pid sender, std::uint64_t reply, std::uint64_t deadline)
    {
        using value = std::remove_cvref_t<Message>;
        auto* made = static_cast<envelope*>(memory);
        ::new (made->body()) value(std::forward<Message>(message));
        made->type = &type_of<value>;
        made->sender = sender;
        made->reply = reply;
        made->deadline = deadline;
        return made;
    }

    /// Destroys the message and frees the envelope.
    void discard() noexcept
    {
        if (type->destroy != nullptr)
            type->destroy(body());
        arena::deallocate_class(this, type->block_class, sizeof(envelope) + type->bytes);
    }

private:
    static constexpr std::uint64_t borne_mark = std::uint64_t{1} << 63;  // no `deadline_after` is that late
    static constexpr std::uintptr_t handled_mark = 1;
    static constexpr std::uintptr_t kept_mark = 2;
    static constexpr std::uintptr_t moved_mark = 4;

    void add_mark(std::uintptr_t mark) noexcept
    {
        next = reinterpret_cast<envelope*>(marked_receiver() | mark);
    }

    std::uintptr_t marked_receiver() const noexcept { return reinterpret_cast<std::uintptr_t>(next); }
};

static_assert(sizeof(envelope) == 48);

/// Owns an envelope that is on no way.
struct envelope_discarder {
    void operator()(envelope* held) const noexcept { held->discard(); }
};
using held_envelope = std::unique_ptr<envelope, envelope_discarder>;

template <class Message>
constexpr message_type make_message_type() noexcept
{
    message_type made{};
    made.info = &typeid(Message);
    made.bytes = sizeof(Message);
    made.block_class = arena::block_class_of(sizeof(envelope) + sizeof(Message));
    made.is_inline = std::is_trivially_copyable_v<Message> && sizeof(Message) <= 16 && alignof(Message) <= 8;
    made.is_strand_bound = is_strand_bound<Message>;
    if constexpr (!std::is_trivially_destructible_v<Message>)
        made.destroy = [](void* body) noexcept { static_cast<Message*>(body)->~Message(); };
    if constexpr (request<Message>)
        made.reply = &type_of<stored_reply<typename Message::reply>>;
    if constexpr (requires(const Message& message) { static_cast<int>(message.priority()); })
        made.level = [](const void* body) noexcept {
            try {
                const int wanted = static_cast<int>(static_cast<const Message*>(body)->priority());
                return static_cast<std::uint8_t>(wanted < 0 ? 0 : wanted > 7 ? 7 : wanted);
            } catch (...) {
                return std::uint8_t{4};  // an ordinary one
            }
        };
    if constexpr (requires { Message::is_control; })
        made.level = [](const void*) noexcept { return std::uint8_t{8}; };
    if constexpr (std::move_constructible<Message>)
        made.move = [](void* to, void* from) { ::new (to) Message(std::move(*static_cast<Message*>(from))); };
    if constexpr (is_copyable<Message>)
        made.copy = [](void* to, const void* from) {
            ::new (to) Message(*static_cast<const Message*>(from));
        };
    if constexpr (keyed<Message>)
        made.hash_key = [](const void* body) -> std::uint64_t {
            return stable_hash(static_cast<const Message*>(body)->hash_key());
        };
    if constexpr (answers_alone<Message>)
        made.answer_alone = &costar::answer_alone<Message>;
    if constexpr (requires { typename Message::leaves_idle; })
        made.leaves_idle = Message::leaves_idle::value;
    else if constexpr (requires { Message::leaves_idle; })
        made.leaves_idle = Message::leaves_idle;
    return made;
}

/// A copy of a message, with its sender but without a request; null when it cannot be copied.
held_envelope copy_of(envelope& original);

/// Moves a value of a type that is only known now into a new envelope.
held_envelope move_into_envelope(const message_type& type, void* value);

/// What `parcel::body` holds when a message travels by value.
struct inline_body {
    pid sender;
    std::uint64_t reply;
    std::uint64_t deadline;
    std::byte value[16];
};

static_assert(sizeof(inline_body) == sizeof(parcel::body));

/// Set in `parcel::kind` beside the type where the body is the address of an envelope.
inline constexpr std::uintptr_t boxed_parcel = 1;

/// Packs an envelope for the way to another strand; small messages are copied and their envelope freed.
parcel pack(std::uint64_t to, envelope* sent) noexcept;

/// Packs a small message without an envelope, into the slot in which it travels.
template <class Message>
void pack_inline(parcel& slot, std::uint64_t to, const Message& message, pid sender, std::uint64_t reply,
    std::uint64_t deadline) noexcept
{
    static_assert(type_of<Message>.is_inline);
    slot.to = to;
    slot.kind = &type_of<Message>;
    auto* body = ::new (slot.body) inline_body{sender, reply, deadline, {}};
    ::new (body->value) Message(message);
}

/// Turns an arrived parcel into an envelope of the receiving strand.
///
/// Errors: throws `std::bad_alloc`.
inline envelope* unpack(const parcel& arrived)
{
    if ((reinterpret_cast<std::uintptr_t>(arrived.kind) & boxed_parcel) != 0) {
        envelope* sent = nullptr;
        std::memcpy(&sent, arrived.body, sizeof sent);
        return sent;
    }
    const auto* type = static_cast<const message_type*>(arrived.kind);
    const auto* body = std::launder(reinterpret_cast<const inline_body*>(arrived.body));
    static_assert(sizeof(envelope) % 16 == 0 && sizeof body->value == 16,
        "every small message has a block of one size");
    envelope* made = envelope::allocate(sizeof body->value);
    made->type = type;
    made->sender = body->sender;
    made->reply = body->reply;
    made->deadline = body->deadline;
    std::memcpy(made->body(), body->value, sizeof body->value);
    return made;
}

/// Readable form of a type's name.
std::string demangled(const std::type_info& info);

}  // namespace costar
