// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/kj_comparison.hpp>

#include <capnp/schema.capnp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace costar::capnpc {

using node = capnp::schema::Node::Reader;
using id_type = std::uint64_t;

/// Something in a schema of which no C++ can be made. The text says what, where and what to do.
class refusal : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a compiler of Cap'n Proto tells its plugins: all declarations, by their ids.
///
/// Lifetime: as the message that it reads.
class request {
public:
    explicit request(capnp::schema::CodeGeneratorRequest::Reader from);

    node at(id_type id) const { return nodes_.at(id); }
    bool knows(id_type id) const { return nodes_.contains(id); }

    /// The file that a declaration lies in. A group lies where its struct does.
    node file_of(id_type id) const;

    /// The name of a declaration in its file, without a scope, as its scope says it.
    std::string name_of(id_type id) const;

    /// As a person says it: "foo.capnp: struct Outer.Inner".
    std::string place_of(id_type id) const;
    std::string place_of(id_type id, std::string_view kind, std::string_view member) const;

    /// The comment under a declaration, and under one of its members. Empty where there is none.
    std::string doc_of(id_type id) const;
    std::string doc_of(id_type id, unsigned member) const;

private:
    std::map<id_type, node> nodes_;
    std::map<id_type, std::string> names_;
    std::map<id_type, capnp::schema::Node::SourceInfo::Reader> docs_;
};

/// Whether a field is a member of its struct's union.
bool is_in_union(capnp::schema::Field::Reader field);

/// The places of a struct's fields in the order in which they are written in the schema, those of its union
/// too.
std::vector<unsigned> fields_as_written(node of);

/// Those of the members of its union, in the order of their numbers there.
std::vector<unsigned> union_members(node of);

/// The text in an annotation; nothing where it is not there. An annotation without a value is an empty text.
template <class Declaration>
std::optional<std::string> annotation(const Declaration& from, id_type id)
{
    for (const auto each : from.getAnnotations()) {
        if (each.getId() != id)
            continue;
        const auto value = each.getValue();
        return value.isText() ? std::string(value.getText().cStr()) : std::string();
    }
    return std::nullopt;
}

inline constexpr id_type cxx_namespace = 0xb9c6f99ebf805f2c;
inline constexpr id_type cxx_name = 0xf264a779fef191ce;
inline constexpr id_type costar_namespace = 0xf0faf882e5736164;
inline constexpr id_type costar_name = 0xc6fcb37fe2f4fb78;
inline constexpr id_type costar_local = 0xd7eb756e829297a5;
inline constexpr id_type costar_reply = 0x81dc3d0bfeeebb6e;
inline constexpr id_type costar_key = 0xfc07c355c6badc54;
inline constexpr id_type schema_of_pid = 0xb392fcc127b69daa;

}  // namespace costar::capnpc
