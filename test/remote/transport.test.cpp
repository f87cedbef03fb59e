// SPDX-License-Identifier: MIT

#include <costar/remote/transport.hpp>

#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/when.hpp>
#include <costar/core/with_timeout.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include "calls.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// What comes of dialling somewhere while somebody accepts.
task<std::string> dials(remote::transport& network, remote::acceptor& door, costar::asio::any_io_executor at)
{
    auto [accepted, dialled] = co_await when_all(door.accept(at), network.dial(door.address()));
    co_await accepted->open();
    co_await dialled->open();
    co_return dialled->peer();
}

task<> waits_a_little(remote::acceptor& door, costar::asio::any_io_executor at)
{
    co_await with_timeout(1ms, door.accept(at));
}

/// TCP, of which looking after certificates throws at first.
class network_that_throws final : public remote::transport {
public:
    std::unique_ptr<remote::acceptor> listen(
        const std::string& address, costar::asio::any_io_executor strand) override
    {
        return tcp_->listen(address, std::move(strand));
    }
    task<std::unique_ptr<remote::new_connection>> dial(std::string address) override
    {
        return tcp_->dial(std::move(address));
    }
    std::chrono::nanoseconds look_interval() const override { return 1ms; }
    std::vector<remote::certificate_notice> look(std::uint64_t&) override
    {
        constexpr int throwing = 20;
        if (++looks_ <= throwing)
            throw std::runtime_error("nobody can look");
        if (looks_ != throwing + 1)
            return {};
        return {{remote::certificate_notice::kind::expires_soon, "a file", "it expires soon"}};
    }

private:
    const std::shared_ptr<remote::transport> tcp_ = remote::tcp_transport();
    int looks_ = 0;
};

/// A stream that rpc::make_stream has not made.
class strange_stream final : public capnp::MessageStream {
public:
    using capnp::MessageStream::tryReadMessage;
    using capnp::MessageStream::writeMessage;
    using capnp::MessageStream::writeMessages;
    kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
        kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions, kj::ArrayPtr<capnp::word>) override
    {
        return kj::NEVER_DONE;
    }
    kj::Promise<void> writeMessage(
        kj::ArrayPtr<const int>, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>) override
    {
        return kj::READY_NOW;
    }
    kj::Promise<void> writeMessages(
        kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>>) override
    {
        return kj::READY_NOW;
    }
    kj::Maybe<int> getSendBufferSize() override { return nullptr; }
    kj::Promise<void> end() override { return kj::READY_NOW; }
};

class strange_connection final : public remote::new_connection {
public:
    task<> open() override { co_return; }
    kj::Own<capnp::MessageStream> stream() override { return kj::heap<strange_stream>(); }
    std::string peer() const override { return "strange"; }
};

class strange_network final : public remote::transport {
public:
    std::unique_ptr<remote::acceptor> listen(
        const std::string& address, costar::asio::any_io_executor strand) override
    {
        return remote::tcp_transport()->listen(address, std::move(strand));
    }
    task<std::unique_ptr<remote::new_connection>> dial(std::string) override
    {
        co_return std::make_unique<strange_connection>();
    }
};

/// What the system asks of a connection that says nothing, in seconds.
struct keep_alive_figures {
    int is_on = -1;
    int idle = -1;
    int interval = -1;
    int count = -1;
    bool operator==(const keep_alive_figures&) const = default;
};

int number_of(int socket, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    static_cast<void>(::getsockopt(socket, level, option, &value, &size));
    return value;
}

keep_alive_figures keep_alive_of(int socket)
{
    return {number_of(socket, SOL_SOCKET, SO_KEEPALIVE), number_of(socket, IPPROTO_TCP, TCP_KEEPIDLE),
        number_of(socket, IPPROTO_TCP, TCP_KEEPINTVL), number_of(socket, IPPROTO_TCP, TCP_KEEPCNT)};
}

/// The port at one end of a connection of this process, 0 where it is none.
int port_of(int socket, int (*end)(int, sockaddr*, socklen_t*))
{
    sockaddr_in found{};
    socklen_t size = sizeof found;
    const bool is_known = end(socket, reinterpret_cast<sockaddr*>(&found), &size) == 0;
    return is_known && found.sin_family == AF_INET ? ntohs(found.sin_port) : 0;
}

/// The connection of this process with these two ends, -1 for none.
int connection_between(int here, int there)
{
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int socket = std::stoi(each.path().filename());
        if (port_of(socket, ::getsockname) == here && (there == 0 || port_of(socket, ::getpeername) == there))
            if (port_of(socket, ::getpeername) != 0)
                return socket;
    }
    return -1;
}

