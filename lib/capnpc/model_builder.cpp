// SPDX-License-Identifier: MIT

#include "model_builder.hpp"

#include "names.hpp"
#include "values.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace costar::capnpc {

namespace {

/// A union with a name is a group that holds nothing else.
bool is_pure_union(node group)
{
    const auto fields = group.getStruct().getFields();
    return group.getStruct().getDiscriminantCount() == fields.size() && fields.size() > 0;
}

/// What to do where something is not possible in a message.
constexpr std::string_view advice =
    "; use wire::record of the struct for messages, and mark it $Costar.local";

}  // namespace

std::string record::parts() const
{
    return joined(scope, parts_name(name));
}

file_model model_builder::build(id_type file)
{
    made_ = {};
    made_.id = file;
    claimed_.clear();
    add_scope(file);
    std::ranges::sort(made_.used);
    const auto again = std::ranges::unique(made_.used);
    made_.used.erase(again.begin(), again.end());
    return std::move(made_);
}

void model_builder::add_scope(id_type scope)
{
    for (const auto nested : request_.at(scope).getNestedNodes()) {
        if (!request_.knows(nested.getId()))
            continue;
        try {
            add(nested.getId());
        } catch (const refusal& why) {
            made_.refusals.emplace_back(why.what());
        }
        add_scope(nested.getId());
    }
}

void model_builder::add(id_type id)
{
    const node what = request_.at(id);
    if (what.isEnum()) {
        add_enum(id);
    } else if (what.isConst() && !types_.is_local(id) && !types_.is_message(what.getScopeId())) {
        add_constant(id, nullptr);
    } else if (what.isInterface() && !types_.is_local(id)) {
        claim(types_.scope_of(id), types_.name_of(id), request_.place_of(id));
        made_.interfaces.push_back(make_interface(types_, id, made_.used));
        for (const method& each : made_.interfaces.back().methods)
            if (each.is_own && !each.result_name.empty())
                claim(types_.inner_scope_of(id), each.result_name,
                    request_.place_of(id, "the results of method", each.schema));
        for (const std::string_view suffix : {"_client", "_server"})
            claim(
                types_.scope_of(id), fmt::format("{}{}", types_.name_of(id), suffix), request_.place_of(id));
    } else if (what.isStruct() && !types_.is_local(id)) {
        const std::string place = request_.place_of(id);
        if (what.getIsGeneric())
            throw refusal(fmt::format(
                "{}: is not possible as a message because it has type parameters{}", place, advice));
        claim(types_.scope_of(id), types_.name_of(id), place);
        claim(types_.scope_of(id), parts_name(types_.name_of(id)), place);
        made_.messages.push_back(message(id));
    }
}

void model_builder::claim(const std::string& scope, const std::string& name, const std::string& place)
{
    take_name(claimed_[scope], name, place, place + ":");
}

void model_builder::add_enum(id_type id)
{
    const std::string place = request_.place_of(id);
    claim(types_.scope_of(id), types_.name_of(id), place);
    enumeration made{id, types_.scope_of(id), types_.name_of(id), request_.doc_of(id), {}};
    taken_names taken;
    const auto all = request_.at(id).getEnum().getEnumerants();
    for (unsigned i = 0; i < all.size(); ++i) {
        const std::string declared = all[i].getName().cStr();
        const std::string name = snake_name(costar_name_of(all[i]));
        take_name(taken, name, declared, request_.place_of(id, "enumerant", declared) + ":");
        made.enumerators.emplace_back(name, request_.doc_of(id, i));
    }
    made_.enums.push_back(std::move(made));
}

void model_builder::add_constant(id_type id, record* owner)
{
    const std::string place = request_.place_of(id);
    const auto from = request_.at(id).getConst();
    constant made;
    made.id = id;
    try {
        made.type = types_.type_of(from.getType(), place);
    } catch (const refusal& why) {
        throw refusal(std::string(why.what()) + "; mark it $Costar.local");
    }
    if (made.type.how == form::nothing || made.type.how == form::capability)
        return;
    if (made.type.holds_pids)
        throw refusal(
            place + ": the address of an actor is nothing that a schema can know; mark it $Costar.local");
    types_.note_used(made.type, made_.used);
    made.scope = types_.scope_of(id);
    made.name = types_.name_of(id);
    made.doc = request_.doc_of(id);
    made.schema = fmt::format("{}::{}", types_.schema_name_of(request_.at(id).getScopeId()),
        upper_name(annotation(request_.at(id), cxx_name).value_or(request_.name_of(id))));
    if (const auto value = simple_value(types_, from.getType(), from.getValue()))
        made.value = *value;
    else if (made.type.how == form::text) {
        const auto text = from.getValue().getText();
        made.value = text_value({text.begin(), text.size()}, "std::string_view");
    }
    if (owner != nullptr && !made.value.empty()) {
        owner->constants.push_back(std::move(made));
        return;
    }
    claim(made.scope, made.name, place);
    made_.constants.push_back(std::move(made));
}

