// SPDX-License-Identifier: MIT

#include "header_writer.hpp"

#include "names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace costar::capnpc {

std::string default_name(const record& of, const member& which)
{
    return fmt::format("{}::default_{}", of.parts(), which.name);
}

std::string makers_of(const constant& of)
{
    return joined(of.scope, "constant_parts");
}

void header_writer::write()
{
    forward();
    enums();
    for (const record* each : records_) {
        variants(*each);
        defaults(*each);
        structure(*each);
    }
    to_.enter("");
    for (const auto& each : model_.messages)
        mapping_of(*each);
    constants();
    to_.enter("");
}

void header_writer::forward()
{
    for (const auto& each : model_.messages) {
        if (!each->is_named_early)
            continue;
        to_.enter(each->scope);
        to_.line(fmt::format("struct {};", each->name));
    }
    to_.gap();
}

void header_writer::enums()
{
    for (const enumeration& each : model_.enums) {
        to_.enter(each.scope);
        to_.doc(0, each.doc);
        if (each.enumerators.empty()) {
            to_.line(0, fmt::format("enum class {} : std::uint16_t {{}};", each.name));
            to_.gap();
            continue;
        }
        to_.line(0, fmt::format("enum class {} : std::uint16_t {{", each.name));
        for (const auto& [name, doc] : each.enumerators) {
            to_.doc(4, doc);
            to_.line(4, name + ",");
        }
        to_.line("};");
        to_.gap();
    }
}

void header_writer::variants(const record& of)
{
    for (const member& each : of.members) {
        if (!each.variant)
            continue;
        to_.enter(each.variant->scope);
        std::vector<std::string> names;
        for (const alternative& one : each.variant->alternatives)
            names.push_back(one.body->name);
        names.emplace_back("costar::wire::unknown_member");
        to_.list(0, fmt::format("using {} = std::variant<", each.variant->name), names, ">;", breaks::late);
        to_.gap();
    }
}

void header_writer::defaults(const record& of)
{
    for (const member& each : of.members) {
        if (!each.is_default_read)
            continue;
        to_.enter(of.parts());
        to_.line(0, fmt::format("const {}& default_{}();", each.type.cxx, each.name));
        to_.gap();
    }
}

void header_writer::structure(const record& of)
{
    std::vector<std::string> taken = {of.name};
    for (const member& each : of.members)
        taken.push_back(each.name);
    for (const auto& [name, type] : of.aliases)
        taken.push_back(name);
    for (const constant& each : of.constants)
        taken.push_back(each.name);
    const auto brief = [&](std::string_view type) { return shortened(type, of.scope, taken); };

    to_.enter(of.scope);
    to_.doc(0, of.doc);
    to_.line(0, fmt::format("struct {} {{", of.name));
    for (const auto& [name, type] : of.aliases)
        to_.assign(4, "using " + name, brief(type), {}, ";");
    if (!of.reply.empty())
        to_.line(4, fmt::format("using reply = {};", brief(of.reply)));
    if (!of.aliases.empty() || !of.reply.empty())
        to_.gap();
    for (const constant& each : of.constants) {
        to_.doc(4, each.doc);
        const std::string type = each.type.how == form::text ? "std::string_view" : brief(each.type.cxx);
        to_.line(4, fmt::format("static constexpr {} {} = {};", type, each.name, brief(each.value)));
    }
    if (!of.constants.empty())
        to_.gap();
    for (const member& each : of.members) {
        // Who names some members only would be warned of those that have none. One may not have one where it
        // is of a type that is not complete.
        std::string initial = each.initial.empty() && !of.is_recursive ? " = {}" : each.initial;
        if (each.is_default_read)
            initial = fmt::format(" = ::{}()", default_name(of, each));
        to_.doc(4, each.doc);
        to_.line(4, fmt::format("{} {}{};", brief(each.type.declared()), each.name, brief(initial)));
    }
    if (!of.members.empty())
        to_.gap();
    if (of.is_key_text)
        to_.line(4, fmt::format("const std::string& hash_key() const {{ return {}; }}", of.key));
    else if (!of.key.empty())
        to_.line(4,
            fmt::format(
                "std::uint64_t hash_key() const {{ return static_cast<std::uint64_t>({}); }}", of.key));
    // A member that is called as its struct hides it.
    const bool is_hidden = std::ranges::find(of.members, of.name, &member::name) != of.members.end();
    to_.line(4,
        fmt::format("bool operator==(const {}&) const{};", is_hidden ? of.full_name() : of.name,
            of.is_recursive ? "" : " = default"));
    to_.line("};");
    to_.gap();
}

void header_writer::mapping_of(const record& of)
{
    const std::string name = of.full_name();
    std::vector<std::string> write = {fmt::format("const {}& from", name), "schema::Builder to"};
    std::vector<std::string> read = {"schema::Reader from"};
    if (of.holds_pids) {
        write.emplace_back("const pid_translator& pids");
        read.emplace_back("const pid_translator& pids");
    }
    to_.line("template <>");
    to_.line(0, fmt::format("struct costar::wire::mapping<{}> {{", name));
    to_.line(4, fmt::format("using schema = {};", of.schema));
    to_.gap();
    to_.list(4, "static void write(", write, ");");
    to_.list(4, fmt::format("static {} read(", name), read, ");");
    to_.line("};");
    to_.gap();
}

void header_writer::constants()
{
    for (const constant& each : model_.constants) {
        if (each.value.empty()) {
            to_.enter(makers_of(each));
            to_.line(0, fmt::format("{} {}();", each.type.cxx, each.name));
            to_.gap();
        }
        to_.enter(each.scope);
        to_.doc(0, each.doc);
        if (each.value.empty())
            to_.line(0,
                fmt::format("inline const {} {} = ::{}::{}();", shortened(each.type.cxx, each.scope, {}),
                    each.name, makers_of(each), each.name));
        else
            to_.line(0,
                fmt::format("inline constexpr {} {} = {};",
                    each.type.how == form::text ? "std::string_view"
                                                : shortened(each.type.cxx, each.scope, {}),
                    each.name, shortened(each.value, each.scope, {})));
        to_.gap();
    }
}

}  // namespace costar::capnpc
