// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/kj.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <capnp/serialize-async.h>
#include <kj/memory.h>

#include <chrono>
#include <cstddef>

namespace costar::rpc {

namespace asio = boost::asio;

/// Sizes of a message stream, in bytes. The defaults suit most programs.
struct stream_options {
    /// What is read ahead of the messages; at least 8 KiB.
    std::size_t read_buffer = std::size_t{64} * 1024;

    /// Output that waits in the stream, above which `writeMessage` waits until all of it was sent.
    std::size_t high_water = std::size_t{256} * 1024;

    /// Unanswered bytes of streamed calls on one capability, above which the next one waits.
    int window = 256 * 1024;

    /// How long a stream that ends goes on with what is still to be sent to a peer that does not read.
    std::chrono::milliseconds linger{2000};
};

/// A stream of Cap'n Proto messages over a socket that is connected, for `rpc::connection` or whatever takes
/// a `capnp::MessageStream`. TCP sockets get `TCP_NODELAY`.
///
/// Output is gathered, and sent when the strand has nothing else to do in its turn or 64 KiB are there;
/// without a strand at the end of a pump. All buffers belong to the stream, so a promise may be dropped at
/// any time: nothing is lost, and what comes later is kept for the next read. When writing fails, what the
/// peer had sent before can still be read.
///
/// Thread safety: where the event loop is present (see `rpc::event_loop`), as for all that comes of it.
/// Lifetime: the socket is closed when the stream ends and what was written is out, after `linger` in any
/// case. Errors: the promises break with a `kj::Exception`, `DISCONNECTED` where the connection is gone;
/// throws `std::logic_error` where there is no event loop. Unlike KJ's own stream it allocates nothing
/// because a peer announces it. Cost: a system call for all messages of a turn, and one for 64 KiB that are
/// read.
kj::Own<capnp::MessageStream> make_stream(
    asio::ip::tcp::socket socket, const stream_options& options = stream_options());
kj::Own<capnp::MessageStream> make_stream(
    asio::local::stream_protocol::socket socket, const stream_options& options = stream_options());

}  // namespace costar::rpc
