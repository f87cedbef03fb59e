// SPDX-License-Identifier: MIT

#pragma once

#include "names.hpp"
#include "types.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace costar::capnpc {

struct record;
struct choice;

/// A constant of a schema.
struct constant {
    made_type type;
    id_type id = 0;
    std::string scope;
    std::string name;
    std::string schema;
    std::string doc;

    /// The value, where it is simple.
    std::string value;
};

/// A member of a struct in C++.
struct member {
    made_type type;
    std::string name;

    /// As in Cap'n Proto's `getTitle`.
    std::string title;

    /// What stands behind its name: " = 1", or nothing.
    std::string initial;

    /// The schema has a default that is a list, a struct or bytes: it is read when one is made.
    bool is_default_read = false;

    std::string doc;

    /// Its place among the fields of the schema's struct.
    unsigned index = 0;

    /// Set for a group, and for a union.
    std::unique_ptr<record> group;
    std::unique_ptr<choice> variant;
};

/// A struct in C++: a message, a group of fields, or what a union holds.
struct record {
    id_type id = 0;
    std::string scope;
    std::string name;

    /// Cap'n Proto's class. A member of a union that is no group has none of its own: that of the union.
    std::string schema;

    std::string doc;
    std::vector<member> members;

    /// The name of the member of a request that says the type of its answer, and of the key.
    std::string reply;
    std::string key;
    bool is_key_text = false;

    /// Other names for types that lie beside it: "inner", and the full one.
    std::vector<std::pair<std::string, std::string>> aliases;

    /// Simple ones that are declared in it.
    std::vector<constant> constants;

    /// It holds itself, by a box or a list.
    bool is_recursive = false;

    /// Something names it before it is defined.
    bool is_named_early = false;

    /// Has a mapping.
    bool is_message = false;

    bool holds_pids = false;

    std::string full_name() const { return "::" + joined(scope, name); }

    /// The namespace of what lies in it.
    std::string parts() const;
};

/// What a union may be.
struct alternative {
    std::unique_ptr<record> body;

    /// As in Cap'n Proto's `getTitle`.
    std::string title;

    /// Whether it is a group, whose fields are those of `body`. Else `body` has one member or none.
    bool is_group = false;
};

/// A union: a variant of one struct for each of its members.
struct choice {
    /// The full name of the variant.
    std::string scope;
    std::string name;

    /// Cap'n Proto's class.
    std::string schema;

    /// In the words of the schema, for the one that holds what is unknown.
    std::string place;

    bool holds_pids = false;

    std::vector<alternative> alternatives;

    std::string full_name() const { return "::" + joined(scope, name); }
};

}  // namespace costar::capnpc
