// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/envelope.hpp>
#include <costar/wire/mapping.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// Mappings of plain values, which answers often are: `bool`, numbers, `std::string`, vectors of bytes, `pid`,
// `touched`, and nothing for `void`.

namespace costar::wire {

template <>
struct mapping<std::monostate> {
    using schema = costar::schema::Nothing;
    static void write(std::monostate, schema::Builder) noexcept {}
    static std::monostate read(schema::Reader) noexcept { return {}; }
};

template <>
struct mapping<bool> {
    using schema = costar::schema::Truth;
    static void write(bool from, schema::Builder to) { to.setValue(from); }
    static bool read(schema::Reader from) { return from.getValue(); }
};

/// A type of whole numbers; characters are none.
template <class Number>
concept whole_number = std::integral<Number> && !std::same_as<Number, bool> && !std::same_as<Number, char> &&
    !std::same_as<Number, wchar_t> && !std::same_as<Number, char8_t> && !std::same_as<Number, char16_t> &&
    !std::same_as<Number, char32_t>;

/// What does not fit into the reader's type is refused, by `std::out_of_range`.
template <whole_number Number>
struct mapping<Number> {
    using schema =
        std::conditional_t<std::signed_integral<Number>, costar::schema::Integer, costar::schema::Natural>;
    static void write(Number from, typename schema::Builder to) { to.setValue(from); }
    static Number read(typename schema::Reader from)
    {
        const auto value = from.getValue();
        if (!std::in_range<Number>(value))
            throw std::out_of_range("a number on the wire is too large for the type that reads it");
        return static_cast<Number>(value);
    }
};

template <std::floating_point Number>
struct mapping<Number> {
    using schema = costar::schema::Number;
    static void write(Number from, schema::Builder to) { to.setValue(static_cast<double>(from)); }
    static Number read(schema::Reader from) { return static_cast<Number>(from.getValue()); }
};

template <>
struct mapping<std::string> {
    using schema = costar::schema::Letters;
    static void write(const std::string& from, schema::Builder to) { to.setValue(text(from)); }
    static std::string read(schema::Reader from) { return text(from.getValue()); }
};

template <class Byte>
    requires(std::same_as<Byte, std::byte> || std::same_as<Byte, unsigned char>)
struct mapping<std::vector<Byte>> {
    using schema = costar::schema::Bytes;
    static void write(const std::vector<Byte>& from, schema::Builder to) { to.setValue(data(from)); }
    static std::vector<Byte> read(schema::Reader from) { return bytes<Byte>(from.getValue()); }
};

template <>
struct mapping<pid> {
    using schema = costar::schema::Pid;
    static void write(pid from, schema::Builder to, const pid_translator& pids) { pids.write(from, to); }
    static pid read(schema::Reader from, const pid_translator& pids) { return pids.read(from); }
};

template <>
struct mapping<touched> {
    using schema = costar::schema::Pid;
    static void write(touched from, schema::Builder to, const pid_translator& pids)
    {
        pids.write(from.who, to);
    }
    static touched read(schema::Reader from, const pid_translator& pids) { return {pids.read(from)}; }
};

}  // namespace costar::wire
