// SPDX-License-Identifier: MIT

// Actors inside an Asio program: its io_context, its thread, its awaitables.
//
// Run:     build/demos/03_embed
// Prints:  what two deposits come to, and that io.run() came back while the actor lives.
// Teaches: a borrowed engine starts no thread and speaks every completion token.

#include <costar/actor/engine.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

namespace asio = boost::asio;

struct deposit {
    using reply = int;
    int amount;
};

struct account {
    int balance = 0;

    int operator()(deposit message) { return balance += message.amount; }
};

asio::awaitable<void> client(costar::engine& engine, costar::pid pid)
{
    co_await engine.ask(pid, deposit{30}, asio::use_awaitable);
    fmt::print("balance: {}\n", co_await engine.ask(pid, deposit{12}, asio::use_awaitable));
}

int main()
{
    asio::io_context io;
    costar::engine engine{io.get_executor()};
    const auto pid = engine.spawn<account>("account");

    asio::co_spawn(io, client(engine, pid), asio::detached);
    io.run();  // runs the client and the actor, and returns when nothing is going on
    fmt::print("io.run() came back, {} actor is alive\n", engine.figures().live);
}
