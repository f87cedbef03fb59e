// SPDX-License-Identifier: MIT

#pragma once

#include "greeting.hpp"
#include "link.hpp"

#include <optional>
#include <string>

namespace costar::remote {

/// Is the node that has greeted let in on this link, and on what do both agree? What the greeting says is
/// held against what its certificate proves, against who is allowed, and against the names of the nodes that
/// are there. Where it is not let in `place.refused` says why; who was refused once stays so on this link.
std::optional<agreement> admit(
    switchboard& board, pid link, link_place& place, const greeting& mine, const greeting& theirs);

/// May a program that is no node ask here? Where it is said who is let in, one of the names that its
/// certificate proves has to be among them.
bool admits_client(switchboard& board, const link_place& place);

/// In words, who has refused whom and why.
std::string text_of(const link_place& place);

}  // namespace costar::remote
