// SPDX-License-Identifier: MIT

// The part of the builder that makes unions, annotations and checks.

#include "model_builder.hpp"
#include "names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace costar::capnpc {

std::unique_ptr<choice> model_builder::variant(const record& owner, const std::string& name,
    const std::string& prefix, id_type id, id_type message, const std::string& schema)
{
    auto made = std::make_unique<choice>();
    made->scope = owner.parts();
    made->name = name + "_type";
    made->schema = schema;
    made->place = request_.place_of(message);
    if (id != message)
        made->place = request_.place_of(message, "union", request_.name_of(id));
    const auto fields = request_.at(id).getStruct().getFields();
    for (const unsigned i : union_members(request_.at(id))) {
        const std::string words = snake_words(costar_name_of(fields[i]));
        alternative each = variant_member(owner, prefix + "_" + words, id, i, message, schema);
        each.body->doc = request_.doc_of(id, i);
        made->holds_pids = made->holds_pids || each.body->holds_pids;
        made->alternatives.push_back(std::move(each));
    }
    return made;
}

alternative model_builder::variant_member(const record& owner, const std::string& name, id_type id,
    unsigned index, id_type message, const std::string& schema)
{
    const auto from = request_.at(id).getStruct().getFields()[index];
    alternative made;
    made.title = title_name(schema_name(from));
    made.is_group = from.isGroup();
    made.body = std::make_unique<record>();
    made.body->scope = owner.parts();
    made.body->name = name;
    made.body->schema = schema;
    if (from.isGroup()) {
        const id_type group = from.getGroup().getTypeId();
        made.body->id = group;
        made.body->holds_pids = types_.holds_pids(group);
        fill(*made.body, group, message, schema + "::" + made.title);
        return made;
    }
    member value = field(from, index, message);
    value.name = "value";
    made.body->holds_pids = value.type.holds_pids;
    if (value.type.how != form::nothing)
        made.body->members.push_back(std::move(value));
    return made;
}

void model_builder::annotate(record& into, id_type id)
{
    const node from = request_.at(id);
    if (const auto name = annotation(from, costar_reply))
        into.reply = reply_of(id, *name);
    const auto fields = from.getStruct().getFields();
    for (member& each : into.members) {
        if (each.variant || each.group || !annotation(fields[each.index], costar_key))
            continue;
        const std::string place = request_.place_of(id, "field", fields[each.index].getName().cStr());
        if (!into.key.empty())
            throw refusal(
                fmt::format("{}: is $Costar.key, as is {}; a message has one key", place, into.key));
        const bool is_real = each.type.cxx == "float" || each.type.cxx == "double";
        if (is_real ||
            (each.type.how != form::number && each.type.how != form::text &&
                each.type.how != form::enumeration))
            throw refusal(place + ": cannot be $Costar.key, which is an integer, an enum or a text");
        into.key = each.name;
        into.is_key_text = each.type.how == form::text;
    }
    for (const auto field : fields)
        if (annotation(field, costar_key) && into.key.empty())
            throw refusal(request_.place_of(id, "field", field.getName().cStr()) +
                ": cannot be $Costar.key, which is a field beside groups and unions");
}

std::string model_builder::reply_of(id_type id, const std::string& name) const
{
    static const std::map<std::string_view, std::string_view> plain = {{"Void", "void"}, {"Bool", "bool"},
        {"Int64", "std::int64_t"}, {"UInt64", "std::uint64_t"}, {"Float64", "double"},
        {"Text", "std::string"}, {"Data", "std::vector<std::byte>"}, {"Pid", "costar::pid"}};
    // From the struct outwards, as the schema's own names are looked for.
    for (id_type scope = id; scope != 0; scope = request_.at(scope).getScopeId()) {
        id_type here = scope;
        std::string_view rest = name;
        while (!rest.empty() && here != 0) {
            const std::string_view word = rest.substr(0, rest.find('.'));
            rest.remove_prefix(std::min(rest.size(), word.size() + 1));
            id_type next = 0;
            for (const auto nested : request_.at(here).getNestedNodes())
                if (word == nested.getName().cStr() && request_.knows(nested.getId()))
                    next = nested.getId();
            here = next;
        }
        if (here != 0 && types_.is_message(here))
            return types_.full_name_of(here);
    }
    if (const auto found = plain.find(name); found != plain.end())
        return std::string(found->second);
    throw refusal(
        fmt::format("{}: its $Costar.reply is \"{}\", but no struct of this file that is a message has "
                    "that name here; else it is Void, Bool, Int64, UInt64, Float64, Text, Data or Pid",
            request_.place_of(id), name));
}

void model_builder::check_names(const record& of) const
{
    taken_names taken;
    const std::string place = of.is_message
        ? request_.place_of(of.id)
        : request_.place_of(request_.at(of.id).getScopeId(), "group", request_.name_of(of.id));
    const auto take = [&](const std::string& name, const std::string& what) {
        take_name(taken, name, what, fmt::format("{}: {}", place, what));
    };
    if (!of.reply.empty())
        take("reply", "the type of its answer");
    if (!of.key.empty())
        take("hash_key", "the function for its key");
    for (const member& each : of.members)
        take(each.name, each.title.empty() ? "the union without a name" : "field " + each.title);
    // A member may be called as its struct, all else not.
    taken.erase(of.name);
    take(of.name, "the struct itself");
    for (const constant& each : of.constants)
        take(each.name, "const " + request_.name_of(each.id));
    for (const auto& [name, type] : of.aliases)
        take(name, "the type " + type);
}

}  // namespace costar::capnpc
