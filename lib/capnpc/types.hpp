// SPDX-License-Identifier: MIT

#pragma once

#include "request.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace costar::capnpc {

/// How a value is written and read.
enum class form {
    /// `Void`: nothing is there.
    nothing,
    /// A number or a truth value.
    number,
    /// An enum.
    enumeration,
    /// `Text`.
    text,
    /// `Data`.
    data,
    /// A list of anything.
    list,
    /// A struct that is a message.
    message,
    /// One that may hold its holder.
    boxed,
    /// A group of fields.
    group,
    /// A union.
    choice,
    /// A capability of an interface.
    capability,
};

/// What is made of a type.
struct made_type {
    form how = form::nothing;

    /// The type in C++, with all its namespaces; without its box.
    std::string cxx;

    /// For a message or a capability: its declaration.
    id_type target = 0;

    /// It holds addresses of actors, which a translator reads and writes.
    bool holds_pids = false;

    /// The type of a member, in its box where it has one.
    std::string declared() const;
};

/// Names and types in C++ of what a schema declares, and what of it can be a message.
class types {
public:
    explicit types(const request& from) : request_(from) {}

    /// The namespace of costar's types of a file, and of Cap'n Proto's own: "a::b".
    std::string space_of(id_type file) const;
    std::string schema_space_of(id_type file) const;

    /// The name in C++ that a declaration has in its scope, and the scope: "demo" or "demo::outer_parts".
    std::string name_of(id_type id) const;
    std::string scope_of(id_type id) const;

    /// Both: "::demo::outer_parts::inner".
    std::string full_name_of(id_type id) const;

    /// Where what lies in a declaration has its place: for a message beside it, since its members need it.
    std::string inner_scope_of(id_type id) const;

    /// Cap'n Proto's own class: "::demo::Outer::Inner".
    std::string schema_name_of(id_type id) const;

    bool is_local(id_type id) const;
    bool is_message(id_type id) const;

    /// What is made of a type. `place` says where, in refusals.
    made_type type_of(capnp::schema::Type::Reader type, const std::string& place) const;

    /// Whether a struct holds an address of an actor.
    bool holds_pids(id_type id) const;

    /// Whether a struct holds another as a member or a member's member, which it then cannot hold by value.
    bool holds(id_type outer, id_type inner) const;

    /// Whether it is a list of capabilities, or of lists of them.
    bool lists_capabilities(const made_type& type) const;

    /// Adds the file whose made header declares the type, if there is one.
    void note_used(const made_type& type, std::vector<id_type>& files) const;

    const request& declared() const { return request_; }

private:
    made_type struct_type(id_type id, const std::string& place) const;
    bool reaches(id_type here, id_type wanted, bool through_lists, std::set<id_type>& seen) const;

    const request& request_;
};

/// Names of C++ in one scope, and who has them.
using taken_names = std::map<std::string, std::string>;

/// Adds a name. Throws a refusal where it is there, a sentence that begins with these words.
void take_name(
    taken_names& taken, const std::string& name, const std::string& holder, const std::string& sentence);

/// What somebody chose as the name of a declaration. Throws a refusal where it can be none.
std::string checked_name(std::string_view declaration, const std::string& chosen);

/// The name of a field, an enumerant or a method for Cap'n Proto's classes.
template <class Declaration>
std::string schema_name(const Declaration& of)
{
    return annotation(of, cxx_name).value_or(of.getName().cStr());
}

/// The name for costar's, as it is declared: still in camelCase. Throws a refusal where it can be none.
template <class Declaration>
std::string costar_name_of(const Declaration& of)
{
    const auto own = annotation(of, costar_name);
    return own ? checked_name(of.getName().cStr(), *own) : schema_name(of);
}

}  // namespace costar::capnpc
