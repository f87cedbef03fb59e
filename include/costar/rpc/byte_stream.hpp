// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/rpc/message_stream.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace costar::rpc {

/// The bytes of a connection that is no socket of Asio: one in memory, or inside of another protocol.
///
/// Thread safety: called where the event loop is present. Lifetime: buffers are there until the handler has
/// been called, or the stream has been closed and destroyed.
class byte_stream {
public:
    /// An error, or how many bytes; `asio::error::eof` when nothing more comes. May be called from any
    /// thread, also inside the call that takes it: it does nothing but to post what follows.
    using handler = std::function<void(const error_code&, std::size_t)>;

    virtual ~byte_stream() = default;

    /// Where the event loop is present.
    virtual asio::any_io_executor get_executor() = 0;

    /// Reads at least a byte. One read is under way at most.
    virtual void read_some(asio::mutable_buffer to, handler done) = 0;

    /// Writes what can be taken at once; `asio::error::would_block` where that is nothing.
    virtual std::size_t try_write(asio::const_buffer from, error_code& failed) = 0;

    /// Writes at least a byte. One write is under way at most.
    virtual void write_some(asio::const_buffer from, handler done) = 0;

    /// Says that nothing more is written; and lets go of the peer, after which handlers need not be called.
    virtual void shutdown() noexcept = 0;
    virtual void close() noexcept = 0;
};

/// A stream of Cap'n Proto messages over such bytes; see `make_stream` of a socket.
kj::Own<capnp::MessageStream> make_stream(
    std::unique_ptr<byte_stream> bytes, const stream_options& options = stream_options());

}  // namespace costar::rpc
