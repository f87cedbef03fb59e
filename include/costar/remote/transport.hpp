// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/rpc/message_stream.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace costar::remote {

namespace asio = boost::asio;

/// A connection that was dialled or accepted and is no stream of messages yet.
///
/// Thread safety: on the strand for which it was made. It is destroyed on any, when that has ended.
class new_connection {
public:
    virtual ~new_connection() = default;

    /// Does what comes before the first message, as the handshake of TLS. Errors: throws why it came to
    /// nothing.
    virtual task<> open() = 0;

    /// The stream, once, when it is open.
    virtual kj::Own<capnp::MessageStream> stream() = 0;

    /// Who is there, for the log.
    virtual std::string peer() const = 0;
};

/// Where the connections arrive that others have dialled.
///
/// Thread safety: on the strand for which it was made.
class acceptor {
public:
    virtual ~acceptor() = default;

    /// Where it can be dialled: what it was told, with the port that was picked.
    virtual std::string address() const = 0;

    /// Does nobody find it by this address, since it stands for all of this machine?
    virtual bool is_wildcard() const = 0;

    /// The next connection, for the strand whose executor is given. Errors: throws where none can be had, as
    /// without descriptors; the next call may go well.
    virtual task<std::unique_ptr<new_connection>> accept(asio::any_io_executor strand) = 0;

    virtual void close() noexcept = 0;
};

/// How nodes reach each other, and where they draw numbers that nobody can guess.
///
/// Thread safety: any thread. One may serve several nodes.
class transport {
public:
    virtual ~transport() = default;

    /// Accepts at an address. Errors: throws `std::invalid_argument` for one that it does not know,
    /// `boost::system::system_error` where it cannot be had.
    virtual std::unique_ptr<acceptor> listen(const std::string& address, asio::any_io_executor strand) = 0;

    /// A connection to an address, for the strand that calls. Errors: throws why there is none.
    virtual task<std::unique_ptr<new_connection>> dial(std::string address) = 0;

    /// The system's source, unless a transport has its own.
    virtual std::uint64_t draw();
};

/// TCP, as it is. Addresses are "host:port"; port 0 picks one.
std::shared_ptr<transport> tcp_transport();

}  // namespace costar::remote
