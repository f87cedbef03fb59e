// SPDX-License-Identifier: MIT

#include <costar/remote/simulated_network.hpp>

#include <costar/testing/simulation.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include "simulated_places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// Sends large messages, and pauses behind each.
task<> trickles(context& self, pid to, int count)
{
    for (int i = 0; i < count; ++i) {
        self.send(to, greeting{std::string(10'000, 'x')});
        co_await sleep_for(1ms);
    }
}

/// Sends so many messages of ten kilobytes, each when there is room for it.
task<> pours(context& self, pid to, int count, int* sent)
{
    for (int i = 0; i < count; ++i) {
        co_await self.send_async(to, greeting{std::string(10'000, 'x')});
        ++*sent;
    }
}

}  // namespace

TEST_CASE("simulated_network: nodes speak in virtual time, the same with each seed", "[remote][network]")
{
    const auto run = [](std::uint64_t seed) {
        testing::simulation sim(seed);
        remote::simulated_network network(sim);
        simulated_place a(sim, network, "a");
        simulated_place b(sim, network, "b");
        b.actors.spawn("host", host);
        const pid far = found(sim, a, "b:1/host");
        CHECK(greeted(sim, a, far, "bob") == "hello bob");
        return std::pair(sim.now(), network.seen().bytes);
    };
    const auto first = run(7);
    CHECK(first == run(7));
    CHECK(first.first > 0ns);
    CHECK(first.first < 1s);
    CHECK(first.first != run(8).first);
}

TEST_CASE("simulated_network: a connection that is cut after any byte of its greeting harms nobody",
    "[remote][network]")
{
    std::size_t greeting = 0;
    {
        simulated_pair pair(1);
        REQUIRE_FALSE(pair.search());
        greeting = pair.network.seen().bytes;
    }
    CHECK(greeting > 500);
    std::size_t failed = 0;
    for (std::size_t bytes = 0; bytes < greeting; ++bytes) {
        simulated_pair pair(1 + bytes);
        pair.network.reset_after(bytes);
        failed += pair.search() ? 1 : 0;
        pair.sim.advance(2s);
        const error_code then = pair.search();
        if (then)
            FAIL("not reached again when cut after byte " << bytes << ": " << then.message());
    }
    CHECK(failed > greeting / 2);
}

TEST_CASE(
    "simulated_network: silence is found by heartbeats, and what was sent into it arrives when it heals",
    "[remote][network]")
{
    simulated_pair pair(3);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    std::optional<error_code> ended;
    const auto ask = [&](std::chrono::nanoseconds limit) {
        ended.reset();
        pair.a.actors.ask(far, greeting{"bob"}, limit,
            [&ended](error_code failed, std::optional<std::string>) { ended = failed; });
    };

    pair.network.silence("a", "b");
    ask(-1ns);
    pair.sim.advance(1s);
    CHECK_FALSE(ended);
    pair.network.heal();
    pair.sim.advance(1s);
    CHECK(ended == error_code());

    // Only one way, and for long: both sides find out.
    pair.network.silence("b", "a");
    ask(-1ns);
    pair.sim.advance(10s);
    CHECK(ended == error_code(errc::link_lost));
    ask(-1ns);
    pair.sim.advance(10s);
    CHECK(ended == error_code(errc::unreachable));
    pair.network.heal();
    pair.sim.advance(2s);
    CHECK_FALSE(pair.search());
}

TEST_CASE("simulated_network: a host that lost its power is found out, and is another one when it is back",
    "[remote][network]")
{
    simulated_pair pair(4);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    pair.network.crash("b");
    pair.b.reset();
    pair.begin_b();
    // The former connection is half open: its other end is told when it sends.
    CHECK(failure_of([&] { greeted(pair.sim, pair.a, far, "bob"); }));
    pair.sim.advance(5s);
    CHECK(failure_of([&] { greeted(pair.sim, pair.a, far, "bob"); }) == errc::no_such_actor);
    CHECK(greeted(pair.sim, pair.a, found(pair.sim, pair.a, "b:1/host"), "bob") == "hello bob");
    pair.b.reset();
    pair.sim.advance(10s);
    CHECK(pair.network.connections() == 0);
}

TEST_CASE(
    "simulated_network: a node that ends while it is greeted leaves no link behind", "[remote][network]")
{
    for (std::uint64_t bytes = 0; bytes < 3000; bytes += 50) {
        CAPTURE(bytes);
        simulated_pair pair(4);
        pair.a.node->find("b:1/host", [](error_code, pid) {});
        pair.sim.run_until([&] { return pair.network.seen().bytes >= bytes; });
        pair.b->node.reset();  // and not the engine
        pair.sim.advance(10s);
        CHECK(pair.network.connections() == 0);
        CHECK(std::ranges::none_of(
            pair.a.node->peers(), [](const remote::peer_figures& each) { return each.is_connected; }));
    }
}

TEST_CASE("simulated_network: links that say nothing stay for hours", "[remote][network]")
{
    simulated_pair pair(5);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    pair.sim.advance(std::chrono::hours(3));
    CHECK(pair.network.seen().connected == 1);
    CHECK(greeted(pair.sim, pair.a, far, "bob") == "hello bob");
    CHECK(pair.network.seen().connected == 1);
}

TEST_CASE("simulated_network: bytes that wait for a peer that takes nothing are bounded, and who waits for "
          "room gets it",
    "[remote][network]")
{
    auto options = simulated_pair::hasty();
    options.silence_max = 60s;
    options.queue_bytes_max = 100'000;
    simulated_pair pair(6, options);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    std::size_t lost = 0;
    const auto listening = pair.a.actors.events().subscribe<dead_letter>(
        [&](const dead_letter& each) { lost += each.reason == errc::mailbox_full ? 1 : 0; });

    pair.network.silence("a", "b");
    for (int i = 0; i < 200; ++i) {
        pair.a.actors.send(far, greeting{std::string(10'000, 'x')});
        pair.sim.advance(1ms);
    }
    // What the connection itself takes is bounded too.
    CHECK(lost > 100);
    CHECK(lost < 190);
    // An actor that pauses in between does not wait for room either.
    const std::size_t before = lost;
    pair.a.actors.spawn(trickles, far, 50);
    pair.sim.advance(1s);
    CHECK(lost == before + 50);
    int sent = 0;
    pair.a.actors.spawn(pours, far, 50, &sent);
    pair.sim.advance(1s);
    CHECK(sent < 10);
    pair.network.heal();
    pair.sim.advance(1s);
    CHECK(sent == 50);
    pair.a.actors.send(far, greeting{std::string(1'000'000, 'x')});  // alone it leaves
    pair.sim.advance(1s);
    CHECK(greeted(pair.sim, pair.a, far, "bob") == "hello bob");
}

TEST_CASE("simulated_network: a message that takes longer than silence may last keeps its link",
    "[remote][network]")
{
    remote::simulated_network_options slow;
    slow.bytes_per_second = 100'000;
    simulated_pair pair(7, simulated_pair::hasty(), slow);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    const auto begun = pair.sim.now();
    std::optional<error_code> ended;
    pair.a.actors.ask(far, greeting{std::string(1'000'000, 'x')}, 60s,
        [&ended](error_code failed, std::optional<std::string>) { ended = failed; });
    pair.sim.run_until([&] { return ended.has_value(); });
    CHECK(*ended == error_code());
    CHECK(pair.sim.now() - begun > 18s);  // there and back
    CHECK(pair.network.seen().connected == 1);
}

TEST_CASE(
    "simulated_network: small messages pass between the parts of large ones, but none of their own pair",
    "[remote][network]")
{
    remote::simulated_network_options slow;
    slow.bytes_per_second = 10'000'000;
    simulated_pair pair(8, simulated_pair::hasty(), slow);
    pair.b->actors.spawn("adder", adder);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    const pid summing = found(pair.sim, pair.a, "b:1/adder");
    std::vector<std::size_t> came;
    const auto sized = [&](std::size_t size) {
        pair.a.actors.ask(far, greeting{std::string(size, 'x')}, 60s,
            [&came](error_code, std::optional<std::string> answer) {
                came.push_back(answer ? answer->size() : 0);
            });
    };
    const auto begun = pair.sim.now();
    sized(3'000'000);  // 300 ms
    sized(1);
    pair.sim.advance(1ms);
    CHECK(pair.sim.ask_from(pair.a.actors, summing, total{}) == 0);
    CHECK(pair.sim.now() - begun < 100ms);
    CHECK(came.empty());
    pair.sim.advance(2s);
    // The small one was handled second; its answer need not wait for a large one.
    CHECK(came == std::vector<std::size_t>{7, 3'000'006});
}

TEST_CASE("simulated_network: a dead peer is found out also while a link waits for it to take what is sent",
    "[remote][network]")
{
    simulated_pair pair(10);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    std::size_t lost = 0;
    const auto listening = pair.a.actors.events().subscribe<remote::peer_lost>(
        [&](const remote::peer_lost& each) { lost += each.reason.find("too long") != std::string::npos; });
    std::optional<error_code> ended;
    pair.a.actors.ask(far, greeting{"bob"}, std::chrono::hours(1),
        [&ended](error_code failed, std::optional<std::string>) { ended = failed; });
    pair.network.crash("b");
    pair.b.reset();
    int sent = 0;
    pair.a.actors.spawn(pours, far, 5000, &sent);
    pair.sim.advance(20s);
    CHECK(lost >= 1);
    CHECK(ended == error_code(errc::link_lost));
    CHECK(pair.a.node->peers().front().is_connected == false);
}

TEST_CASE("simulated_network: a large answer leaves the other link of two nodes alone", "[remote][network]")
{
    std::size_t both_dialled = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        simulated_pair pair(seed);
        pair.b->actors.spawn("talker", talker);
        pair.a.actors.spawn("adder", adder);
        auto from_a = std::make_shared<pid>();
        auto from_b = std::make_shared<pid>();
        pair.a.node->find("b:1/talker", [from_a](error_code, pid who) { *from_a = who; });
        pair.b->node->find("a:1/adder", [from_b](error_code, pid who) { *from_b = who; });
        pair.sim.run_until([&] { return *from_a && *from_b; });
        both_dialled += pair.network.seen().connected == 2 ? 1 : 0;
        std::size_t lost = 0;
        const auto listening =
            pair.a.actors.events().subscribe<remote::peer_lost>([&](const remote::peer_lost&) { ++lost; });

        // Each side may use another link for what it sends.
        for (std::uint64_t i = 1; i <= 5; ++i) {
            pair.b->actors.send(*from_b, more{1});
            CHECK(pair.sim.ask_from(pair.a.actors, *from_a, greeting{"x", 200'000}).size() == 200'000);
            CHECK(pair.sim.ask_from(pair.b->actors, *from_b, total{}) == i);
        }
        CHECK(lost == 0);
        CHECK(pair.network.seen().connected <= 2);
    }
    CHECK(both_dialled > 5);
}
