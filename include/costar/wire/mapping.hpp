// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/kj.hpp>

#include <costar/post/message_type.hpp>
#include <costar/post/pid.hpp>
#include <costar/values.capnp.h>

#include <capnp/blob.h>
#include <capnp/common.h>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace costar::wire {

/// What an address in a message means on the two sides of a link.
///
/// Thread safety: as the link that it belongs to.
class pid_translator {
public:
    /// Says where an actor is to somebody elsewhere.
    virtual void write(pid who, schema::Pid::Builder to) const = 0;

    /// The address that works from here. Nobody's where the place is unknown and cannot be dialled.
    virtual pid read(schema::Pid::Reader from) const = 0;

protected:
    ~pid_translator() = default;
};

/// How a message of C++ becomes a struct of Cap'n Proto, and what it was again. To be specialized for a
/// message that shall travel to other nodes; the plugin `capnpc-costar` writes message and mapping of a
/// schema.
///
///     struct greeting {
///         std::string name;
///         std::uint32_t times = 1;
///     };
///
///     template <>
///     struct costar::wire::mapping<greeting> {
///         using schema = proto::Greeting;
///
///         static void write(const greeting& from, schema::Builder to)
///         {
///             to.setName(wire::text(from.name));
///             to.setTimes(from.times);
///         }
///         static greeting read(schema::Reader from)
///         {
///             return {wire::text(from.getName()), from.getTimes()};
///         }
///     };
///
/// One that holds a `pid` takes a translator as well: `write(from, to, pids)` and `read(from, pids)`, with
/// `const wire::pid_translator& pids`.
///
/// The id of the schema is the type on the wire: names of C++ may change, and other languages know it. What
/// `read` throws refuses the message.
///
/// Thread safety: the functions are called on any strand.
template <class Message>
struct mapping;

/// A type with a mapping.
template <class Message>
concept mapped = requires { typename mapping<Message>::schema; };

/// A message that can travel to other nodes: it has a mapping, and its answer too if there is one.
template <class Message>
concept travels = any_message<Message> && mapped<Message> &&
    (!request<Message> || requires { requires mapped<stored_reply<typename Message::reply>>; });

/// Text on its way to a message, and out of one. Zero bytes inside are kept, which KJ's own conversion of a
/// `std::string` cuts.
inline capnp::Text::Reader text(const std::string& from) noexcept
{
    return {from.c_str(), from.size()};
}
inline std::string text(capnp::Text::Reader from)
{
    return {from.begin(), from.size()};
}

/// Bytes likewise, which come out as a vector.
template <class Byte>
    requires(sizeof(Byte) == 1 && std::is_trivially_copyable_v<Byte>)
capnp::Data::Reader data(std::span<const Byte> from) noexcept
{
    return {reinterpret_cast<const kj::byte*>(from.data()), from.size()};
}
template <class Byte>
    requires(sizeof(Byte) == 1 && std::is_trivially_copyable_v<Byte>)
capnp::Data::Reader data(const std::vector<Byte>& from) noexcept
{
    return data(std::span<const Byte>(from));
}
template <class Byte = std::byte>
    requires(sizeof(Byte) == 1 && std::is_trivially_copyable_v<Byte>)
std::vector<Byte> bytes(capnp::Data::Reader from)
{
    const auto* begin = reinterpret_cast<const Byte*>(from.begin());
    return {begin, begin + from.size()};
}

/// Writes a message by its mapping.
template <mapped Message>
void write(const Message& from, typename mapping<Message>::schema::Builder to, const pid_translator& pids)
{
    if constexpr (requires { mapping<Message>::write(from, to, pids); })
        mapping<Message>::write(from, to, pids);
    else
        mapping<Message>::write(from, to);
}

/// Reads one.
template <mapped Message>
Message read(typename mapping<Message>::schema::Reader from, const pid_translator& pids)
{
    if constexpr (requires { mapping<Message>::read(from, pids); })
        return mapping<Message>::read(from, pids);
    else
        return mapping<Message>::read(from);
}

}  // namespace costar::wire
