// SPDX-License-Identifier: MIT

#include <costar/rpc/tls_stream.hpp>

#include <costar/core/when.hpp>

#include <boost/asio/ssl/context.hpp>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

namespace ssl = asio::ssl;
using tls_socket = ssl::stream<asio::ip::tcp::socket>;

/// A context of a server with a key and a certificate made for the occasion.
ssl::context server_context()
{
    ssl::context made(ssl::context::tls_server);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(made.native_handle(), certificate);
    SSL_CTX_use_PrivateKey(made.native_handle(), key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return made;
}

struct tls_ends {
    explicit tls_ends(asio::io_context& io)
        : of_server(server_context()),
          of_client(ssl::context::tls_client),
          near(io, of_client),
          far(io, of_server)
    {}

    task<> shake(asio::io_context& io)
    {
        asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
        near.lowest_layer().connect(acceptor.local_endpoint());
        acceptor.accept(far.lowest_layer());
        const auto side = [](tls_socket& socket, ssl::stream_base::handshake_type type) -> task<> {
            co_await socket.async_handshake(type, use_task);
        };
        co_await when_all(side(near, ssl::stream_base::client), side(far, ssl::stream_base::server));
    }

    ssl::context of_server;
    ssl::context of_client;
    tls_socket near;
    tls_socket far;
};

}  // namespace

TEST_CASE("tls_stream: calls go over TLS", "[rpc][tls_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        tls_ends ends(io);
        co_await ends.shake(io);
        auto far = rpc::make_stream(std::move(ends.far));
        auto near = rpc::make_stream(std::move(ends.near));
        auto served = rpc::connection::server(kj::mv(far), kj::heap<hub_server>());
        std::optional<rpc::connection> calls(rpc::connection::client(kj::mv(near)));
        auto hub = calls->bootstrap<hub::Hub>();
        CHECK(co_await echo_of(hub, "secret") == "secret");
        const std::string large(1'000'000, 's');
        CHECK(co_await echo_of(hub, large) == large);
        calls.reset();
        co_await served.disconnected();
    };

    strand.run(body(strand.io()));
}

TEST_CASE("tls_stream: a peer that goes without a good-bye has closed, between messages", "[rpc][tls_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        tls_ends ends(io);
        co_await ends.shake(io);
        auto stream = rpc::make_stream(std::move(ends.far));
        ends.near.lowest_layer().shutdown(asio::socket_base::shutdown_send);
        auto came = stream->tryReadMessage();
        auto message = co_await kj::mv(came);
        CHECK(message == nullptr);
    };

    strand.run(body(strand.io()));
}
