// SPDX-License-Identifier: MIT

#include "request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

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

bool is_in_union(capnp::schema::Field::Reader field)
{
    return field.getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT;
}

std::vector<unsigned> fields_as_written(node of)
{
    const auto fields = of.getStruct().getFields();
    std::vector<unsigned> made(fields.size());
    std::iota(made.begin(), made.end(), 0U);
    std::ranges::sort(made, {}, [&](unsigned i) { return fields[i].getCodeOrder(); });
    return made;
}

std::vector<unsigned> union_members(node of)
{
    const auto fields = of.getStruct().getFields();
    std::vector<unsigned> made;
    for (unsigned i = 0; i < fields.size(); ++i)
        if (is_in_union(fields[i]))
            made.push_back(i);
    std::ranges::sort(made, {}, [&](unsigned i) { return fields[i].getDiscriminantValue(); });
    return made;
}

}  // namespace costar::capnpc
