// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/ring.hpp>
#include <costar/post/envelope.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

namespace costar::machine {

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

/// Does the body lie in an envelope of its own?
inline bool is_boxed(const parcel& arrived) noexcept
{
    return (reinterpret_cast<std::uintptr_t>(arrived.kind) & boxed_parcel) != 0;
}

/// What the envelope of a small message takes; every small message has a block of one size.
inline constexpr std::size_t small_envelope_bytes = sizeof(envelope) + sizeof(inline_body::value);
static_assert(sizeof(envelope) % 16 == 0 && sizeof(inline_body::value) == 16);

/// Turns a parcel that is not boxed into an envelope in memory of that size, with a mark in its deadline. The
/// mark is written with the deadline: where one byte of it is written later, who then reads all of it waits
/// for both stores to leave the core.
inline envelope* unpack_at(void* memory, const parcel& arrived, std::uint64_t mark = 0) noexcept
{
    const auto* body = std::launder(reinterpret_cast<const inline_body*>(arrived.body));
    auto* made = static_cast<envelope*>(memory);
    made->type = static_cast<const message_type*>(arrived.kind);
    made->sender = body->sender;
    made->reply = body->reply;
    made->deadline = body->deadline | mark;
    std::memcpy(made->body(), body->value, sizeof body->value);
    return made;
}

/// Turns an arrived parcel into an envelope of the receiving strand.
///
/// Errors: throws `std::bad_alloc`.
inline envelope* unpack(const parcel& arrived)
{
    if (!is_boxed(arrived))
        return unpack_at(arena::current().allocate(small_envelope_bytes), arrived);
    envelope* sent = nullptr;
    std::memcpy(&sent, arrived.body, sizeof sent);
    return sent;
}

}  // namespace costar::machine
