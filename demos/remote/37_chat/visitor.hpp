// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/post/pid.hpp>

#include <boost/asio/ip/tcp.hpp>

namespace costar {
class context;
}

namespace chat {

/// An actor for one connection of a browser. It gets the page, or goes on as a WebSocket and takes part in
/// the room as somebody at a terminal does. Where `is_welcome` is false it is told that there are too many.
///
/// A browser says {"join": "ada"}, {"say": "hello"} and {"who": true}, and is told objects with a "kind". One
/// that does not join in a minute, or reads so slowly that too much waits for it, is let go with a reason.
costar::task<> visitor(
    costar::context& self, boost::asio::ip::tcp::socket client, costar::pid room, bool is_welcome);

}  // namespace chat
