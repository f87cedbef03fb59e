// SPDX-License-Identifier: MIT

#pragma once

#include <costar/wire/codec.hpp>
#include <costar/wire/flat_message.hpp>
#include <costar/wire/values.hpp>

#include <capnp/serialize.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "travel.capnp.h"

namespace support {

struct greeting {
    using reply = std::string;
    std::string name;
    std::uint32_t times = 1;
    friend bool operator==(const greeting&, const greeting&) = default;
};

/// As the next release has it.
struct new_greeting {
    std::string name;
    std::uint32_t times = 1;
    std::string language = "en";
    costar::pid who;
    friend bool operator==(const new_greeting&, const new_greeting&) = default;
};

/// Says a node by its number.
class plain_pids final : public costar::wire::pid_translator {
public:
    void write(costar::pid who, costar::schema::Pid::Builder to) const override
    {
        to.setLife(who.node());
        to.setStrand(who.strand());
        to.setSlot(who.slot());
        to.setGeneration(who.generation());
    }
    costar::pid read(costar::schema::Pid::Reader from) const override
    {
        return {static_cast<std::uint32_t>(from.getLife()), from.getStrand(), from.getSlot(),
            from.getGeneration()};
    }
};

/// The bytes of a message.
class flat_bytes {
public:
    template <costar::wire::mapped Message>
    explicit flat_bytes(const Message& message)
    {
        costar::wire::flat_writer writer(16);
        const plain_pids pids;
        words_.resize(writer.write(costar::wire::codec_of<Message>, &message, pids) / sizeof(std::uint64_t));
        writer.copy_to(bytes());
    }

    explicit flat_bytes(capnp::MessageBuilder& message)
    {
        const kj::Array<capnp::word> flat = capnp::messageToFlatArray(message);
        words_.resize(flat.size());
        std::memcpy(words_.data(), flat.begin(), flat.size() * sizeof(capnp::word));
    }

    kj::byte* bytes() noexcept { return reinterpret_cast<kj::byte*>(words_.data()); }
    std::size_t size() const noexcept { return words_.size() * sizeof(std::uint64_t); }
    capnp::Data::Reader data() noexcept { return {bytes(), size()}; }

private:
    std::vector<std::uint64_t> words_;
};

/// What is read out of bytes.
template <class Message>
Message read_as(capnp::Data::Reader from, const costar::wire::read_limits& limits = {})
{
    const plain_pids pids;
    const auto held = costar::wire::read_flat(costar::wire::codec_of<Message>, from, pids, limits);
    return std::move(held->template as<Message>());
}

/// A message that went out and came in again.
template <class To, class From>
To travelled(const From& message)
{
    flat_bytes bytes(message);
    return read_as<To>(bytes.data());
}

}  // namespace support

template <>
struct costar::wire::mapping<support::greeting> {
    using schema = travel::Greeting;
    static void write(const support::greeting& from, schema::Builder to)
    {
        to.setName(text(from.name));
        to.setTimes(from.times);
    }
    static support::greeting read(schema::Reader from) { return {text(from.getName()), from.getTimes()}; }
};

template <>
struct costar::wire::mapping<support::new_greeting> {
    using schema = travel::NewGreeting;
    static void write(const support::new_greeting& from, schema::Builder to, const pid_translator& pids)
    {
        to.setName(text(from.name));
        to.setTimes(from.times);
        to.setLanguage(text(from.language));
        pids.write(from.who, to.initWho());
    }
    static support::new_greeting read(schema::Reader from, const pid_translator& pids)
    {
        return {text(from.getName()), from.getTimes(), text(from.getLanguage()), pids.read(from.getWho())};
    }
};
