// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/await.hpp>
#include <costar/rpc/direct_calls.hpp>
#include <costar/rpc/message_stream.hpp>

#include <capnp/capability.h>
#include <kj/async.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace costar::rpc {

/// Limits of a connection. The defaults are those of Cap'n Proto everywhere, so that a peer finds what it
/// expects.
struct connection_options {
    /// Bytes of a message. A larger one is refused where it is sent, by an error that leaves the connection
    /// alone; one that a peer sends ends the connection. Both sides should agree. So many may be read of one
    /// message, too, where what is read twice counts twice: keep the reader of a large field.
    std::size_t message_max = std::size_t{64} * 1024 * 1024;

    /// How deep the structs of a message may be nested. Calls use some of it themselves.
    int nesting_max = 64;

    /// Bytes of calls that this side has taken and not answered, above which it reads nothing more, answers
    /// included. A guard of memory, to be set high; 0 for none.
    std::size_t calls_max = 0;

    /// Bytes of output that wait for a peer which does not read, above which this side reads nothing more
    /// until half of them are out. 8 MiB for the side that has accepted unless said otherwise, and none (0)
    /// for the one that has connected: if both did so, two floods of calls could wait for each other.
    std::optional<std::size_t> unsent_max{};

    stream_options stream{};
};

/// A socket that `make_stream` takes.
template <class Socket>
concept connected_socket =
    requires(Socket socket, const stream_options& options) { make_stream(std::move(socket), options); };

/// Cap'n Proto RPC over a stream, to one peer: calls in both directions, each side with a bootstrap
/// capability.
///
///     rpc::connection to_peer = rpc::connection::client(std::move(socket));
///     auto greeter = to_peer.bootstrap<Greeter>();
///     auto call = greeter.helloRequest();
///     call.setName("bob");
///     auto answer = co_await call.send();
///
/// Thread safety: where the event loop is present: on the strand that made it, or the thread of an
/// `rpc::event_loop`. Lifetime: when it ends, calls that are under way fail as `disconnected`, on both sides,
/// and capabilities that came through it are broken. One that was moved from throws `std::logic_error`. It
/// must not be destroyed inside a callback of KJ: a coroutine may. Cost: a call and its answer about 8 us of
/// processor time on both sides together; many messages are better sent as a list, or streamed.
class connection {
public:
    static constexpr bool belongs_to_strand = true;

    /// The side that has connected, by a socket of TCP or of the local machine.
    template <class Socket>
        requires connected_socket<Socket>
    static connection client(Socket socket, const connection_options& options = connection_options())
    {
        return client(make_stream(std::move(socket), options.stream), options);
    }

    /// The side that has accepted. `bootstrap` is what the peer gets; a `kj::Own` of a server converts to it.
    template <class Socket>
        requires connected_socket<Socket>
    static connection server(Socket socket, capnp::Capability::Client bootstrap,
        const connection_options& options = connection_options())
    {
        return server(make_stream(std::move(socket), options.stream), kj::mv(bootstrap), options);
    }

    /// As above, by a stream that was made before, as one over TLS is; `options.stream` means nothing then.
    static connection client(
        kj::Own<capnp::MessageStream> stream, const connection_options& options = connection_options());
    static connection client(kj::Own<capnp::MessageStream> stream, capnp::Capability::Client bootstrap,
        const connection_options& options = connection_options());
    static connection server(kj::Own<capnp::MessageStream> stream, capnp::Capability::Client bootstrap,
        const connection_options& options = connection_options());

    connection(connection&&) noexcept;
    connection& operator=(connection&&) noexcept;
    ~connection();

    /// The peer's bootstrap capability. It may be called at once; that the peer has none, or another one, is
    /// told by the first call.
    template <class Interface>
    typename Interface::Client bootstrap()
    {
        return bootstrap().castAs<Interface>();
    }
    capnp::Capability::Client bootstrap();

    /// Bytes that have come so far, of whole messages or not: a peer that sends is there. 0 for a stream that
    /// does not count.
    std::uint64_t bytes_received() const;

    /// Bytes that were written so far, sent or not.
    std::uint64_t bytes_written() const;

    /// Comes when the connection has ended, whichever side has done it.
    pending<kj::Promise<void>> disconnected();

    /// Bytes of output that the peer has not taken yet; 0 over a stream that `make_stream` has not made.
    std::size_t unsent() const;

    /// For calls that pass by the tables of this; see `machine::direct_calls`. Errors: throws
    /// `std::invalid_argument` over a stream that `make_stream` has not made.
    machine::gathering_stream& gathering() const;

private:
    struct parts;

    explicit connection(std::unique_ptr<parts> made) noexcept;
    parts& whole() const;

    std::unique_ptr<parts> parts_;
};

}  // namespace costar::rpc
