// SPDX-License-Identifier: MIT

#include "statements.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace costar::capnpc {

namespace {

/// The arguments of a call, with the translator that a type needs.
std::vector<std::string> items_of(std::vector<std::string> items, const made_type& type)
{
    if (type.holds_pids)
        items.emplace_back("pids");
    return items;
}

/// What stands before a reader of this type, with its bracket; nothing where the value is read as it is.
std::string head_of(const made_type& type, std::string_view wire)
{
    switch (type.how) {
    case form::text:
        return fmt::format("{}text(", wire);
    case form::data:
        return fmt::format("{}bytes(", wire);
    case form::list:
        return fmt::format("{}vector<{}>(", wire, type.cxx);
    case form::enumeration:
        return fmt::format("static_cast<{}>(", type.cxx);
    case form::message:
    case form::boxed:
        return fmt::format("{}mapping<{}>::read(", wire, type.cxx);
    default:
        return "";
    }
}

}  // namespace

std::string read_expression(const made_type& type, const std::string& reader)
{
    if (type.how == form::capability)
        return fmt::format("{}({})", type.cxx, reader);
    const std::string head = head_of(type, "costar::wire::");
    return head.empty() ? reader : fmt::format("{}{})", head, fmt::join(items_of({reader}, type), ", "));
}

std::string statements::reader(const member& of) const
{
    return of.title.empty() ? source_ : fmt::format("{}.get{}()", source_, of.title);
}

void statements::assign(
    std::size_t indent, std::string_view left, const made_type& type, const std::string& reader)
{
    const std::string head = head_of(type, wire_);
    if (head.empty())
        to_.assign(indent, left, reader, {}, ";");
    else
        to_.assign(indent, left, head, items_of({reader}, type), ");");
}

void statements::put(std::size_t indent, const member& what, const std::string& from, bool is_in_union)
{
    const bool may_be_absent = !is_in_union && what.initial.empty() && !what.is_default_read;
    const std::string target = what.title.empty() ? target_ : fmt::format("{}.init{}()", target_, what.title);
    switch (what.type.how) {
    case form::text:
    case form::data:
        if (may_be_absent) {
            to_.line(indent, fmt::format("if (!{}.empty())", from));
            indent += 4;
        }
        to_.list(indent, fmt::format("{}.set{}(", target_, what.title),
            {fmt::format("{}{}({})", wire_, what.type.how == form::text ? "text" : "data", from)}, ");");
        break;
    case form::list:
        if (may_be_absent) {
            to_.line(indent, fmt::format("if (!{}.empty())", from));
            indent += 4;
        }
        to_.list(indent, wire_ + "write_list(",
            items_of(
                {from, fmt::format("{}.init{}({}count({}))", target_, what.title, wire_, from)}, what.type),
            ");");
        break;
    case form::enumeration:
        to_.list(indent, fmt::format("{}.set{}(", target_, what.title),
            {fmt::format("static_cast<decltype({}.get{}())>({})", target_, what.title, from)}, ");");
        break;
    case form::boxed:
        to_.line(indent, fmt::format("if ({})", from));
        to_.list(indent + 4, fmt::format("{}mapping<{}>::write(", wire_, what.type.cxx),
            items_of({"*" + from, target}, what.type), ");");
        if (is_in_union) {
            to_.line(indent, "else");
            to_.line(indent + 4, fmt::format("{}.adopt{}({{}});", target_, what.title));
        }
        break;
    case form::message:
        to_.list(indent, fmt::format("{}mapping<{}>::write(", wire_, what.type.cxx),
            items_of({from, target}, what.type), ");");
        break;
    case form::group:
    case form::choice:
        to_.list(indent, "put(", items_of({from, target}, what.type), ");");
        break;
    case form::capability:
        to_.line(indent, fmt::format("{}.set{}(kj::mv(*{}));", target_, what.title, from));
        break;
    default:
        to_.line(indent, fmt::format("{}.set{}({});", target_, what.title, from));
    }
}

void statements::take(std::size_t indent, const member& what, const std::string& into)
{
    switch (what.type.how) {
    case form::list:
        to_.list(indent, wire_ + "read_list(", items_of({reader(what), into}, what.type), ");");
        break;
    case form::boxed:
        to_.line(indent, fmt::format("if ({}.has{}())", source_, what.title));
        assign(indent + 4, into, what.type, reader(what));
        break;
    case form::group:
    case form::choice:
        to_.list(indent, "take(", items_of({reader(what), into}, what.type), ");");
        break;
    default:
        assign(indent, into, what.type, reader(what));
    }
}

}  // namespace costar::capnpc
