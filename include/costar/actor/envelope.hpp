// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/pid.hpp>
#include <costar/core/pool.hpp>
#include <costar/core/ring.hpp>

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

/// What the runtime knows of a message type. Two messages are of one type when their records have one
/// address.
struct message_type {
    const std::type_info* info;
    std::uint32_t bytes;

    /// `arena::block_class_of` its envelope.
    std::uint16_t block_class;

    /// Small and trivially copied: it travels between strands by value.
    bool is_inline;

    /// Null where there is nothing to destroy.
    void (*destroy)(void* body) noexcept;

    /// What a request of this type is answered with; null for a message that is none.
    const message_type* reply;

    /// Readable name, for logs and dead letters.
    std::string name() const;
};

/// A message that is answered names the type of its answer: `using reply = std::string;`.
template <class Message>
concept request = requires { typename Message::reply; };

/// A message can be any movable type that is not over-aligned.
template <class Message>
concept any_message = std::is_object_v<Message> && std::same_as<Message, std::remove_cv_t<Message>> &&
    std::move_constructible<Message> && alignof(Message) <= 16;

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

    /// When the asker stops waiting (strand time), 0 for never.
    std::uint64_t deadline;

    void* body() noexcept { return this + 1; }

    template <class Message>
    Message& as() noexcept
    {
        return *static_cast<Message*>(body());
    }

    /// From now on it is with its receiver.
    void hold(cell& receiver) noexcept { next = reinterpret_cast<envelope*>(&receiver); }
    cell& receiver() const noexcept { return *reinterpret_cast<cell*>(marked_receiver() & ~handled_mark); }

    void mark_handled() noexcept { next = reinterpret_cast<envelope*>(marked_receiver() | handled_mark); }
    bool is_handled() const noexcept { return (marked_receiver() & handled_mark) != 0; }

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
        static_assert(any_message<value>, "a message must be movable and aligned to 16 bytes at most");
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
    static constexpr std::uintptr_t handled_mark = 1;

    std::uintptr_t marked_receiver() const noexcept { return reinterpret_cast<std::uintptr_t>(next); }
};

static_assert(sizeof(envelope) == 48);

template <class Message>
constexpr message_type make_message_type() noexcept
{
    message_type made{};
    made.info = &typeid(Message);
    made.bytes = sizeof(Message);
    made.block_class = arena::block_class_of(sizeof(envelope) + sizeof(Message));
    made.is_inline = std::is_trivially_copyable_v<Message> && sizeof(Message) <= 16 && alignof(Message) <= 8;
    if constexpr (!std::is_trivially_destructible_v<Message>)
        made.destroy = [](void* body) noexcept { static_cast<Message*>(body)->~Message(); };
    if constexpr (request<Message>)
        made.reply = &type_of<stored_reply<typename Message::reply>>;
    return made;
}

/// What `parcel::body` holds when a message travels by value.
struct inline_body {
    pid sender;
    std::uint64_t reply;
    std::uint64_t deadline;
    std::byte value[16];
};

static_assert(sizeof(inline_body) == sizeof(parcel::body));

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
envelope* unpack(const parcel& arrived);

/// Readable form of a type's name.
std::string demangled(const std::type_info& info);

}  // namespace costar
