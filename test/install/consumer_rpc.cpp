// SPDX-License-Identifier: MIT

// Cap'n Proto RPC of an installed costar, in a program that has no schema.

#include <costar/rpc/connection.hpp>
#include <costar/rpc/event_loop.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <cstdio>
#include <exception>

int main()
{
    namespace rpc = costar::rpc;
    namespace asio = boost::asio;
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    asio::local::stream_protocol::socket near(io);
    asio::local::stream_protocol::socket far(io);
    asio::local::connect_pair(near, far);
    auto client = rpc::connection::client(std::move(near));
    rpc::async_wait(client.disconnected(),
        [](std::exception_ptr failure) { std::puts(failure ? "failed" : "hello from an installed costar"); });
    far.close();
    io.run();
}
