// SPDX-License-Identifier: MIT

#pragma once

#include "interface_model.hpp"
#include "model.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace costar::capnpc {

/// An enum in C++.
struct enumeration {
    id_type id = 0;
    std::string scope;
    std::string name;
    std::string doc;
    std::vector<std::pair<std::string, std::string>> enumerators;  // and the comments under them
};

/// What is made of one file.
struct file_model {
    id_type id = 0;
    std::vector<enumeration> enums;
    std::vector<std::unique_ptr<record>> messages;
    std::vector<constant> constants;
    std::vector<interface_model> interfaces;

    /// The other files whose types are used.
    std::vector<id_type> used;

    /// One sentence each.
    std::vector<std::string> refusals;
};

/// Makes the model of a file.
class model_builder {
public:
    explicit model_builder(const types& known) : types_(known), request_(known.declared()) {}

    file_model build(id_type file);

private:
    void add_scope(id_type scope);
    void add(id_type id);
    void add_enum(id_type id);
    void add_constant(id_type id, record* owner);
    std::unique_ptr<record> message(id_type id);
    void fill(record& into, id_type id, id_type message, const std::string& schema);
    member field(capnp::schema::Field::Reader from, unsigned index, id_type message);
    member group(const record& owner, capnp::schema::Field::Reader from, unsigned index, id_type message);
    void slot(member& into, capnp::schema::Field::Reader from, id_type message, const std::string& place);
    std::unique_ptr<choice> variant(const record& owner, const std::string& name, const std::string& prefix,
        id_type id, id_type message, const std::string& schema);
    alternative variant_member(const record& owner, const std::string& name, id_type id, unsigned index,
        id_type message, const std::string& schema);
    void annotate(record& into, id_type id);
    std::string reply_of(id_type id, const std::string& name) const;
    void check_names(const record& of) const;
    void claim(const std::string& scope, const std::string& name, const std::string& place);

    const types& types_;
    const request& request_;
    file_model made_;
    std::map<std::string, taken_names> claimed_;  // by scope
};

}  // namespace costar::capnpc
