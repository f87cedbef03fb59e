// SPDX-License-Identifier: MIT

#include "mapping_writer.hpp"

#include "header_writer.hpp"
#include "names.hpp"
#include "statements.hpp"

#include <fmt/format.h>

namespace costar::capnpc {

namespace {

std::vector<std::string> parameters(std::string first, std::string second, bool holds_pids)
{
    std::vector<std::string> made = {std::move(first), std::move(second)};
    if (holds_pids)
        made.emplace_back("const pid_translator& pids");
    return made;
}

/// A group in a union, as if it stood beside it.
member group_of(const alternative& of)
{
    member made;
    made.type = {form::group, of.body->full_name(), 0, of.body->holds_pids};
    made.title = of.title;
    return made;
}

}  // namespace

void mapping_writer::write()
{
    for (const record* each : records_) {
        comparison(*each);
        defaults(*each);
    }
    constants();
    if (records_.empty())
        return;
    to_.enter("costar::wire");
    for (const record* each : records_) {
        unions(*each);
        if (each->is_message)
            message(*each);
        else if (each->id != 0)
            group(*each);
    }
    to_.enter("");
}

void mapping_writer::comparison(const record& of)
{
    if (!of.is_recursive)
        return;
    const std::string name = of.full_name().substr(2);
    to_.function("bool", name + "::operator==(", {fmt::format("const {}& other", of.full_name())}, ") const");
    to_.line("{");
    std::string now = "    return ";
    for (std::size_t i = 0; i < of.members.size(); ++i) {
        const bool is_last = i + 1 == of.members.size();
        const std::string one =
            fmt::format("{} == other.{}{}", of.members[i].name, of.members[i].name, is_last ? ";" : " &&");
        if (now.size() + one.size() + 1 > code::columns) {
            to_.line(now);
            now = "       ";
        }
        now += (i == 0 ? "" : " ") + one;
    }
    to_.line(now);
    to_.line("}");
    to_.gap();
}

void mapping_writer::defaults(const record& of)
{
    for (const member& each : of.members) {
        if (!each.is_default_read)
            continue;
        to_.line(0, fmt::format("const {}& {}()", each.type.cxx, default_name(of, each)));
        to_.line("{");
        to_.line(4, fmt::format("constexpr auto getter = &{}::Reader::get{};", of.schema, each.title));
        const std::string reader = fmt::format("costar::wire::default_of(getter, {})", each.index);
        statements(to_, "", "").assign(4, "static const auto value", each.type, reader);
        to_.line(4, "return value;");
        to_.line("}");
        to_.gap();
    }
}

void mapping_writer::constants()
{
    for (const constant& each : model_.constants) {
        if (!each.value.empty())
            continue;
        to_.line(0, fmt::format("{} {}::{}()", each.type.cxx, makers_of(each), each.name));
        to_.line("{");
        to_.line(4, fmt::format("return {};", read_expression(each.type, "*" + each.schema)));
        to_.line("}");
        to_.gap();
    }
}

void mapping_writer::unions(const record& of)
{
    for (const member& each : of.members) {
        if (!each.variant)
            continue;
        put_union(*each.variant);
        take_union(*each.variant);
    }
}

void mapping_writer::put_union(const choice& of)
{
    to_.list(0, "static void put(",
        parameters(fmt::format("const {}& from", of.full_name()), of.schema + "::Builder to", of.holds_pids),
        ")");
    to_.line("{");
    to_.line(4, "switch (from.index()) {");
    for (std::size_t i = 0; i < of.alternatives.size(); ++i) {
        const alternative& each = of.alternatives[i];
        to_.line(4, fmt::format("case {}:", i));
        const std::string held = fmt::format("std::get<{}>(from)", i);
        if (each.is_group)
            statements(to_).put(8, group_of(each), held, true);
        else if (each.body->members.empty())
            to_.line(8, fmt::format("to.set{}();", each.title));
        else
            statements(to_).put(8, each.body->members.front(), held + ".value", true);
        to_.line(8, "break;");
    }
    to_.line(4, "default:");
    to_.line(8, fmt::format("refuse_unknown_member({});", literal(of.place)));
    to_.line(4, "}");
    to_.line("}");
    to_.gap();
}

void mapping_writer::take_union(const choice& of)
{
    to_.list(0, "static void take(",
        parameters(of.schema + "::Reader from", fmt::format("{}& to", of.full_name()), of.holds_pids), ")");
    to_.line("{");
    to_.line(4, "switch (static_cast<std::uint16_t>(from.which())) {");
    for (std::size_t i = 0; i < of.alternatives.size(); ++i) {
        const alternative& each = of.alternatives[i];
        to_.line(4, fmt::format("case {}:", i));
        const std::string held = fmt::format("to.emplace<{}>()", i);
        if (each.is_group)
            statements(to_).take(8, group_of(each), held);
        else if (each.body->members.empty())
            to_.line(8, held + ";");
        else if (each.body->members.front().type.how == form::boxed) {
            to_.line(8, held + ";");
            statements(to_).take(8, each.body->members.front(), fmt::format("std::get<{}>(to).value", i));
        } else
            statements(to_).take(8, each.body->members.front(), held + ".value");
        to_.line(8, "break;");
    }
    to_.line(4, "default:");
    to_.line(8, "to = unknown_member{static_cast<std::uint16_t>(from.which())};");
    to_.line(4, "}");
    to_.line("}");
    to_.gap();
}

void mapping_writer::group(const record& of)
{
    if (of.members.empty()) {
        to_.list(0, "static void put(",
            parameters("const " + of.full_name() + "&", of.schema + "::Builder", false), ") {}");
        to_.gap();
        to_.list(
            0, "static void take(", parameters(of.schema + "::Reader", of.full_name() + "&", false), ") {}");
        to_.gap();
        return;
    }
    to_.list(0, "static void put(",
        parameters(fmt::format("const {}& from", of.full_name()), of.schema + "::Builder to", of.holds_pids),
        ")");
    to_.line("{");
    put_members(of);
    to_.line("}");
    to_.gap();
    to_.list(0, "static void take(",
        parameters(of.schema + "::Reader from", fmt::format("{}& to", of.full_name()), of.holds_pids), ")");
    to_.line("{");
    take_members(of);
    to_.line("}");
    to_.gap();
}

void mapping_writer::message(const record& of)
{
    const bool is_empty = of.members.empty();
    const std::string name = of.full_name();
    const std::string_view tail = is_empty ? ") {}" : ")";
    to_.list(0, fmt::format("void mapping<{}>::write(", name),
        parameters(fmt::format("const {}&{}", name, is_empty ? "" : " from"),
            is_empty ? "schema::Builder" : "schema::Builder to", of.holds_pids),
        tail);
    if (!is_empty) {
        to_.line("{");
        put_members(of);
        to_.line("}");
    }
    to_.gap();
    std::vector<std::string> from = {is_empty ? "schema::Reader" : "schema::Reader from"};
    if (of.holds_pids)
        from.emplace_back("const pid_translator& pids");
    to_.function(name, fmt::format("mapping<{}>::read(", name), from, ")");
    to_.line("{");
    if (is_empty) {
        to_.line(4, "return {};");
    } else {
        to_.line(4, fmt::format("{} to;", name));
        take_members(of);
        to_.line(4, "return to;");
    }
    to_.line("}");
    to_.gap();
}

void mapping_writer::put_members(const record& of)
{
    for (const member& each : of.members)
        statements(to_).put(4, each, "from." + each.name, false);
}

void mapping_writer::take_members(const record& of)
{
    for (const member& each : of.members)
        statements(to_).take(4, each, "to." + each.name);
}

}  // namespace costar::capnpc
