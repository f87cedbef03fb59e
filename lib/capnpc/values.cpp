// SPDX-License-Identifier: MIT

#include "values.hpp"

#include "names.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace costar::capnpc {

namespace {

std::string signed_value(std::int64_t value, std::string_view type)
{
    if (value == std::numeric_limits<std::int64_t>::min())
        return fmt::format("std::numeric_limits<{}>::min()", type);
    return fmt::format("{}", value);
}

std::string unsigned_value(std::uint64_t value)
{
    return fmt::format("{}{}", value, value > std::numeric_limits<std::int32_t>::max() ? "U" : "");
}

template <class Number>
std::string real_value(Number value, std::string_view type, std::string_view suffix)
{
    if (std::isnan(value))
        return fmt::format("std::numeric_limits<{}>::quiet_NaN()", type);
    if (std::isinf(value))
        return fmt::format("{}std::numeric_limits<{}>::infinity()", value < 0 ? "-" : "", type);
    std::string made = fmt::format("{}", value);
    if (made.find_first_of(".e") == std::string::npos)
        made += ".0";
    return made + std::string(suffix);
}

}  // namespace

std::optional<std::string> enumerator(const types& known, id_type id, std::uint16_t value)
{
    const auto all = known.declared().at(id).getEnum().getEnumerants();
    if (value >= all.size())
        return std::nullopt;
    return snake_name(costar_name_of(all[value]));
}

std::string text_value(std::string_view text, std::string_view class_name)
{
    if (text.find('\0') == std::string_view::npos)
        return literal(text);
    return fmt::format("{}({}, {})", class_name, literal(text), text.size());
}

std::optional<std::string> simple_value(
    const types& known, capnp::schema::Type::Reader type, capnp::schema::Value::Reader value)
{
    using capnp::schema::Value;
    switch (value.which()) {
    case Value::BOOL:
        return value.getBool() ? "true" : "false";
    case Value::INT8:
        return signed_value(value.getInt8(), "");
    case Value::INT16:
        return signed_value(value.getInt16(), "");
    case Value::INT32:
        return signed_value(value.getInt32(), "");
    case Value::INT64:
        return signed_value(value.getInt64(), "std::int64_t");
    case Value::UINT8:
        return unsigned_value(value.getUint8());
    case Value::UINT16:
        return unsigned_value(value.getUint16());
    case Value::UINT32:
        return unsigned_value(value.getUint32());
    case Value::UINT64:
        return unsigned_value(value.getUint64());
    case Value::FLOAT32:
        return real_value(value.getFloat32(), "float", "F");
    case Value::FLOAT64:
        return real_value(value.getFloat64(), "double", "");
    case Value::ENUM: {
        const id_type id = type.getEnum().getTypeId();
        const std::string name = known.full_name_of(id);
        if (const auto found = enumerator(known, id, value.getEnum()))
            return fmt::format("{}::{}", name, *found);
        return fmt::format("{}({})", name, value.getEnum());
    }
    default:
        return std::nullopt;
    }
}

}  // namespace costar::capnpc
