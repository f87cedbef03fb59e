// SPDX-License-Identifier: MIT

#include <costar/remote/figures.hpp>

#include <costar/remote/node.hpp>

#include <optional>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include "simulated_places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

TEST_CASE("figures: a node knows what has gone to each peer, and since when it is there or lost",
    "[remote][figures]")
{
    simulated_pair pair(9);
    CHECK(pair.a.node->peers().empty());
    const pid far = found(pair.sim, pair.a, "b:1/host");
    for (int i = 0; i < 10; ++i)
        greeted(pair.sim, pair.a, far, "bob");
    pair.sim.advance(10s);
    REQUIRE(pair.a.node->peers().size() == 1);
    const auto seen = pair.a.node->peers().front();
    CHECK(seen.name == "b");
    CHECK(seen.address == "b:1");
    CHECK(seen.is_connected);
    CHECK(seen.links == 1);
    CHECK(seen.sent == 10);
    CHECK(seen.received == 10);
    CHECK(seen.batches >= 10);  // one more where the news that the actor is watched went alone
    CHECK(seen.batches <= 11);
    CHECK(seen.bytes_sent > 1000);
    CHECK(seen.bytes_received > 1000);
    CHECK(seen.waiting == 0);
    CHECK(seen.round_trip > 100us);
    CHECK(seen.round_trip < 10ms);
    CHECK(pair.sim.wall() - seen.since > 10s);
    CHECK(pair.sim.wall() - seen.since < 11s);

    pair.b.reset();
    pair.sim.advance(1s);
    CHECK_FALSE(pair.a.node->peers().front().is_connected);
    CHECK(pair.sim.wall() - pair.a.node->peers().front().since < 2s);
    pair.begin_b();
    CHECK_FALSE(pair.search());
    CHECK(pair.a.node->peers().size() == 2);
    CHECK(pair.a.node->peers().back().is_connected);
}

TEST_CASE("figures: a request that is late says where its time went", "[remote][figures]")
{
    remote::simulated_network_options way;
    way.latency_min = way.latency_max = 10ms;
    simulated_pair pair(11, simulated_pair::hasty(), way);
    const auto slow = [](context& self) -> task<> {
        while (message next = co_await self.receive()) {
            co_await sleep_for(300ms);
            next.match([](const greeting& asked) { return asked.name; });
        }
    };
    pair.b->actors.spawn("slow", +slow);
    const pid far = found(pair.sim, pair.a, "b:1/slow");
    std::vector<remote::request_overdue> late;
    const auto listening = pair.a.actors.events().subscribe<remote::request_overdue>(
        [&](const remote::request_overdue& each) { late.push_back(each); });
    const auto ask = [&](std::size_t size, std::chrono::nanoseconds timeout) {
        pair.a.actors.ask(far, greeting{std::string(size, 'x')}, timeout,
            [](error_code, const std::optional<std::string>&) {});
    };
    const auto figures = [&] { return pair.a.node->peers().at(0); };

    ask(1, 10s);
    pair.sim.advance(1s);
    CHECK(late.empty());
    CHECK(figures().times.until_answered >= 320ms);
    CHECK(figures().times.until_answered < 330ms);
    CHECK(figures().times.until_written < 5ms);
    CHECK(figures().overdue == 0);

    SECTION("by its answer")
    {
        ask(1, 100ms);
        pair.sim.advance(500ms);
        REQUIRE(late.size() == 1);
        CHECK(late[0].name == "b");
        CHECK(late[0].to == far);
        CHECK(late[0].type.find("greeting") != std::string::npos);
        CHECK(late[0].is_written);
        CHECK(late[0].is_answered);
        CHECK(late[0].times.until_answered >= 320ms);
        CHECK(figures().overdue == 1);
    }
    SECTION("by the next heartbeat")
    {
        for (int i = 0; i < 20; ++i)
            ask(1, 100ms);
        pair.sim.advance(1500ms);
        CHECK(late.size() == 20);
        CHECK_FALSE(late.back().is_answered);
        pair.sim.advance(10s);
        CHECK(late.size() == 20);  // each once
        CHECK(figures().overdue == 20);
    }
    SECTION("before it is written")
    {
        pair.network.silence("a", "b");
        for (int i = 0; i < 30; ++i)
            ask(1'000'000, 100ms);
        pair.sim.advance(500ms);
        pair.network.heal();
        pair.sim.advance(20s);
        REQUIRE(late.size() == 30);
        CHECK_FALSE(late.back().is_written);
        CHECK(late.back().times.until_written > 100ms);
        CHECK(late.back().times.until_answered == 0ns);
    }
}
