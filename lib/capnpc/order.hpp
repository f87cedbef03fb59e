// SPDX-License-Identifier: MIT

#pragma once

#include "model.hpp"

#include <vector>

namespace costar::capnpc {

/// All structs that are made of these messages, each behind those that it holds by value; and notes which
/// hold themselves.
std::vector<record*> in_order(const std::vector<std::unique_ptr<record>>& messages);

}  // namespace costar::capnpc
