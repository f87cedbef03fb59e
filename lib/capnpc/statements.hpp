// SPDX-License-Identifier: MIT

#pragma once

#include "code.hpp"
#include "model.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace costar::capnpc {

/// An expression that reads a value of this type from a reader.
std::string read_expression(const made_type& type, const std::string& reader);

/// Writes statements that put members into a builder, or take them from a reader.
class statements {
public:
    /// In the namespace of mappings, where builder and reader are called `to` and `from`.
    explicit statements(code& to) : to_(to), target_("to"), source_("from") {}

    /// Elsewhere.
    statements(code& to, std::string target, std::string source)
        : to_(to), wire_("costar::wire::"), target_(std::move(target)), source_(std::move(source))
    {}

    /// What gives a member of the source. A whole message has no title: it is the source itself.
    std::string reader(const member& of) const;

    void put(std::size_t indent, const member& what, const std::string& from, bool is_in_union);
    void take(std::size_t indent, const member& what, const std::string& into);

    /// Reads a value of this type from a reader, into a new variable or another.
    void assign(std::size_t indent, std::string_view left, const made_type& type, const std::string& reader);

private:
    code& to_;
    std::string wire_;
    std::string target_;
    std::string source_;
};

}  // namespace costar::capnpc
