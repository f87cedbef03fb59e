// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/message_stream.hpp>

#include <boost/asio/ssl/stream.hpp>

namespace costar::rpc {

/// A stream of Cap'n Proto messages over a TLS connection whose handshake is done; see `make_stream` of a
/// socket.
///
/// A peer that closes without TLS's own good-bye has cut the connection: between two messages that is an end
/// as any other, inside of one it is an error.
kj::Own<capnp::MessageStream> make_stream(
    asio::ssl::stream<asio::ip::tcp::socket> stream, const stream_options& options = stream_options());

}  // namespace costar::rpc
