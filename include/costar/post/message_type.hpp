// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/ground/hash.hpp>
#include <costar/ground/pool.hpp>
#include <costar/post/copyable.hpp>
#include <costar/post/pid.hpp>
#include <costar/post/strand_bound.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

namespace costar::machine {

class post_office;
class station;

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

    /// Called in place of a dead letter for a message that nobody takes; gives the reason that whoever asked
    /// is told. Null for most.
    errc (*bury)(post_office& where, void* body, errc reason) noexcept;

    /// Time without messages is not over when one of these comes.
    bool leaves_idle;

    /// Readable name, for logs and dead letters. It lives as long as the calling thread.
    const std::string& name() const;
};

}  // namespace costar::machine

namespace costar {

/// A message that is answered names the type of its answer: `using reply = std::string;`.
template <class Message>
concept request = requires { typename Message::reply; };

/// A message can be any movable type that is not over-aligned.
template <class Message>
concept any_message = std::is_object_v<Message> && std::same_as<Message, std::remove_cv_t<Message>> &&
    std::move_constructible<Message> && alignof(Message) <= 16;

}  // namespace costar

namespace costar::machine {

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

}  // namespace costar::machine

namespace costar {

/// A request that is answered by itself when its receiver let go of it, handled or not: with its
/// `auto_reply()`, or its `auto_reply(pid)`, which is given the receiver's.
template <class Message>
concept answers_alone = request<Message> &&
    (requires(const Message& message) { message.auto_reply(); } ||
        requires(const Message& message, pid receiver) { message.auto_reply(receiver); });

}  // namespace costar

namespace costar::machine {

/// Defined in station.hpp.
template <class Message>
void answer_alone(station& post, std::uint64_t token, pid receiver, void* body);

}  // namespace costar::machine

namespace costar {

/// A message that says what a router with a consistent hash goes by: `hash_key() const` gives a number or a
/// text.
template <class Message>
concept keyed = requires(const Message& message) { stable_hash(message.hash_key()); };

/// Void answers travel as this.
template <class T>
using stored_reply = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

}  // namespace costar

namespace costar::machine {

template <class Message>
constexpr message_type make_message_type() noexcept;

/// The record of `Message`.
template <class Message>
inline constexpr message_type type_of = make_message_type<Message>();

/// Stands for any type where a certain one can be wanted.
inline constexpr message_type any_type{};

/// Marks an answer that is a failure; its body is an `errc`.
inline constexpr message_type failure_type{};

/// What lies in front of a message in its envelope.
inline constexpr std::size_t envelope_header_bytes = 48;

template <class Message>
constexpr message_type make_message_type() noexcept
{
    message_type made{};
    made.info = &typeid(Message);
    made.bytes = sizeof(Message);
    made.block_class = arena::block_class_of(envelope_header_bytes + sizeof(Message));
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
        made.answer_alone = &costar::machine::answer_alone<Message>;
    if constexpr (requires(Message& message, post_office& where) { message.bury(where, errc()); })
        made.bury = [](post_office& where, void* body, errc reason) noexcept {
            return static_cast<Message*>(body)->bury(where, reason);
        };
    if constexpr (requires { typename Message::leaves_idle; })
        made.leaves_idle = Message::leaves_idle::value;
    else if constexpr (requires { Message::leaves_idle; })
        made.leaves_idle = Message::leaves_idle;
    return made;
}

/// Readable form of a type's name.
std::string demangled(const std::type_info& info);

}  // namespace costar::machine