std::unique_ptr<record> model_builder::message(id_type id)
{
    auto made = std::make_unique<record>();
    made->id = id;
    made->scope = types_.scope_of(id);
    made->name = types_.name_of(id);
    made->doc = request_.doc_of(id);
    made->is_message = true;
    made->holds_pids = types_.holds_pids(id);
    for (const auto nested : request_.at(id).getNestedNodes())
        if (request_.knows(nested.getId()) &&
            (types_.is_message(nested.getId()) || request_.at(nested.getId()).isEnum()))
            made->aliases.emplace_back(types_.name_of(nested.getId()), types_.full_name_of(nested.getId()));
    for (const auto nested : request_.at(id).getNestedNodes())
        if (request_.knows(nested.getId()) && request_.at(nested.getId()).isConst() &&
            !types_.is_local(nested.getId()))
            add_constant(nested.getId(), made.get());
    fill(*made, id, id, types_.schema_name_of(id));
    annotate(*made, id);
    check_names(*made);
    return made;
}

void model_builder::fill(record& into, id_type id, id_type message, const std::string& schema)
{
    const node from = request_.at(id);
    const auto fields = from.getStruct().getFields();
    into.schema = schema;
    for (const unsigned i : fields_as_written(from)) {
        if (is_in_union(fields[i]))
            continue;
        member made = fields[i].isGroup() ? group(into, fields[i], i, message) : field(fields[i], i, message);
        made.doc = request_.doc_of(id, i);
        if (made.type.how == form::nothing)
            continue;
        if (made.group)
            into.aliases.emplace_back(made.group->name, made.group->full_name());
        into.members.push_back(std::move(made));
    }
    if (from.getStruct().getDiscriminantCount() > 0) {
        member made;
        made.name = "which";
        made.variant = variant(into, "which", "as", id, message, schema);
        made.type = {form::choice, made.variant->full_name(), 0, made.variant->holds_pids};
        into.members.push_back(std::move(made));
    }
    for (const member& each : into.members) {
        if (!each.variant)
            continue;
        into.aliases.emplace_back(each.variant->name, each.variant->full_name());
        for (const alternative& one : each.variant->alternatives)
            into.aliases.emplace_back(one.body->name, one.body->full_name());
    }
    if (!into.is_message)
        check_names(into);
}

member model_builder::field(capnp::schema::Field::Reader from, unsigned index, id_type message)
{
    member made;
    made.name = snake_name(costar_name_of(from));
    made.title = title_name(schema_name(from));
    made.index = index;
    slot(made, from, message, request_.place_of(message, "field", from.getName().cStr()));
    return made;
}

member model_builder::group(
    const record& owner, capnp::schema::Field::Reader from, unsigned index, id_type message)
{
    const id_type id = from.getGroup().getTypeId();
    const std::string words = snake_words(costar_name_of(from));
    member made;
    made.name = snake_name(costar_name_of(from));
    made.title = title_name(schema_name(from));
    made.index = index;
    const std::string schema = owner.schema + "::" + made.title;
    if (is_pure_union(request_.at(id))) {
        made.variant = variant(owner, words, words, id, message, schema);
        made.type = {form::choice, made.variant->full_name(), 0, made.variant->holds_pids};
        return made;
    }
    made.group = std::make_unique<record>();
    made.group->id = id;
    made.group->scope = owner.parts();
    made.group->name = words + "_type";
    made.group->holds_pids = types_.holds_pids(id);
    fill(*made.group, id, message, schema);
    made.type = {form::group, made.group->full_name(), 0, made.group->holds_pids};
    return made;
}

void model_builder::slot(
    member& into, capnp::schema::Field::Reader from, id_type message, const std::string& place)
{
    const auto type = from.getSlot().getType();
    const auto value = from.getSlot().getDefaultValue();
    try {
        into.type = types_.type_of(type, place);
    } catch (const refusal& why) {
        throw refusal(std::string(why.what()) + std::string(advice));
    }
    if (into.type.how == form::capability || types_.lists_capabilities(into.type))
        throw refusal(fmt::format(
            "{}: a capability is not possible in a message because it belongs to its connection{}", place,
            advice));
    const id_type target = into.type.target;
    types_.note_used(into.type, made_.used);
    const bool has_default = from.getSlot().getHadExplicitDefault();
    if (into.type.how == form::message && types_.holds(target, message)) {
        into.type.how = form::boxed;
        if (request_.file_of(target).getId() != request_.file_of(message).getId())
            throw refusal(place +
                ": structs of two files that hold each other are not possible as messages; move "
                "them into one file");
        if (has_default)
            throw refusal(place +
                ": a default for a struct that may hold itself is not possible in a message" +
                std::string(advice));
    }
    if (const auto simple = simple_value(types_, type, value))
        into.initial = " = " + *simple;
    else if (value.isText() && value.getText().size() > 0)
        into.initial = " = " + text_value({value.getText().begin(), value.getText().size()}, "std::string");
    else if (value.isData() ? value.getData().size() > 0
                            : (has_default && (value.isList() || value.isStruct())))
        into.is_default_read = true;
    if (into.is_default_read && into.type.holds_pids)
        throw refusal(
            place + ": a default for what holds the address of an actor is nothing that a schema can know");
}

}  // namespace costar::capnpc
