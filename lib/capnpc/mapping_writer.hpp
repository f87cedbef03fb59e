// SPDX-License-Identifier: MIT

#pragma once

#include "code.hpp"
#include "model_builder.hpp"

#include <string>
#include <vector>

namespace costar::capnpc {

/// Writes what the declarations need: mappings, comparisons, and what is made of defaults and constants.
class mapping_writer {
public:
    mapping_writer(const file_model& model, const std::vector<record*>& records, code& to)
        : model_(model), records_(records), to_(to)
    {}

    void write();

private:
    void comparison(const record& of);
    void defaults(const record& of);
    void unions(const record& of);
    void put_union(const choice& of);
    void take_union(const choice& of);
    void group(const record& of);
    void message(const record& of);
    void put_members(const record& of);
    void take_members(const record& of);
    void constants();

    const file_model& model_;
    const std::vector<record*>& records_;
    code& to_;
};

}  // namespace costar::capnpc
