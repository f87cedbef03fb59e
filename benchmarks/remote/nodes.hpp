// SPDX-License-Identifier: MIT

#pragma once

#include "harness.hpp"

#include <costar/remote/node.hpp>

#include "traffic.costar.hpp"  // made of traffic.capnp by capnpc-costar

namespace bench {

/// All that the nodes say to each other.
costar::wire::dictionary all_words();

/// R1: ten nodes in one process.
outcome ten_nodes(const order& order);

}  // namespace bench
