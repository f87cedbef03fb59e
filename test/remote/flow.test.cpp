// SPDX-License-Identifier: MIT

// What waits for a peer is bounded, in messages and in bytes, whoever sends it and however large it is; and
// who waits for room gets it.

#include "simulated_places.hpp"

#include <costar/core/with_timeout.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <support/catch.hpp>

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// What becomes of messages that are sent with `send_async`.
struct tally {
    int sent = 0;
    int failed = 0;
    int cancelled = 0;
};

task<> sends(context& self, pid to, int count, std::size_t bytes, tally* all)
{
    for (int i = 0; i < count; ++i) {
        const auto done = co_await as_result(self.send_async(to, greeting{std::string(bytes, 'x')}));
        ++(done ? all->sent : all->failed);
    }
}

task<> gives_up(context& self, pid to, std::size_t bytes, tally* all)
{
    const auto one = [](context& self, pid to, std::size_t bytes) -> task<> {
        co_await self.send_async(to, greeting{std::string(bytes, 'x')});
    };
    const auto done = co_await as_result(with_timeout(1ms, one(self, to, bytes)));
    ++(done ? all->sent : all->cancelled);
}

remote::node_options narrow(std::uint32_t messages, std::uint64_t bytes)
{
    auto options = simulated_pair::hasty();
    options.silence_max = 60s;
    options.queue_max = messages;
    options.queue_bytes_max = bytes;
    return options;
}

remote::peer_figures waiting(const simulated_pair& pair)
{
    return pair.a.node->peers().at(0);
}

}  // namespace

