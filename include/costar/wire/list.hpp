// SPDX-License-Identifier: MIT

#pragma once

#include <costar/wire/mapping.hpp>

#include <capnp/schema.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// Lists on their way to a message and out of one, and unions: what mappings made by `capnpc-costar` call.

namespace costar::wire {

/// A member of a union that this program's schema does not know: one that a newer program has sent. It is
/// seen, and cannot be sent on, since what belongs to it was not read.
struct unknown_member {
    /// Which one, in the order of the union's members.
    std::uint16_t number = 0;

    bool operator==(const unknown_member&) const = default;
};

/// Throws a `std::logic_error`: the union in the type of this name holds a member that is unknown.
[[noreturn]] void refuse_unknown_member(const char* union_name);

/// How many elements a list is made for. Throws `std::length_error` for more than a message can hold.
unsigned count_of(std::size_t elements);

template <class Container>
unsigned count(const Container& elements)
{
    return count_of(elements.size());
}

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// Writes all elements to a builder of a list that was made for as many. The translator is given for lists
/// whose innermost elements take one.
template <class T, class Builder, class... Translator>
void write_list(const std::vector<T>& from, Builder to, const Translator&... pids)
{
    for (unsigned i = 0; i < to.size(); ++i) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
            to.set(i, static_cast<std::remove_cvref_t<decltype(to[i])>>(from[i]));
        else if constexpr (std::same_as<T, std::string>)
            to.set(i, text(from[i]));
        else if constexpr (std::same_as<T, std::vector<std::byte>>)
            to.set(i, data(from[i]));
        else if constexpr (is_vector<T>)
            write_list(from[i], to.init(i, count(from[i])), pids...);
        else if constexpr (!std::same_as<T, std::monostate>)
            mapping<T>::write(from[i], to[i], pids...);
    }
}

/// Reads all elements, in place of what `to` held.
template <class T, class Reader, class... Translator>
void read_list(Reader from, std::vector<T>& to, const Translator&... pids)
{
    to.clear();
    to.reserve(from.size());
    for (unsigned i = 0; i < from.size(); ++i) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
            to.push_back(static_cast<T>(from[i]));
        else if constexpr (std::same_as<T, std::string>)
            to.push_back(text(from[i]));
        else if constexpr (std::same_as<T, std::vector<std::byte>>)
            to.push_back(bytes(from[i]));
        else if constexpr (is_vector<T>)
            read_list(from[i], to.emplace_back(), pids...);
        else if constexpr (std::same_as<T, std::monostate>)
            to.emplace_back();
        else
            to.push_back(mapping<T>::read(from[i], pids...));
    }
}

/// The list as a vector.
template <class Vector, class Reader, class... Translator>
Vector vector(Reader from, const Translator&... pids)
{
    Vector made;
    read_list(from, made, pids...);
    return made;
}

/// What a getter of a reader gives when the field was never set, for a list, a struct or bytes. It is the
/// field of that index in the schema.
template <class Reader, class Value>
Value default_of(Value (Reader::*)() const, unsigned index)
{
    const auto field = capnp::Schema::from<typename Reader::Reads>().getFields()[index];
    const auto value = field.getProto().getSlot().getDefaultValue();
    if constexpr (std::same_as<Value, capnp::Data::Reader>)
        return value.getData();
    else if constexpr (capnp::kind<typename Value::Reads>() == capnp::Kind::LIST)
        return value.getList().template getAs<typename Value::Reads>();
    else
        return value.getStruct().template getAs<typename Value::Reads>();
}

}  // namespace costar::wire
