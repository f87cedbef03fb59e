// SPDX-License-Identifier: MIT

#include <costar/rpc/connection.hpp>

#include "gathering_stream.hpp"

#include <capnp/rpc-twoparty.h>
#include <capnp/rpc.h>

#include <stdexcept>

namespace costar::rpc {

namespace {

capnp::ReaderOptions reader_options(const connection_options& options)
{
    if (options.nesting_max < 1)
        throw std::invalid_argument("rpc::connection_options::nesting_max is less than 1");
    capnp::ReaderOptions limits;
    limits.traversalLimitInWords = options.message_max / sizeof(capnp::word);
    limits.nestingLimit = options.nesting_max;
    return limits;
}

/// A peer that reads nothing may fill the memory of the side that answers. Were both sides to wait for each
/// other, neither would go on: so by itself only the one that has accepted does.
std::size_t unsent_max_of(const connection_options& options, capnp::rpc::twoparty::Side side)
{
    const std::size_t usual = side == capnp::rpc::twoparty::Side::SERVER ? std::size_t{8} * 1024 * 1024 : 0;
    return options.unsent_max.value_or(usual);
}

}  // namespace

/// In the order in which each needs those before it.
struct connection::parts {
    parts(kj::Own<capnp::MessageStream> made, capnp::rpc::twoparty::Side side,
        kj::Maybe<capnp::Capability::Client> bootstrap, const connection_options& options)
        : stream(kj::mv(made)),
          own(dynamic_cast<machine::gathering_stream*>(stream.get())),
          network(*stream, side, reader_options(options)),
          system(network, kj::mv(bootstrap)),
          peer(side == capnp::rpc::twoparty::Side::CLIENT ? capnp::rpc::twoparty::Side::SERVER
                                                          : capnp::rpc::twoparty::Side::CLIENT)
    {
        if (own != nullptr)
            own->never_wait(unsent_max_of(options, side));
        if (options.calls_max > 0)
            system.setFlowLimit(options.calls_max / sizeof(capnp::word));
        if (side == capnp::rpc::twoparty::Side::CLIENT)
            front();  // before that nothing is read, and nobody hears when the peer goes
    }

    /// Each message that was sent in this turn hangs on the one before it, and they would be destroyed inside
    /// of each other: so they are let go first.
    ~parts() { machine::kj_loop::drain_present(); }

    /// The peer's bootstrap capability, one reference for all: so calls on it stay in order.
    capnp::Capability::Client& front()
    {
        KJ_IF_MAYBE (known, asked)
            return *known;
        // Cap'n Proto has let go of the connection: it would begin anew on it, and end the program.
        if (own != nullptr && own->is_output_over())
            return asked.emplace(
                kj::Exception(kj::Exception::Type::DISCONNECTED, "", 0, kj::str("the connection has ended")));
        capnp::MallocMessageBuilder message(8);
        auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
        vat.setSide(peer);
        return asked.emplace(system.bootstrap(vat));
    }

    kj::Own<capnp::MessageStream> stream;
    machine::gathering_stream* own;  // null for one of somebody else
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
    capnp::rpc::twoparty::Side peer;
    kj::Maybe<capnp::Capability::Client> asked;
};

connection::connection(std::unique_ptr<parts> made) noexcept : parts_(std::move(made)) {}
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

connection connection::client(kj::Own<capnp::MessageStream> stream, const connection_options& options)
{
    return connection(
        std::make_unique<parts>(kj::mv(stream), capnp::rpc::twoparty::Side::CLIENT, nullptr, options));
}

connection connection::client(kj::Own<capnp::MessageStream> stream, capnp::Capability::Client bootstrap,
    const connection_options& options)
{
    return connection(std::make_unique<parts>(
        kj::mv(stream), capnp::rpc::twoparty::Side::CLIENT, kj::mv(bootstrap), options));
}

connection connection::server(kj::Own<capnp::MessageStream> stream, capnp::Capability::Client bootstrap,
    const connection_options& options)
{
    return connection(std::make_unique<parts>(
        kj::mv(stream), capnp::rpc::twoparty::Side::SERVER, kj::mv(bootstrap), options));
}

connection::parts& connection::whole() const
{
    if (parts_ == nullptr)
        throw std::logic_error("an rpc::connection is used that was moved from");
    return *parts_;
}

capnp::Capability::Client connection::bootstrap()
{
    return whole().front();
}

std::uint64_t connection::bytes_received() const
{
    return whole().own != nullptr ? whole().own->bytes_read() : 0;
}

std::uint64_t connection::bytes_written() const
{
    return whole().own != nullptr ? whole().own->bytes_written() : 0;
}

std::size_t connection::unsent() const
{
    return whole().own != nullptr ? whole().own->unsent() : 0;
}

machine::gathering_stream& connection::gathering() const
{
    if (whole().own == nullptr)
        throw std::invalid_argument("this takes a stream that rpc::make_stream has made");
    return *whole().own;
}

pending<kj::Promise<void>> connection::disconnected()
{
    return whole().network.onDisconnect();
}

}  // namespace costar::rpc
