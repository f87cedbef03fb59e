// SPDX-License-Identifier: MIT

#include <costar/remote/transport.hpp>

#include "tcp.hpp"
#include "unix_socket.hpp"

#include <costar/core/spawn.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

namespace costar::remote {

using boost::asio::ip::tcp;

std::uint64_t transport::draw()
{
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
}

std::vector<certificate_notice> transport::look(std::uint64_t&)
{
    return {};
}

tcp::endpoint endpoint_to_listen_at(const std::string& address, const asio::any_io_executor& strand)
{
    const auto [host, port] = parse_address(address);
    tcp::resolver resolver(strand);
    return resolver.resolve(host, std::to_string(port), tcp::resolver::passive).begin()->endpoint();
}

task<tcp::socket> connect_tcp(host_and_port where)
{
    const auto strand = machine::strand_context::current()->get_executor();
    tcp::socket socket(strand);
    tcp::resolver resolver(strand);
    const auto found = co_await resolver.async_resolve(where.host, std::to_string(where.port), use_task);
    co_await asio::async_connect(socket, found, use_task);
    co_return std::move(socket);
}

void keep_alive(tcp::socket& socket, std::chrono::nanoseconds silence_max) noexcept
{
    // Silent for half the time, then asked up to five times in what is left; no more than systems take.
    constexpr std::int64_t longest = 30'000;
    constexpr std::int64_t most_probes = 5;
    const std::int64_t all =
        std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(silence_max).count(), 2, longest);
    const std::int64_t left = all / 2;
    const std::int64_t interval = (left + most_probes - 1) / most_probes;
    const auto set = [&](int level, int option, std::int64_t value) {
        const int number = static_cast<int>(value);
        static_cast<void>(::setsockopt(socket.native_handle(), level, option, &number, sizeof number));
    };
    set(IPPROTO_TCP, TCP_KEEPIDLE, all - left);
    set(IPPROTO_TCP, TCP_KEEPINTVL, interval);
    set(IPPROTO_TCP, TCP_KEEPCNT, left / interval);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

std::string peer_of(const tcp::socket& socket)
{
    error_code gone;
    return text_of(socket.remote_endpoint(gone));
}

namespace {

class tcp_connection final : public new_connection {
public:
    explicit tcp_connection(tcp::socket socket) noexcept : socket_(std::move(socket)) {}

    task<> open() override { co_return; }
    void keep_alive(std::chrono::nanoseconds silence_max) override
    {
        remote::keep_alive(socket_, silence_max);
    }
    kj::Own<capnp::MessageStream> stream() override { return rpc::make_stream(std::move(socket_)); }
    std::string peer() const override { return peer_of(socket_); }

private:
    tcp::socket socket_;
};

class tcp_acceptor final : public acceptor {
public:
    tcp_acceptor(asio::any_io_executor strand, const tcp::endpoint& where) : acceptor_(strand, where) {}

    std::string address() const override { return text_of(acceptor_.local_endpoint()); }
    bool is_wildcard() const override { return acceptor_.local_endpoint().address().is_unspecified(); }
    bool is_exposed() const override { return !acceptor_.local_endpoint().address().is_loopback(); }
    task<std::unique_ptr<new_connection>> accept(asio::any_io_executor strand) override
    {
        tcp::socket socket(strand);
        co_await acceptor_.async_accept(socket, use_task);
        co_return std::make_unique<tcp_connection>(std::move(socket));
    }
    void close() noexcept override
    {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
    }

private:
    tcp::acceptor acceptor_;
};

class tcp_network final : public transport {
public:
    std::unique_ptr<acceptor> listen(const std::string& address, asio::any_io_executor strand) override
    {
        if (is_unix_address(address))
            return listen_at_unix_socket(address, std::move(strand));
        return std::make_unique<tcp_acceptor>(strand, endpoint_to_listen_at(address, strand));
    }

    task<std::unique_ptr<new_connection>> dial(std::string address) override
    {
        if (is_unix_address(address))
            co_return co_await dial_unix_socket(std::move(address));
        tcp::socket socket = co_await connect_tcp(parse_address(address));
        co_return std::make_unique<tcp_connection>(std::move(socket));
    }
};

}  // namespace

std::shared_ptr<transport> tcp_transport()
{
    return std::make_shared<tcp_network>();
}

}  // namespace costar::remote
