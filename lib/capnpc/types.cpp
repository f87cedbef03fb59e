// SPDX-License-Identifier: MIT

#include "types.hpp"

#include "names.hpp"

#include <fmt/format.h>

namespace costar::capnpc {

namespace {

/// "a.b" or "a::b" as "a::b".
std::string as_space(std::string_view name)
{
    std::string made;
    for (const char letter : name) {
        if (letter == '.')
            made += "::";
        else
            made += letter;
    }
    return made;
}

}  // namespace

std::string made_type::declared() const
{
    return how == form::boxed ? fmt::format("costar::wire::boxed<{}>", cxx) : cxx;
}

void take_name(
    taken_names& taken, const std::string& name, const std::string& holder, const std::string& sentence)
{
    const auto [first, is_new] = taken.emplace(name, holder);
    if (!is_new)
        throw refusal(fmt::format("{} is called {} in C++, as is {}; give one of them a $Costar.name",
            sentence, name, first->second));
}

std::string checked_name(std::string_view declaration, const std::string& chosen)
{
    if (!is_name(chosen))
        throw refusal(fmt::format("{}: its $Costar.name, \"{}\", is no name in C++", declaration, chosen));
    return chosen;
}

std::string types::space_of(id_type file) const
{
    const auto own = annotation(request_.at(file), costar_namespace);
    return own ? as_space(*own) : schema_space_of(file);
}

std::string types::schema_space_of(id_type file) const
{
    return as_space(annotation(request_.at(file), cxx_namespace).value_or(""));
}

std::string types::name_of(id_type id) const
{
    const node what = request_.at(id);
    if (const auto own = annotation(what, costar_name))
        return snake_name(checked_name(request_.place_of(id), *own));
    const std::string declared = annotation(what, cxx_name).value_or(request_.name_of(id));
    const std::string name = snake_name(declared);
    if (!is_message(what.getScopeId()))
        return name;
    for (const auto field : request_.at(what.getScopeId()).getStruct().getFields())
        if (snake_name(costar_name_of(field)) == name)
            return snake_words(declared) + "_type";
    return name;
}

std::string types::scope_of(id_type id) const
{
    return inner_scope_of(request_.at(id).getScopeId());
}

std::string types::inner_scope_of(id_type id) const
{
    if (request_.at(id).isFile())
        return space_of(id);
    const std::string name = name_of(id);
    return joined(scope_of(id), is_message(id) ? parts_name(name) : name);
}

std::string types::full_name_of(id_type id) const
{
    if (id == schema_of_pid)
        return "costar::pid";
    return "::" + joined(scope_of(id), name_of(id));
}

std::string types::schema_name_of(id_type id) const
{
    const node what = request_.at(id);
    if (what.isFile())
        return schema_space_of(id).empty() ? "" : "::" + schema_space_of(id);
    return schema_name_of(what.getScopeId()) +
        "::" + annotation(what, cxx_name).value_or(request_.name_of(id));
}

bool types::is_local(id_type id) const
{
    return annotation(request_.at(id), costar_local) || annotation(request_.file_of(id), costar_local);
}

bool types::is_message(id_type id) const
{
    if (!request_.knows(id))
        return false;
    const node what = request_.at(id);
    return what.isStruct() && !what.getIsGeneric() && what.getScopeId() != 0 && !is_local(id);
}

made_type types::type_of(capnp::schema::Type::Reader type, const std::string& place) const
{
    using capnp::schema::Type;
    switch (type.which()) {
    case Type::VOID:
        return {form::nothing, "std::monostate"};
    case Type::BOOL:
        return {form::number, "bool"};
    case Type::INT8:
        return {form::number, "std::int8_t"};
    case Type::INT16:
        return {form::number, "std::int16_t"};
    case Type::INT32:
        return {form::number, "std::int32_t"};
    case Type::INT64:
        return {form::number, "std::int64_t"};
    case Type::UINT8:
        return {form::number, "std::uint8_t"};
    case Type::UINT16:
        return {form::number, "std::uint16_t"};
    case Type::UINT32:
        return {form::number, "std::uint32_t"};
    case Type::UINT64:
        return {form::number, "std::uint64_t"};
    case Type::FLOAT32:
        return {form::number, "float"};
    case Type::FLOAT64:
        return {form::number, "double"};
    case Type::TEXT:
        return {form::text, "std::string"};
    case Type::DATA:
        return {form::data, "std::vector<std::byte>"};
    case Type::ENUM:
        return {form::enumeration, full_name_of(type.getEnum().getTypeId()), type.getEnum().getTypeId()};
    case Type::STRUCT:
        return struct_type(type.getStruct().getTypeId(), place);
    case Type::INTERFACE:
        return {form::capability, schema_name_of(type.getInterface().getTypeId()) + "::Client",
            type.getInterface().getTypeId()};
    case Type::LIST: {
        const made_type element = type_of(type.getList().getElementType(), place);
        return {form::list, fmt::format("std::vector<{}>", element.cxx), element.target, element.holds_pids};
    }
    case Type::ANY_POINTER:
        break;
    }
    const auto any = type.getAnyPointer();
    if (any.isParameter() || any.isImplicitMethodParameter())
        throw refusal(place + ": a type parameter has no type in C++ here");
    throw refusal(place + ": nothing is known of what an AnyPointer points to");
}

made_type types::struct_type(id_type id, const std::string& place) const
{
    const node what = request_.at(id);
    const std::string name = request_.name_of(id);
    if (id == schema_of_pid)
        return {form::message, "costar::pid", id, true};
    if (what.getIsGeneric())
        throw refusal(
            fmt::format("{}: {} has type parameters, of which no type in C++ is made", place, name));
    if (!is_message(id))
        throw refusal(fmt::format("{}: {} is $Costar.local, so no type in C++ is made of it", place, name));
    if (space_of(request_.file_of(id).getId()) == "costar::schema")
        throw refusal(fmt::format("{}: {} stands for a plain value where that is a whole message; inside of "
                                  "one write the plain type",
            place, name));
    return {form::message, full_name_of(id), id, holds_pids(id)};
}

bool types::holds_pids(id_type id) const
{
    std::set<id_type> seen;
    return id == schema_of_pid || reaches(id, schema_of_pid, true, seen);
}

bool types::holds(id_type outer, id_type inner) const
{
    std::set<id_type> seen;
    return reaches(outer, inner, false, seen);
}

void types::note_used(const made_type& type, std::vector<id_type>& files) const
{
    if (type.how != form::capability && type.target != 0 && type.target != schema_of_pid)
        files.push_back(request_.file_of(type.target).getId());
}

bool types::lists_capabilities(const made_type& type) const
{
    return type.how == form::list && type.target != 0 && request_.at(type.target).isInterface();
}

bool types::reaches(id_type here, id_type wanted, bool through_lists, std::set<id_type>& seen) const
{
    if (!seen.insert(here).second || !request_.knows(here))
        return false;
    for (const auto field : request_.at(here).getStruct().getFields()) {
        id_type next = 0;
        if (field.isGroup()) {
            next = field.getGroup().getTypeId();
        } else {
            auto type = field.getSlot().getType();
            while (through_lists && type.isList())
                type = type.getList().getElementType();
            if (type.isStruct())
                next = type.getStruct().getTypeId();
        }
        if (next != 0 && (next == wanted || reaches(next, wanted, through_lists, seen)))
            return true;
    }
    return false;
}

}  // namespace costar::capnpc
