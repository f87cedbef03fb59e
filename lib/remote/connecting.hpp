// SPDX-License-Identifier: MIT

#pragma once

#include "switchboard.hpp"

#include <costar/remote/transport.hpp>

#include <memory>
#include <string>

namespace costar::remote {

/// An actor that dials a node, and holds the link to it. What is sent meanwhile waits in its mailbox.
pid spawn_dialling_link(switchboard& board, const std::string& address);

/// The actor that accepts connections, each for a link of its own, which is its child.
pid spawn_listener(switchboard& board, std::unique_ptr<acceptor> door);

/// The actor that looks after certificates now and then.
pid spawn_caretaker(switchboard& board);

}  // namespace costar::remote
