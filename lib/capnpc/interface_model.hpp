// SPDX-License-Identifier: MIT

#pragma once

#include "model.hpp"

#include <string>
#include <vector>

namespace costar::capnpc {

/// What a method is given, or gives: fields one by one, or one struct that is a message, which has no title.
using fields = std::vector<member>;

/// A method of an interface.
struct method {
    std::string name;

    /// Of Cap'n Proto: "sayHello", and its class of results.
    std::string schema;
    std::string results;

    std::string doc;
    fields asked;
    fields given;

    /// What it gives in C++: "void", one value, or a struct of several.
    std::string result;
    std::string result_name;

    bool is_streamed = false;

    /// Declared here, not in a base.
    bool is_own = false;
};

/// An interface, with the methods of its bases.
struct interface_model {
    std::string name;
    std::string scope;

    /// The namespace of what lies in it.
    std::string parts;

    std::string schema;
    std::string doc;
    std::vector<method> methods;
};

/// Makes the model. Throws a refusal. Adds the files whose types are used.
interface_model make_interface(const types& known, id_type id, std::vector<id_type>& used);

}  // namespace costar::capnpc
