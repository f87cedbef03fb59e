// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/envelope.hpp>
#include <costar/wire/mapping.hpp>
#include <costar/wire/record.hpp>

#include <capnp/any.h>

#include <cstdint>
#include <utility>

namespace costar::wire {

/// What is known of a message type that travels, whatever it is.
struct codec {
    /// The type on the wire: the id of the schema's struct.
    std::uint64_t id;

    const machine::message_type* type;

    /// Does reading follow pointers? Else the struct is of numbers alone.
    bool has_pointers;

    /// Writes the message at `body` as the root of a message of Cap'n Proto.
    void (*write)(const void* body, capnp::AnyPointer::Builder root, const pid_translator& pids);

    /// Reads such a root into a new envelope of the current arena. Throws what reading throws.
    machine::envelope* (*read)(capnp::AnyPointer::Reader root, const pid_translator& pids);
};

/// The id of the struct that a type travels as.
template <mapped Message>
constexpr std::uint64_t schema_id() noexcept
{
    return mapping<Message>::schema::_capnpPrivate::typeId;
}

template <mapped Message>
inline constexpr codec codec_of{
    schema_id<Message>(),
    &machine::type_of<Message>,
    is_record<Message> || mapping<Message>::schema::_capnpPrivate::pointerCount != 0,
    [](const void* body, capnp::AnyPointer::Builder root, const pid_translator& pids) {
        const auto& message = *static_cast<const Message*>(body);
        if constexpr (is_record<Message>)
            root.setAs<typename mapping<Message>::schema>(message.reader());
        else
            wire::write(message, root.initAs<typename mapping<Message>::schema>(), pids);
    },
    [](capnp::AnyPointer::Reader root, const pid_translator& pids) {
        const auto from = root.getAs<typename mapping<Message>::schema>();
        if constexpr (is_record<Message>)
            return machine::envelope::make(Message(from));
        else
            return machine::envelope::make(wire::read<Message>(from, pids));
    },
};

}  // namespace costar::wire
