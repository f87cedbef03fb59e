// SPDX-License-Identifier: MIT

// Goal: a message to another node costs at most one allocation on each side, and a pid of one costs none.
// Method: as in actor/allocation.test.cpp, with two nodes in one process; four hundred messages are under
// way, since each batch costs some by itself.

#include "places.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <support/catch.hpp>
#include <support/counted_new.hpp>

using namespace costar;
using namespace support;

namespace {

constexpr std::uint64_t under_way = 400;

/// Has an actor do so much; the answer says how many calls of operator new there were meanwhile.
struct run {
    using reply = std::uint64_t;
    std::uint64_t count = 0;
};

/// Sends each number back, and answers requests.
task<> echo(context& self)
{
    while (message next = co_await self.receive())
        next.match([&](const more& each) { self.send(self.sender(), each); },
            [&](const meet& each) { return static_cast<bool>(each.whom); });
}

/// Keeps four hundred messages under way until so many have come back.
task<> sender(context& self, pid peer)
{
    while (message order = co_await self.receive<run>()) {
        const std::uint64_t before = allocations.load();
        const std::uint64_t count = order.get<run>().count;
        std::uint64_t sent = 0;
        for (; sent < under_way; ++sent)
            self.send(peer, more{sent});
        for (std::uint64_t received = 0; received < count; ++received) {
            const message back = co_await self.receive<more>();
            if (sent++ < count)
                self.send(peer, more{sent});
        }
        order.respond(allocations.load() - before);
    }
}

task<> asker(context& self, pid peer, std::uint64_t count)
{
    for (std::uint32_t i = 0; i < count; ++i)
        co_await self.ask(peer, meet{pid(peer.node(), 0, i, 1)});
}

/// Four hundred ask, each about actors that nobody has met.
task<> crowd(context& self, pid peer)
{
    while (message order = co_await self.receive<run>()) {
        const std::uint64_t before = allocations.load();
        std::vector<pid> askers;
        for (std::uint64_t i = 0; i < under_way; ++i)
            askers.push_back(self.spawn(asker, peer, order.get<run>().count / under_way));
        for (const pid each : askers)
            co_await self.wait(each);
        order.respond(allocations.load() - before);
    }
}

}  // namespace

TEST_CASE("allocation: a message to another node costs one on each side at most", "[remote][allocation]")
{
    constexpr std::uint64_t count = 20'000;
    place here({}, 1);
    place there({.listen = "127.0.0.1:0"}, 1);
    there.actors.spawn("echo", echo);
    const pid peer = here.find(there, "echo");

    const pid sends = here.actors.spawn(sender, peer);
    here.ask(sends, run{count});
    const std::uint64_t of_messages = here.ask(sends, run{count});
    CHECK(of_messages <= 2 * 2 * count);

    // A request and its answer are two messages.
    const pid asks = here.actors.spawn(crowd, peer);
    here.ask(asks, run{count});
    const std::uint64_t of_asks = here.ask(asks, run{count});
    CHECK(of_asks <= 2 * 2 * count);
    CHECK(here.node.peers().size() == 1);
    CHECK(there.node.peers().size() == 1);
}

TEST_CASE(
    "allocation: a million pids of another node cost nothing until they are used", "[remote][allocation]")
{
    constexpr std::uint32_t count = 1'000'000;
    place here({}, 1);
    place there({.listen = "127.0.0.1:0"}, 1);
    there.actors.spawn("echo", echo);
    const pid peer = here.find(there, "echo");
    std::vector<pid> held;
    held.reserve(count);
    const std::uint64_t sent = here.node.counters().sent;
    const std::uint64_t before = allocations.load();
    for (std::uint32_t i = 0; i < count; ++i)
        held.emplace_back(peer.node(), peer.strand(), i, 1);
    const std::vector<pid> copies = held;
    CHECK(std::ranges::count(copies, held.back()) == 1);
    CHECK(allocations.load() - before < count / 1000);  // the copy, and heartbeats
    CHECK(here.node.counters().sent == sent);
    CHECK(here.node.peers().size() == 1);
}
