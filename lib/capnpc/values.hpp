// SPDX-License-Identifier: MIT

#pragma once

#include "types.hpp"

#include <optional>
#include <string>

namespace costar::capnpc {

/// A value of a schema as an expression of C++: a number, a text or an enumerant; nothing for what is made of
/// others.
std::optional<std::string> simple_value(
    const types& known, capnp::schema::Type::Reader type, capnp::schema::Value::Reader value);

/// A text of the given class of the standard library: a literal, or more where a zero byte would end it.
std::string text_value(std::string_view text, std::string_view class_name);

/// The name in C++ of a value of an enum; nothing where the schema has none for it.
std::optional<std::string> enumerator(const types& known, id_type id, std::uint16_t value);

}  // namespace costar::capnpc