TEST_CASE("flow: many that wait for room are within the bounds, whatever the size of their messages",
    "[remote][flow]")
{
    struct shape {
        std::uint32_t messages;
        std::uint64_t bytes;
        std::size_t size;
    };
    for (const shape& each : {shape{1000, 300'000, 70'000}, {1000, 300'000, 10'000}, {1000, 300'000, 200'000},
             {10, 100'000'000, 100'000}, {10, 100'000'000, 100}, {10, 200'000, 60'000}, {1, 1, 100},
             {1, 1, 70'000}}) {
        simulated_pair pair(20, narrow(each.messages, each.bytes));
        const pid far = found(pair.sim, pair.a, "b:1/host");
        tally all;
        pair.network.silence("a", "b");
        // Until the connection takes no more, and then those who wait.
        for (int i = 0; i < 50; ++i)
            pair.a.actors.spawn(sends, far, 100, each.size, &all);
        for (int i = 0; i < 20; ++i) {
            pair.sim.advance(100ms);
            CHECK(waiting(pair).waiting <= each.messages);
            CHECK(waiting(pair).bytes_waiting <= std::max<std::uint64_t>(each.bytes, each.size + 200));
        }
        CHECK(all.sent < 5000);
        pair.network.heal();
        pair.sim.advance(60s);
        CHECK(all.sent == 5000);
        CHECK(all.failed == 0);
        CHECK(waiting(pair).waiting == 0);
        CHECK(waiting(pair).bytes_waiting == 0);
        CHECK(greeted(pair.sim, pair.a, far, "bob") == "hello bob");
    }
}

TEST_CASE("flow: requests that nobody waits for any more are not sent", "[remote][flow]")
{
    simulated_pair pair(26, narrow(1000, 100'000'000));
    int handled = 0;
    const auto counts = [](context& self, int* handled) -> task<> {
        while (message next = co_await self.receive())
            next.match([&](const greeting& asked) { return ++*handled, asked.name; });
    };
    pair.b->actors.spawn("counter", +counts, &handled);
    const pid far = found(pair.sim, pair.a, "b:1/counter");
    int timed_out = 0;
    pair.network.silence("a", "b");
    for (int i = 0; i < 500; ++i) {
        // Each second one waits for as long as it takes.
        pair.a.actors.ask(far, greeting{std::string(10'000, 'x')}, i % 2 == 0 ? 100ms : -1ns,
            [&](error_code failure, const std::optional<std::string>&) {
                timed_out += failure == errc::timed_out ? 1 : 0;
            });
        pair.sim.advance(100us);
    }
    pair.sim.advance(1s);
    pair.network.heal();
    pair.sim.advance(5s);
    CHECK(timed_out == 250);
    CHECK(handled >= 250);  // and what the connection had taken before
    CHECK(handled < 300);
    CHECK(waiting(pair).bytes_sent < 3'500'000);
    CHECK(waiting(pair).waiting == 0);
}

TEST_CASE("flow: nor are large ones", "[remote][flow]")
{
    simulated_pair pair(27, narrow(1000, 100'000'000));
    int handled = 0;
    const auto counts = [](context& self, int* handled) -> task<> {
        while (message next = co_await self.receive())
            next.match([&](const greeting&) { return ++*handled, std::string(); });
    };
    pair.b->actors.spawn("counter", +counts, &handled);
    const pid far = found(pair.sim, pair.a, "b:1/counter");
    int timed_out = 0;
    pair.network.silence("a", "b");
    for (int i = 0; i < 50; ++i)
        pair.a.actors.ask(far, greeting{std::string(200'000, 'x')}, i % 2 == 0 ? 100ms : -1ns,
            [&](error_code failure, const std::optional<std::string>&) {
                timed_out += failure == errc::timed_out ? 1 : 0;
            });
    pair.sim.advance(1s);
    pair.network.heal();
    pair.sim.advance(20s);
    CHECK(timed_out == 25);
    CHECK(handled >= 25);
    CHECK(handled < 30);  // and what was under way
    CHECK(waiting(pair).waiting == 0);
}

TEST_CASE("flow: a large message that is cut in the middle is a dead letter", "[remote][flow]")
{
    remote::simulated_network_options slow;
    slow.bytes_per_second = 1'000'000;
    simulated_pair pair(28, narrow(1000, 100'000'000), slow);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    std::vector<std::pair<pid, errc>> lost;
    const auto listening = pair.a.actors.events().subscribe<dead_letter>(
        [&](const dead_letter& each) { lost.emplace_back(each.to, each.reason); });
    pair.a.actors.send(far, greeting{std::string(4'000'000, 'x')});
    std::optional<error_code> ended;
    pair.a.actors.ask(far, greeting{std::string(1'000'000, 'x')}, 60s,
        [&](error_code failure, const std::optional<std::string>&) { ended = failure; });
    pair.sim.advance(3s);
    CHECK(lost.empty());
    pair.network.reset("a", "b");
    pair.sim.advance(10s);
    CHECK(lost == std::vector<std::pair<pid, errc>>{{far, errc::unreachable}});
    CHECK(ended == error_code(errc::unreachable));
}

TEST_CASE("flow: a pill for a node that cannot be dialled is a dead letter", "[remote][flow]")
{
    simulated_pair pair(29);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    pair.network.crash("b");
    pair.b.reset();
    pair.sim.advance(30s);
    std::vector<std::string> lost;
    const auto listening = pair.a.actors.events().subscribe<dead_letter>(
        [&](const dead_letter& each) { lost.emplace_back(each.type); });
    pair.a.actors.send(far, poison_pill{});
    pair.a.actors.send(far, poison_pill{});
    pair.sim.advance(30s);
    CHECK(lost.size() == 2);
}

TEST_CASE("flow: who gives up waiting for room leaves nothing behind", "[remote][flow]")
{
    simulated_pair pair(21, narrow(1000, 300'000));
    const pid far = found(pair.sim, pair.a, "b:1/host");
    tally all;
    pair.network.silence("a", "b");
    for (int i = 0; i < 400; ++i) {
        pair.a.actors.spawn(gives_up, far, std::size_t{50'000}, &all);
        pair.sim.advance(5ms);
        CHECK(waiting(pair).bytes_waiting <= 300'000);
    }
    CHECK(all.sent < 100);
    CHECK(all.sent + all.cancelled == 400);
    std::uint64_t received = pair.b->node->counters().received;
    pair.network.heal();
    pair.sim.advance(10s);
    received = pair.b->node->counters().received - received;
    CHECK(received == static_cast<std::uint64_t>(all.sent));
    CHECK(waiting(pair).waiting == 0);
}

TEST_CASE("flow: who waits for room hears when the link is lost", "[remote][flow]")
{
    auto options = narrow(10, 100'000);
    options.silence_max = 4s;
    simulated_pair pair(22, options);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    tally all;
    pair.network.silence("a", "b");
    for (int i = 0; i < 30; ++i)
        pair.a.actors.spawn(sends, far, 1, std::size_t{90'000}, &all);
    pair.sim.advance(30s);
    CHECK(all.sent + all.failed == 30);
    CHECK(all.failed > 5);
    CHECK(waiting(pair).waiting == 0);
}

TEST_CASE("flow: what is sent behind a pill is not handled, in parts or not", "[remote][flow]")
{
    // Bytes of a message before the pill, beside it from another actor, and behind it.
    const auto [before, beside, behind] =
        GENERATE(table<std::size_t, std::size_t, std::size_t>({{10, 0, 10}, {200'000, 0, 10},
            {10, 0, 200'000}, {10, 500'000, 10}, {10, 500'000, 200'000}, {200'000, 500'000, 10}}));
    const bool has_room = GENERATE(true, false);
    simulated_pair pair(25);
    auto open = simulated_pair::hasty();
    open.lets_stop = true;
    pair.b.reset();
    pair.b.emplace(pair.sim, pair.network, "b", open);
    std::vector<std::string> heard;
    const auto notes = [](context& self, std::vector<std::string>* heard) -> task<> {
        while (message m = co_await self.receive())
            m.match([&](const greeting& said) { heard->push_back(said.name.substr(0, 1)); });
    };
    const auto pours = [](context& self, pid to, std::size_t bytes) -> task<> {
        self.send(to, greeting{std::string(bytes, 'o')});
        co_return;
    };
    const auto sends_around = [](context& self, pid to, std::size_t before, std::size_t behind) -> task<> {
        for (int i = 0; i < 10; ++i)
            self.send(to, greeting{std::string(before, 'b')});
        self.poison(to);
        for (int i = 0; i < 10; ++i)
            self.send(to, greeting{std::string(behind, 'a')});
        co_return;
    };
    pair.b->actors.spawn("notes", +notes, &heard);
    pair.b->actors.spawn("host", host);
    const pid far = found(pair.sim, pair.a, "b:1/notes");
    const pid other = found(pair.sim, pair.a, "b:1/host");
    if (!has_room) {  // all of it waits, and goes when there is room again
        pair.network.silence("a", "b");
        for (int i = 0; i < 40; ++i)
            pair.a.actors.send(other, greeting{std::string(60'000, 'x')});
        pair.sim.advance(1ms);
    }
    if (beside != 0)
        pair.a.actors.spawn(+pours, other, beside);
    pair.a.actors.spawn(+sends_around, far, before, behind);
    pair.sim.advance(5ms);
    pair.network.heal();
    pair.sim.advance(5s);
    CHECK(heard == std::vector<std::string>(10, "b"));
    CHECK(greeted(pair.sim, pair.a, other, "bob") == "hello bob");
}

TEST_CASE("flow: requests that have expired leave room for others", "[remote][flow]")
{
    constexpr int batch = 5000;
    simulated_pair pair(26, simulated_pair::hasty());
    const auto hoards = [](context& self) -> task<> {
        std::vector<message> held;
        while (message m = co_await self.receive())
            held.push_back(std::move(m));
    };
    pair.b->actors.spawn("hoarder", +hoards);
    const pid far = found(pair.sim, pair.a, "b:1/hoarder");
    const pid other = found(pair.sim, pair.a, "b:1/host");
    int late = 0;
    for (int i = 0; i < 20; ++i) {
        for (int each = 0; each < batch; ++each)
            pair.a.actors.ask(far, greeting{"x"}, 1s,
                [&](error_code failure, const std::string&) { late += failure == errc::timed_out ? 1 : 0; });
        pair.sim.advance(10ms);
    }
    CHECK(failure_of([&] { greeted(pair.sim, pair.a, other, "bob"); }) == errc::mailbox_full);
    pair.sim.advance(1s);
    CHECK(late == 20 * batch);
    CHECK(greeted(pair.sim, pair.a, other, "bob") == "hello bob");
}

TEST_CASE("flow: a pill has a place in a full queue, behind what is in it", "[remote][flow]")
{
    auto options = narrow(10, 100'000'000);
    options.silence_max = 60s;
    simulated_pair pair(25, options);
    auto open = simulated_pair::hasty();
    open.lets_stop = true;
    pair.b.reset();
    pair.b.emplace(pair.sim, pair.network, "b", open);
    pair.b->actors.spawn("host", host);
    const pid far = found(pair.sim, pair.a, "b:1/host");
    tally all;
    pair.network.silence("a", "b");
    for (int i = 0; i < 30; ++i) {
        pair.a.actors.send(far, greeting{std::string(50'000, 'x')});
        pair.sim.advance(1ms);
    }
    CHECK(waiting(pair).waiting == 10);
    const auto swallows = [](context& self, pid to, tally* all) -> task<> {
        const auto done = co_await as_result(self.send_async(to, poison_pill{}));
        ++(done ? all->sent : all->failed);
    };
    pair.a.actors.spawn(+swallows, far, &all);
    std::optional<error_code> ended;
    pair.a.actors.wait(far, [&](error_code failure) { ended = failure; });
    pair.sim.advance(100ms);
    CHECK(all.sent == 1);
    pair.network.heal();
    pair.sim.advance(2s);
    REQUIRE(ended.has_value());
    CHECK(*ended == error_code());
    CHECK(waiting(pair).waiting == 0);

    // Where nobody is reached whoever sends one hears of it.
    pair.network.crash("b");
    pair.b.reset();
    pair.sim.advance(200s);
    CHECK(failure_of([&] { greeted(pair.sim, pair.a, far, "bob"); }) == errc::unreachable);
    pair.a.actors.spawn(+swallows, far, &all);
    pair.sim.advance(1ms);
    CHECK(all.failed == 1);
}

TEST_CASE("flow: many large answers at once arrive, and their link stays", "[remote][flow]")
{
    // More than the 64 MiB that are kept without a word: it is a peer that takes them.
    simulated_pair pair(23);
    pair.b->actors.spawn("talker", talker);
    const pid far = found(pair.sim, pair.a, "b:1/talker");
    int arrived = 0;
    int failed = 0;
    for (int i = 0; i < 90; ++i)
        pair.a.actors.ask(far, greeting{"x", 1'000'000}, -1ns,
            [&](error_code failure, const std::optional<std::string>& answer) {
                ++(!failure && answer && answer->size() == 1'000'000 ? arrived : failed);
            });
    pair.sim.run_until([&] { return arrived + failed == 90; });
    CHECK(arrived == 90);
    CHECK(pair.network.seen().connected == 1);
}

TEST_CASE("flow: answers for which there is no room are refused, and the link stays", "[remote][flow]")
{
    auto options = simulated_pair::hasty();
    options.queue_bytes_max = 1'000'000;  // 64 MiB of answers then
    remote::simulated_network_options slow;
    slow.bytes_per_second = 10'000'000;
    testing::simulation sim(24);
    remote::simulated_network network(sim, slow);
    simulated_place a(sim, network, "a", simulated_pair::hasty());
    simulated_place b(sim, network, "b", options);
    b.actors.spawn("talker", talker);
    const pid far = found(sim, a, "b:1/talker");
    int arrived = 0;
    int refused = 0;
    int failed = 0;
    for (int i = 0; i < 90; ++i)
        a.actors.ask(
            far, greeting{"x", 1'000'000}, -1ns, [&](error_code failure, const std::optional<std::string>&) {
                ++(!failure ? arrived : failure == errc::mailbox_full ? refused : failed);
            });
    sim.run_until([&] { return arrived + refused + failed == 90; });
    CHECK(arrived > 60);
    CHECK(refused > 5);
    CHECK(failed == 0);
    CHECK(network.seen().connected == 1);
}
