// SPDX-License-Identifier: MIT

#include "statements.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace costar::capnpc {

namespace {

std::string pids_of(const made_type& type)
{
    return type.holds_pids ? ", pids" : "";
}

std::vector<std::string> arguments(std::string first, std::string second, const made_type& type)
{
    std::vector<std::string> made = {std::move(first), std::move(second)};
    if (type.holds_pids)
        made.emplace_back("pids");
    return made;
}

/// The type that a member has without its box.
std::string unboxed(const made_type& type)
{
    constexpr std::string_view box = "costar::wire::boxed<";
    if (!type.cxx.starts_with(box))
        return type.cxx;
    return type.cxx.substr(box.size(), type.cxx.size() - box.size() - 1);
}

}  // namespace

std::string read_expression(const made_type& type, const std::string& reader)
{
    switch (type.how) {
    case form::text:
        return fmt::format("costar::wire::text({})", reader);
    case form::data:
        return fmt::format("costar::wire::bytes({})", reader);
    case form::list:
        return fmt::format("costar::wire::vector<{}>({}{})", type.cxx, reader, pids_of(type));
    case form::enumeration:
        return fmt::format("static_cast<{}>({})", type.cxx, reader);
    case form::message:
    case form::boxed:
        return fmt::format("costar::wire::mapping<{}>::read({}{})", unboxed(type), reader, pids_of(type));
    case form::capability:
        return fmt::format("{}({})", type.cxx, reader);
    default:
        return reader;
    }
}

void statements::put(std::size_t indent, const member& what, const std::string& from, bool is_in_union)
{
    const bool may_be_absent = !is_in_union && what.initial.empty() && !what.is_default_read;
    const std::string begin = fmt::format("{}.init{}()", target_, what.title);
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
            arguments(
                from, fmt::format("{}.init{}({}count({}))", target_, what.title, wire_, from), what.type),
            ");");
        break;
    case form::enumeration:
        to_.list(indent, fmt::format("{}.set{}(", target_, what.title),
            {fmt::format("static_cast<decltype({}.get{}())>({})", target_, what.title, from)}, ");");
        break;
    case form::boxed:
        to_.line(indent, fmt::format("if ({})", from));
        to_.list(indent + 4, fmt::format("{}mapping<{}>::write(", wire_, unboxed(what.type)),
            arguments("*" + from, begin, what.type), ");");
        if (is_in_union) {
            to_.line(indent, "else");
            to_.line(indent + 4, fmt::format("{}.adopt{}({{}});", target_, what.title));
        }
        break;
    case form::message:
        to_.list(indent, fmt::format("{}mapping<{}>::write(", wire_, what.type.cxx),
            arguments(from, begin, what.type), ");");
        break;
    case form::group:
    case form::choice:
        to_.list(indent, "put(", arguments(from, what.title.empty() ? target_ : begin, what.type), ");");
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
    const std::string reader = fmt::format("{}.get{}()", source_, what.title);
    std::vector<std::string> items = {reader};
    if (what.type.holds_pids)
        items.emplace_back("pids");
    switch (what.type.how) {
    case form::list:
        to_.list(indent, wire_ + "read_list(", arguments(reader, into, what.type), ");");
        break;
    case form::boxed:
        to_.line(indent, fmt::format("if ({}.has{}())", source_, what.title));
        to_.assign(
            indent + 4, into, fmt::format("{}mapping<{}>::read(", wire_, unboxed(what.type)), items, ");");
        break;
    case form::message:
        to_.assign(indent, into, fmt::format("{}mapping<{}>::read(", wire_, what.type.cxx), items, ");");
        break;
    case form::text:
        to_.assign(indent, into, wire_ + "text(", items, ");");
        break;
    case form::data:
        to_.assign(indent, into, wire_ + "bytes(", items, ");");
        break;
    case form::enumeration:
        to_.assign(indent, into, fmt::format("static_cast<{}>(", what.type.cxx), items, ");");
        break;
    case form::group:
    case form::choice:
        to_.list(indent, "take(", arguments(what.title.empty() ? source_ : reader, into, what.type), ");");
        break;
    default:
        to_.assign(indent, into, reader, {}, ";");
    }
}

}  // namespace costar::capnpc
