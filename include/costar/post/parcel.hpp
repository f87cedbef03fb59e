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

}  // namespace costar::machine
