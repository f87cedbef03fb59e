// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/rpc/message_stream.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace costar::remote {

namespace asio = boost::asio;

/// Thrown by `open` where the two sides do not trust each other; the text says why.
class not_trusted : public std::runtime_error {
public:
    explicit not_trusted(const std::string& why, bool by_peer = false)
        : std::runtime_error(why), by_peer_(by_peer)
    {}

    /// Is it the other side that does not trust?
    bool by_peer() const noexcept { return by_peer_; }

private:
    bool by_peer_;
};

/// Something about certificates that somebody should know. Nodes publish it as an event, and write it to the
/// log.
struct certificate_notice {
    enum class kind {
        /// The files have changed, and new connections go by what stands in them.
        reloaded,
        /// The files have changed, and cannot be used: new connections go by what stood in them before.
        not_reloaded,
        /// It will expire soon: put a new one into its file.
        expires_soon,
        /// It has expired: no new connection comes to be.
        expired,
    };

    kind what;
    std::string file;
    std::string text;
};

/// A connection that was dialled or accepted and is no stream of messages yet.
///
/// Thread safety: on the strand for which it was made. It is destroyed on any, when that has ended.
class new_connection {
public:
    virtual ~new_connection() = default;

    /// Does what comes before the first message, as the handshake of TLS. Errors: throws why it came to
    /// nothing.
    virtual task<> open() = 0;

    /// Has the system find out that the other side is gone without a word, when nothing has come for this
    /// long. Called before `open`; nothing where the system cannot, or need not.
    virtual void keep_alive(std::chrono::nanoseconds silence_max) { static_cast<void>(silence_max); }

    /// The stream, once, when it is open: one that `rpc::make_stream` has made, of a socket or of a
    /// `rpc::byte_stream`. Another one is refused, `std::invalid_argument`, and the connection is lost.
    virtual kj::Own<capnp::MessageStream> stream() = 0;

    /// Who is there, for the log.
    virtual std::string peer() const = 0;

    /// The names that the peer has proven to be its own; nothing where none are asked for. When it is open.
    virtual std::optional<std::vector<std::string>> proven_names() const { return std::nullopt; }
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

    /// Can other machines reach it, without having to prove who they are?
    virtual bool is_exposed() const { return false; }

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
    /// `boost::system::system_error` where it cannot be had, as where somebody listens already.
    virtual std::unique_ptr<acceptor> listen(const std::string& address, asio::any_io_executor strand) = 0;

    /// A connection to an address, for the strand that calls. Errors: throws why there is none.
    virtual task<std::unique_ptr<new_connection>> dial(std::string address) = 0;

    /// The system's source, unless a transport has its own.
    virtual std::uint64_t draw();

    /// How often `look` wants to be called; 0 where there is nothing to look after.
    virtual std::chrono::nanoseconds look_interval() const { return std::chrono::nanoseconds(0); }

    /// Looks after certificates, and says what is new: `seen` counts what its caller has been told, 0 at
    /// first.
    virtual std::vector<certificate_notice> look(std::uint64_t& seen);
};

/// TCP and Unix sockets, as they are. Addresses are "host:port", where port 0 picks one, and "unix:" with a
/// path from the root. The file of a Unix socket has the permissions that the umask leaves and is removed at
/// the end; one that a dead process has left is replaced.
std::shared_ptr<transport> tcp_transport();

}  // namespace costar::remote
