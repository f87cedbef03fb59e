// SPDX-License-Identifier: MIT

// The turns of an actor's life, for a class and for a coroutine.
//
// Run:     build/demos/07_lifecycle
// Prints:  started, restarting, stopping and stopped of a class, then the same of a coroutine.
// Teaches: a class has functions that are called; a coroutine just writes it down, in its order.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <stdexcept>

struct fail {};

struct session {
    void started(costar::context& self) { fmt::print("class: started, {} restarts\n", self.restart_count()); }
    void restarting() { fmt::print("class: restarting\n"); }
    void stopping() { fmt::print("class: stopping, the children still live\n"); }
    void stopped() { fmt::print("class: stopped\n"); }

    void operator()(fail) { throw std::runtime_error("told to"); }
};

costar::task<> connection(costar::context& self)
{
    fmt::print("coroutine: started\n");
    while (auto message = co_await self.receive())
        fmt::print("coroutine: got a {}\n", message.type_name());
    fmt::print("coroutine: stopping, the children still live\n");
    co_await self.end_children();
    fmt::print("coroutine: stopped\n");
}

int main()
{
    costar::set_log_level(costar::log_level::critical);
    costar::engine engine({.strands = 1});

    const auto first = engine.spawn<session>("session", {.restart = {.limit = 1}});
    engine.send(first, fail{});
    engine.poison(first, boost::asio::use_future).get();

    const auto second = engine.spawn("connection", connection);
    engine.stop(second, boost::asio::use_future).get();
}
