// SPDX-License-Identifier: MIT

#pragma once

#include "code.hpp"
#include "model_builder.hpp"

#include <string>
#include <vector>

namespace costar::capnpc {

/// Writes the declarations that are made of a file: enums, structs, mappings and constants.
class header_writer {
public:
    header_writer(const file_model& model, const std::vector<record*>& records, code& to)
        : model_(model), records_(records), to_(to)
    {}

    void write();

private:
    void forward();
    void enums();
    void variants(const record& of);
    void defaults(const record& of);
    void structure(const record& of);
    void mapping_of(const record& of);
    void constants();

    const file_model& model_;
    const std::vector<record*>& records_;
    code& to_;
};

/// Functions that give what a member has by default.
std::string default_name(const record& of, const member& which);

/// Where functions lie that make the constants of a scope.
std::string makers_of(const constant& of);

}  // namespace costar::capnpc
