// SPDX-License-Identifier: MIT

// A TCP server with an actor for each connection, and a clean end on a signal.
//
// Run:     build/demos/26_echo_server
// Prints:  what its own client got back, and who ended when it sent SIGTERM to itself.
// Teaches: actors await sockets and signals as they await messages; stopping one ends its waits and children.

#include <costar/actor/engine.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <string>

namespace asio = boost::asio;
using asio::ip::tcp;

struct where {
    using reply = unsigned short;
};

costar::task<> session(costar::context&, tcp::socket socket)
{
    std::array<char, 1024> data;
    for (;;) {
        const auto [hung_up, bytes] =
            co_await socket.async_read_some(asio::buffer(data), asio::as_tuple(costar::use_task));
        if (hung_up)
            co_return;
        co_await asio::async_write(socket, asio::buffer(data, bytes), costar::use_task);
    }
}

costar::task<> accepting(costar::context& self, tcp::acceptor& acceptor)
{
    for (;;)
        self.spawn(session, co_await acceptor.async_accept(costar::use_task));
}

costar::task<> server(costar::context& self)
{
    tcp::acceptor acceptor(self.get_executor(), {asio::ip::address_v4::loopback(), 0});
    self.spawn_task(accepting(self, acceptor));
    while (auto message = co_await self.receive())
        message.match([&](where&) { return acceptor.local_endpoint().port(); });
    co_await self.end_children();
    fmt::print("server: all sessions have ended\n");
}

costar::task<> stop_on_signal(costar::context& self, costar::pid server)
{
    asio::signal_set signals(self.get_executor(), SIGTERM, SIGINT);
    co_await signals.async_wait(costar::use_task);
    fmt::print("signal\n");
    co_await self.stop(server);
}

int main()
{
    costar::engine engine({.strands = 1});
    const auto pid = engine.spawn("server", server);
    const auto stopper = engine.spawn("stopper", stop_on_signal, pid);

    asio::io_context io;
    tcp::socket client(io);
    const auto port = engine.ask(pid, where{}, asio::use_future).get();
    client.connect({asio::ip::address_v4::loopback(), port});
    asio::write(client, asio::buffer("hello, echo", 11));
    std::string text(11, ' ');
    asio::read(client, asio::buffer(text));
    fmt::print("client: {}\n", text);

    std::raise(SIGTERM);
    engine.wait(stopper, asio::use_future).get();
    boost::system::error_code closed;
    client.read_some(asio::buffer(text), closed);
    fmt::print("client: {}\n", closed == asio::error::eof ? "the server hung up" : closed.message());
}
