// SPDX-License-Identifier: MIT

#include "interface_model.hpp"

#include "names.hpp"

#include <fmt/format.h>

#include <set>
#include <string_view>
#include <utility>

namespace costar::capnpc {

namespace {

constexpr id_type stream_result = 0x995f9a3377c0b16e;
constexpr std::string_view raw_advice =
    "; mark the interface $Costar.local and use Cap'n Proto's own classes, or wire::record";

class builder {
public:
    builder(const types& known, std::vector<id_type>& used)
        : types_(known), request_(known.declared()), used_(used)
    {}

    interface_model build(id_type id)
    {
        if (request_.at(id).getIsGeneric())
            throw refusal(fmt::format(
                "{}: has type parameters, of which no client is made{}", request_.place_of(id), raw_advice));
        made_ = {types_.name_of(id), types_.scope_of(id), types_.inner_scope_of(id),
            types_.schema_name_of(id), request_.doc_of(id), {}};
        add(id, true);
        check_names(id);
        return std::move(made_);
    }

private:
    /// The methods of the bases come first.
    void add(id_type id, bool is_own)
    {
        if (!seen_.insert(id).second)
            return;
        const auto from = request_.at(id).getInterface();
        for (const auto base : from.getSuperclasses()) {
            if (request_.at(base.getId()).getIsGeneric())
                throw refusal(fmt::format("{}: has a base with type parameters, of which no client is made{}",
                    request_.place_of(id), raw_advice));
            if (!types_.is_local(base.getId()))
                used_.push_back(request_.file_of(base.getId()).getId());
            add(base.getId(), false);
        }
        const auto methods = from.getMethods();
        for (unsigned i = 0; i < methods.size(); ++i) {
            method made = one(id, methods[i]);
            made.doc = request_.doc_of(id, i);
            made.is_own = is_own;
            made_.methods.push_back(std::move(made));
        }
    }

    method one(id_type id, capnp::schema::Method::Reader from)
    {
        const std::string place = request_.place_of(id, "method", from.getName().cStr());
        if (from.getImplicitParameters().size() > 0)
            throw refusal(
                fmt::format("{}: has type parameters, of which no function is made{}", place, raw_advice));
        method made;
        made.name = snake_name(costar_name_of(from));
        made.schema = schema_name(from);
        made.results = fmt::format("{}::{}Results", types_.schema_name_of(id), title_name(made.schema));
        made.asked = read(from.getParamStructType(), place, "parameter");
        made.is_streamed = from.getResultStructType() == stream_result;
        if (!made.is_streamed)
            made.given = read(from.getResultStructType(), place, "result");
        const node results = request_.at(from.getResultStructType());
        if (results.getScopeId() != 0)
            made.results = types_.schema_name_of(results.getId());
        if (made.given.empty()) {
            made.result = "void";
        } else if (made.given.size() == 1) {
            made.result = made.given.front().type.cxx;
        } else {
            made.result_name = snake_words(costar_name_of(from)) + "_result";
            made.result = fmt::format("::{}::{}", types_.inner_scope_of(id), made.result_name);
            if (types_.is_local(id))
                throw refusal(
                    place + ": is inherited of an interface that is $Costar.local" + std::string(raw_advice));
        }
        return made;
    }

    fields read(id_type id, const std::string& method, std::string_view kind)
    {
        const node from = request_.at(id);
        fields made;
        if (from.getIsGeneric())
            throw refusal(fmt::format("{}: {} has type parameters, of which no type in C++ is made{}", method,
                request_.name_of(id), raw_advice));
        if (from.getScopeId() != 0 && types_.is_message(id)) {
            member& whole = made.emplace_back();
            whole.name = "message";
            whole.type = {form::message, types_.full_name_of(id), id, types_.holds_pids(id)};
            types_.note_used(whole.type, used_);
            check(whole.type, method);
            return made;
        }
        const auto all = from.getStruct().getFields();
        for (const unsigned i : fields_as_written(from)) {
            const std::string place = fmt::format("{}, {} {}", method, kind, all[i].getName().cStr());
            if (all[i].isGroup() || is_in_union(all[i]))
                throw refusal(fmt::format(
                    "{}: is a group or in a union of a struct that is $Costar.local{}", place, raw_advice));
            member each = parameter(all[i], place);
            each.index = i;
            if (each.type.how != form::nothing)
                made.push_back(std::move(each));
        }
        return made;
    }

    member parameter(capnp::schema::Field::Reader from, const std::string& place)
    {
        member made;
        made.name = snake_name(costar_name_of(from));
        made.title = title_name(schema_name(from));
        try {
            made.type = types_.type_of(from.getSlot().getType(), place);
        } catch (const refusal& why) {
            throw refusal(std::string(why.what()) + std::string(raw_advice));
        }
        // An empty one is written then, since an absent one would be the default.
        made.is_default_read = from.getSlot().getHadExplicitDefault();
        if (types_.lists_capabilities(made.type))
            throw refusal(place + ": is a list of capabilities" + std::string(raw_advice));
        if (made.type.how == form::capability)
            made.type.cxx = fmt::format("costar::rpc::nothrow<{}>", made.type.cxx);
        types_.note_used(made.type, used_);
        check(made.type, place);
        return made;
    }

    static void check(const made_type& type, const std::string& place)
    {
        if (type.holds_pids)
            throw refusal(place +
                ": holds the address of an actor, which means something between nodes only; "
                "a client outside is given a capability");
    }

    void check_names(id_type id) const
    {
        taken_names taken = {
            {made_.name + "_client", "the client itself"}, {made_.name + "_server", "the server itself"}};
        for (const method& each : made_.methods) {
            take_name(taken, each.name, "method " + each.schema,
                request_.place_of(id, "method", each.schema) + ":");
            for (const fields* all : {&each.asked, &each.given}) {
                std::set<std::string> names;
                for (const member& one : *all)
                    if (!names.insert(one.name).second)
                        throw refusal(fmt::format(
                            "{}, method {}: has two values that are called {} in C++; give one of "
                            "them a $Costar.name",
                            request_.place_of(id), each.schema, one.name));
            }
        }
    }

    const types& types_;
    const request& request_;
    std::vector<id_type>& used_;
    interface_model made_;
    std::set<id_type> seen_;
};

}  // namespace

interface_model make_interface(const types& known, id_type id, std::vector<id_type>& used)
{
    return builder(known, used).build(id);
}

}  // namespace costar::capnpc
