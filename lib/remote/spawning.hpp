// SPDX-License-Identifier: MIT

#pragma once

#include "switchboard.hpp"

#include <costar/kernel/message.hpp>
#include <costar/remote/spawn.hpp>

#include <capnp/blob.h>

#include <cstdint>
#include <string>

namespace costar::remote {

/// Who wants something of this node.
struct visitor {
    std::uint32_t number = 0;
    std::string name;
    std::string address;
};

/// Spawns an actor for a node, if it may have one. In the turn of a strand.
///
/// Errors: none but `std::bad_alloc`; what went wrong stands in the answer.
machine::spawned spawn_here(switchboard& board, const visitor& for_whom, const newcomer& wanted,
    std::uint64_t type, capnp::Data::Reader arguments);

/// Tells that a node wants what it may not do, at the first time.
void tell_of_denial(switchboard& board, const visitor& who, const std::string& what);

/// An actor that does for this node itself, once, what links do for it with others: looks a name up, or
/// spawns. Nobody while the engine is stopping.
pid spawn_clerk(switchboard& board);

/// Ends the request in a message that no actor answers.
void fail(message&& asked, errc why);

}  // namespace costar::remote
