// SPDX-License-Identifier: MIT

// Two nodes in one thread, on a network in memory and a clock that moves when told: the network falls silent
// between them, is found out, and heals. No real second passes.

#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>
#include <costar/remote/simulated_network.hpp>
#include <costar/testing/simulation.hpp>

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

#include "hello.costar.hpp"  // made of hello.capnp by capnpc-costar

using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using demo::hello;
namespace remote = costar::remote;
using namespace std::chrono_literals;

namespace {

costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<hello>();
    return words;
}

task<> host(context& self)
{
    while (message m = co_await self.receive())
        m.match([](const hello& said) { return "hello " + said.name; });
}

}  // namespace

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});

    costar::testing::simulation sim(42);
    remote::simulated_network network(sim);
    remote::node here(sim.engine(), all_words(), {.listen = "a:1", .network = network.host("a")});
    costar::engine& other = sim.add_engine("other");
    remote::node there(other, all_words(), {.listen = "b:1", .network = network.host("b")});
    other.spawn("host", host);

    pid far;
    here.find("b:1/host", [&](costar::error_code, pid found) { far = found; });
    sim.run_until([&] { return bool(far); });
    fmt::print("{}\n", sim.ask(far, hello{"alice"}));

    const auto begun = sim.now();
    network.partition("a", "b");
    try {
        sim.ask(far, hello{"bob"});
    } catch (const costar::error& failure) {
        fmt::print("{} after {} s\n", failure.code().message(), (sim.now() - begun) / 1s);
    }

    network.heal();
    sim.advance(1s);  // an address that could not be dialled rests for a moment
    fmt::print("{}\n", sim.ask(far, hello{"carol"}));
}
