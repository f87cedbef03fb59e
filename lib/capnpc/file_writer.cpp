// SPDX-License-Identifier: MIT

#include "file_writer.hpp"

#include "code.hpp"
#include "header_writer.hpp"
#include "interface_writer.hpp"
#include "mapping_writer.hpp"
#include "model_builder.hpp"
#include "order.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace costar::capnpc {

namespace {

using requested_file = capnp::schema::CodeGeneratorRequest::RequestedFile::Reader;

struct included {
    std::string_view word;
    std::string_view header;
};

// What is said in made code, and where it is declared; in the order in which headers are included.
constexpr included of_costar[] = {
    {"costar::task<", "costar/core/task.hpp"},
    {"costar::rpc::pending<", "costar/rpc/await.hpp"},
    {"costar::rpc::call<", "costar/rpc/call.hpp"},
    {"costar::rpc::nothrow<", "costar/rpc/nothrow.hpp"},
    {"costar::rpc::service<", "costar/rpc/service.hpp"},
    {"costar::wire::boxed<", "costar/wire/boxed.hpp"},
    {"costar::wire::unknown_member", "costar/wire/list.hpp"},
    {"using reply = ", "costar/wire/values.hpp"},
    {"costar::pid", "costar/wire/values.hpp"},
};
constexpr included of_standard[] = {
    {"std::byte", "cstddef"},
    {"std::int", "cstdint"},
    {"std::uint", "cstdint"},
    {"std::numeric_limits", "limits"},
    {"std::string", "string"},
    {"std::string_view", "string_view"},
    {"std::move", "utility"},
    {"std::variant", "variant"},
    {"std::monostate", "variant"},
    {"std::get<", "variant"},
    {"std::vector", "vector"},
};

template <std::size_t Count>
void include(code& to, const included (&known)[Count], const std::string& body, std::string_view always = "")
{
    std::vector<std::string_view> names;
    if (!always.empty())
        names.push_back(always);
    for (const included& each : known)
        if (body.find(each.word) != std::string::npos)
            names.push_back(each.header);
    std::ranges::sort(names);
    const auto again = std::ranges::unique(names);
    names.erase(again.begin(), again.end());
    for (const std::string_view name : names)
        to.line(fmt::format("#include <{}>", name));
    if (!names.empty())
        to.gap();
}

std::string head(std::string_view schema)
{
    return fmt::format("// Made by capnpc-costar of {}; what is changed here will be lost.\n\n", schema);
}

/// The name of a made file. A schema may have any name.
std::string with_suffix(std::string_view schema, std::string_view suffix)
{
    constexpr std::string_view own = ".capnp";
    if (schema.ends_with(own))
        schema.remove_suffix(own.size());
    return fmt::format("{}{}", schema, suffix);
}

/// How another file's header is included: as the schema imports it.
std::string header_of(const request& from, requested_file file, id_type other)
{
    std::string name = from.at(other).getDisplayName().cStr();
    for (const auto import : file.getImports())
        if (import.getId() == other)
            name = import.getName().cStr();
    const std::string header = with_suffix(name, ".costar.hpp");
    return header.starts_with('/') ? fmt::format("<{}>", header.substr(1)) : fmt::format("\"{}\"", header);
}

std::string header_text(
    const request& from, requested_file file, const file_model& model, const std::string& body)
{
    const std::string schema = file.getFilename().cStr();
    code made;
    made.line(head(schema) + "#pragma once\n");
    include(made, of_costar, body, "costar/wire/mapping.hpp");
    include(made, of_standard, body);
    std::vector<std::string> others = {
        fmt::format("\"{}.h\"", std::filesystem::path(schema).filename().string())};
    for (const id_type other : model.used)
        if (other != file.getId())
            others.push_back(header_of(from, file, other));
    std::ranges::sort(others);
    for (const std::string& other : others)
        made.line(fmt::format("#include {}", other));
    made.gap();
    return made.text() + body;
}

std::string source_text(requested_file file, const std::string& body)
{
    const std::filesystem::path schema = file.getFilename().cStr();
    code made;
    made.line(head(schema.string()) +
        fmt::format("#include \"{}\"\n", with_suffix(schema.filename().string(), ".costar.hpp")));
    constexpr included here[] = {{"write_list", "costar/wire/list.hpp"},
        {"read_list", "costar/wire/list.hpp"}, {"wire::", "costar/wire/list.hpp"},
        {"pid_translator", "costar/wire/values.hpp"}};
    include(made, here, body);
    include(made, of_standard, body);
    return made.text() + body;
}

void write(const std::string& path, std::string text)
{
    while (text.ends_with("\n\n"))
        text.pop_back();
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (!folder.empty())
        std::filesystem::create_directories(folder);
    std::ofstream to(path, std::ios::binary);
    to << text;
    if (!to.flush())
        throw std::runtime_error(fmt::format("cannot write {}", path));
}

}  // namespace

std::vector<std::string> write_file(const request& from, requested_file file)
{
    const types known(from);
    file_model model = model_builder(known).build(file.getId());
    if (!model.refusals.empty())
        return model.refusals;
    const std::vector<record*> records = in_order(model.messages);
    code declared;
    header_writer(model, records, declared).write();
    code defined;
    mapping_writer(model, records, defined).write();
    for (const interface_model& each : model.interfaces)
        interface_writer(each, declared, defined).write();
    declared.enter("");
    const std::string schema = file.getFilename().cStr();
    write(with_suffix(schema, ".costar.hpp"), header_text(from, file, model, declared.text()));
    write(with_suffix(schema, ".costar.cpp"), source_text(file, defined.text()));
    return {};
}

}  // namespace costar::capnpc