/// The connection of this process to a port.
int connection_to(int port)
{
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
        if (const int socket = std::stoi(each.path().filename()); port_of(socket, ::getpeername) == port)
            return socket;
    return -1;
}

}  // namespace

TEST_CASE(
    "transport: the system asks whether a silent peer is there, a program or a node", "[remote][transport]")
{
    const bool is_tls = GENERATE(false, true);
    const auto options = [&](std::string listen) {
        remote::node_options made{.listen = std::move(listen), .silence_max = 20s};
        if (is_tls) {
            static const folder files;
            static const authority signs("authority");
            made.network = remote::tls_transport(
                in_files(files, "node", signs.issue("node", {.names = "IP:127.0.0.1"}), signs.pem()));
        }
        return made;
    };
    constexpr keep_alive_figures wanted{1, 10, 2, 5};
    place there(options("127.0.0.1:0"));
    there.actors.spawn("host", host);
    const int port = endpoint_of(there).port();
    {
        boost::asio::io_context io;
        boost::asio::ip::tcp::socket program(io);
        program.connect(endpoint_of(there));
        const auto end = std::chrono::steady_clock::now() + 10s;
        const auto accepted = [&] { return connection_between(port, program.local_endpoint().port()); };
        while (keep_alive_of(accepted()) != wanted && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        CHECK(keep_alive_of(accepted()) == wanted);
        CHECK(keep_alive_of(program.native_handle()).is_on == 0);
    }
    place here(options({}));
    CHECK(here.ask(here.find(there, "host"), greeting{"x"}) == "hello x");
    CHECK(keep_alive_of(connection_to(port)) == wanted);
}

TEST_CASE(
    "transport: what the system asks of a silent peer fits in the time that there is", "[remote][transport]")
{
    const auto [silence, wanted] = GENERATE(table<std::chrono::nanoseconds, keep_alive_figures>({
        {1ms, {1, 1, 1, 1}},
        {3s, {1, 2, 1, 1}},
        {10s, {1, 5, 1, 5}},
        {60s, {1, 30, 6, 5}},
        {24h * 365, {1, 15'000, 3000, 5}},
    }));
    place there({.listen = "127.0.0.1:0"});
    place here({.silence_max = silence});
    there.actors.spawn("host", host);
    here.find(there, "host");
    CHECK(keep_alive_of(connection_to(endpoint_of(there).port())) == wanted);
}

TEST_CASE("transport: one whose look throws is looked at again, and its connections are there",
    "[remote][transport]")
{
    place there({.listen = "127.0.0.1:0", .network = std::make_shared<network_that_throws>()});
    heard<remote::certificate_notice> told(there.actors);
    there.actors.spawn("host", host);
    place here;
    CHECK(here.ask(here.find(there, "host"), greeting{"x"}) == "hello x");
    CHECK(told.comes());
}

TEST_CASE("transport: a stream that is not of rpc::make_stream is refused in words", "[remote][transport]")
{
    place here({.network = std::make_shared<strange_network>()});
    heard<remote::peer_lost> lost(here.actors);
    CHECK(failure_of([&] { here.node.find("127.0.0.1:1/host", use_future).get(); }) == errc::unreachable);
    CHECK(lost.comes(
        [](const remote::peer_lost& each) { return each.reason.find("make_stream") != std::string::npos; }));
}

TEST_CASE("transport: TCP dials what listens, and says why it cannot", "[remote][transport]")
{
    engine actors({.strands = 1});
    const auto strand = actors.get_executor(0);
    const auto network = remote::tcp_transport();
    auto door = network->listen("127.0.0.1:0", strand);
    const std::string address = door->address();
    CHECK_FALSE(door->is_wildcard());
    CHECK_FALSE(door->is_exposed());
    CHECK(network->listen("0.0.0.0:0", strand)->is_wildcard());
    CHECK(network->listen("0.0.0.0:0", strand)->is_exposed());
    CHECK(async_spawn(strand, dials(*network, *door, strand), use_future).get() == address);

    CHECK_THROWS_AS(network->listen("nowhere", strand), std::invalid_argument);
    CHECK_THROWS_AS(network->listen(address, strand), boost::system::system_error);
    // Nobody comes, and whoever waits for that may be told to stop.
    CHECK(failure_of([&] { async_spawn(strand, waits_a_little(*door, strand), use_future).get(); }) ==
        errc::timed_out);
    door->close();
    CHECK(failure_of([&] { async_spawn(strand, network->dial(address), use_future).get(); }) ==
        boost::asio::error::connection_refused);
    CHECK(network->draw() != network->draw());
}
