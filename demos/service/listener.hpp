// SPDX-License-Identifier: MIT

#pragma once

#include "connection.hpp"
#include "teller.hpp"

#include <costar/core/task.hpp>

#include <cstdint>
#include <vector>

namespace service {

/// Opens a port of 127.0.0.1. Errors: throws `boost::system::system_error`.
acceptor open_port(costar::strand where, std::uint16_t port);

/// An actor that accepts connections and spawns a session for each, on the strands in turn.
///
/// The sessions are its children: when it is stopped it accepts no more, and has ended when the last of them
/// has.
costar::task<> listener(costar::context& self, acceptor open, std::vector<teller>* tellers);

}  // namespace service
