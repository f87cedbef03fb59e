// SPDX-License-Identifier: MIT

#pragma once

#include <costar/wire/codec.hpp>
#include <costar/wire/values.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <cstdint>
#include <variant>

namespace costar::wire {

/// The message types that a node sends and takes; nothing else is decoded.
///
///     wire::dictionary words;
///     words.add<deposit, balance>();
///
/// Answers need no line of their own: they come with the request that names them.
///
/// Thread safety: filled by one thread, then read by any. Lifetime: a value; what `find` gives lives as long
/// as the program. Cost: a look-up 5 to 10 ns.
class dictionary {
public:
    /// With the answer that says only that a request was handled.
    dictionary() { add_answer(codec_of<std::monostate>); }

    /// Adds messages, each with its answer.
    ///
    /// Errors: throws `std::logic_error` that names both when two types of C++ have the same schema, since
    /// nobody could tell what a message is to become. Adding one again does nothing.
    template <class... Messages>
    dictionary& add()
    {
        (add_one<Messages>(), ...);
        return *this;
    }

    /// How a message or an answer of this type is written; null where it does not travel.
    const codec* find(const machine::message_type& type) const noexcept;

    /// How a message with this id is read; null for one that is not taken.
    const codec* find(std::uint64_t id) const noexcept;

    /// How many types of messages are taken.
    std::size_t size() const noexcept { return by_id_.size(); }

private:
    template <class Message>
    void add_one()
    {
        static_assert(any_message<Message>, "a message must be movable and aligned to 16 bytes at most");
        static_assert(!any_message<Message> || mapped<Message>,
            "this message has no mapping to a schema, so it stays on its node: specialize "
            "costar::wire::mapping for it, or let capnpc-costar make it of a schema");
        static_assert(!mapped<Message> || travels<Message>,
            "the answer to this message has no mapping to a schema, so the message stays on its node");
        if constexpr (travels<Message>) {
            add_message(codec_of<Message>);
            if constexpr (request<Message>)
                add_answer(codec_of<stored_reply<typename Message::reply>>);
        }
    }

    void add_message(const codec& known);
    void add_answer(const codec& known);

    boost::unordered_flat_map<const machine::message_type*, const codec*> by_type_;
    boost::unordered_flat_map<std::uint64_t, const codec*> by_id_;
};

}  // namespace costar::wire
