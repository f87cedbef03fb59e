// SPDX-License-Identifier: MIT

#pragma once

#include "visitors.hpp"

#include <capnp/capability.h>
#include <costar/rpc/kj.hpp>

#include <memory>

namespace costar::remote {

struct link_place;

/// What a peer that has dialled sees of this node, as `node_server`. Its calls tell who it is, and a program
/// for which there is no place any more is told so by its first one: `OVERLOADED`.
kj::Own<capnp::Capability::Server> serve_visitor(
    std::shared_ptr<link_place> place, std::weak_ptr<visitors::place> visit);

}  // namespace costar::remote
