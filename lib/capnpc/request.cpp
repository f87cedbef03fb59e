// SPDX-License-Identifier: MIT

#include "request.hpp"

#include <fmt/format.h>

namespace costar::capnpc {

namespace {

std::string_view kind_of(node what)
{
    switch (what.which()) {
    case capnp::schema::Node::FILE:
        return "file";
    case capnp::schema::Node::STRUCT:
        return "struct";
    case capnp::schema::Node::ENUM:
        return "enum";
    case capnp::schema::Node::INTERFACE:
        return "interface";
    case capnp::schema::Node::CONST:
        return "const";
    case capnp::schema::Node::ANNOTATION:
        return "annotation";
    }
    return "declaration";
}

}  // namespace

request::request(capnp::schema::CodeGeneratorRequest::Reader from)
{
    for (const auto each : from.getNodes()) {
        nodes_.emplace(each.getId(), each);
        for (const auto nested : each.getNestedNodes())
            names_.emplace(nested.getId(), nested.getName().cStr());
    }
    for (const auto each : from.getSourceInfo())
        docs_.emplace(each.getId(), each);
}

node request::file_of(id_type id) const
{
    node here = at(id);
    while (!here.isFile() && here.getScopeId() != 0)
        here = at(here.getScopeId());
    return here;
}

std::string request::name_of(id_type id) const
{
    const auto known = names_.find(id);
    if (known != names_.end())
        return known->second;
    const node what = at(id);
    return what.getDisplayName().cStr() + what.getDisplayNamePrefixLength();
}

std::string request::place_of(id_type id) const
{
    const node what = at(id);
    const std::string name = what.getDisplayName().cStr();
    const std::size_t colon = name.find(':');
    if (colon == std::string::npos)
        return name;
    return fmt::format("{}: {} {}", name.substr(0, colon), kind_of(what), name.substr(colon + 1));
}

std::string request::place_of(id_type id, std::string_view kind, std::string_view member) const
{
    return fmt::format("{}, {} {}", place_of(id), kind, member);
}

std::string request::doc_of(id_type id) const
{
    const auto found = docs_.find(id);
    return found == docs_.end() ? "" : found->second.getDocComment().cStr();
}

std::string request::doc_of(id_type id, unsigned member) const
{
    const auto found = docs_.find(id);
    if (found == docs_.end() || member >= found->second.getMembers().size())
        return "";
    return found->second.getMembers()[member].getDocComment().cStr();
}

}  // namespace costar::capnpc
