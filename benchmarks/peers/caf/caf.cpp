// SPDX-License-Identifier: MIT

// W1 to W8 and P1 with CAF, as its manual shows it: event-based actors made of functions that return their
// message handlers, with a state where they need one.

#include "asking.hpp"
#include "harness.hpp"
#include "versions.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bench::order;
using bench::outcome;
using namespace peer;

// What all workloads share
// ---------------------------------------------------------------------------------------

struct config : caf::actor_system_config {
    explicit config(const order& order)
    {
        if (order.strands == 1)
            bench::pin_to(0);  // and all threads that will be started from here
        set(scheduler + "max-threads", static_cast<std::int64_t>(order.strands));
    }
};

/// How many messages an actor may handle in one go, where it is said at all; CAF sets no limit.
constexpr std::int64_t throughput = 300;

// W1, W8: ping-pong
// ----------------------------------------------------------------------------------------------

constexpr std::size_t anywhere = SIZE_MAX;

void settle(std::size_t core)
{
    if (core != anywhere)
        bench::pin_to(core);
}

caf::behavior ponger(caf::event_based_actor* self, std::size_t core)
{
    settle(core);
    return {[=](std::uint64_t number) { answer(self, number + 1); }};
}

caf::behavior pinger(
    caf::event_based_actor* self, std::size_t core, caf::actor peer, std::uint64_t last, tally* end)
{
    settle(core);
    return {[=](std::uint64_t number) {
        if (number < last)
            tell(self, peer, number + 1);
        else
            end->arrive(number);
    }};
}

outcome play(const std::vector<caf::actor>& pingers, std::uint64_t count, tally& end)
{
    const bench::stopwatch watch;
    for (const caf::actor& each : pingers)
        tell_from_outside(each, std::uint64_t{0});
    const std::uint64_t received = end.wait();
    auto made = bench::rate("messages", "msg/s", pingers.size() * count, watch);
    made.sent = pingers.size() * count;
    made.received = received;
    return made;
}

outcome ping_pong(const order& order, std::size_t pairs, std::uint64_t count)
{
    config settings(order);
    caf::actor_system system(settings);
    tally end(pairs);
    std::vector<caf::actor> pingers;
    for (std::size_t i = 0; i < pairs; ++i)
        pingers.push_back(system.spawn(pinger, anywhere, system.spawn(ponger, anywhere), count, &end));
    return play(pingers, count, end);
}

outcome across(const order& order)
{
    const std::uint64_t count = order.count(60'000);
    config settings(order);
    caf::actor_system system(settings);
    tally end(1);
    const caf::actor far = system.spawn<caf::detached>(ponger, std::size_t{1});
    const caf::actor near = system.spawn<caf::detached>(pinger, std::size_t{0}, far, count, &end);
    auto made = play({near}, count, end);
    made.note = "detached actors, which sleep when they have no message";
    return made;
}

// W2: a foreign thread sends as fast as it can
// -------------------------------------------------------------------

struct counter_state {
    std::uint64_t count = 0;
};

caf::behavior counter(caf::stateful_actor<counter_state>* self, tally* end)
{
    return {
        [=](std::uint64_t number) { state_of(self).count += number != UINT64_MAX; },
        [=](caf::get_atom) { end->arrive(state_of(self).count); },
    };
}

outcome storm(const order& order)
{
    const std::uint64_t count = order.count(10'000'000);
    config settings(order);
    caf::actor_system system(settings);
    tally end(1);
    const caf::actor target = system.spawn(counter, &end);
    bench::pin_to(1);
    const bench::stopwatch watch;
    for (std::uint64_t i = 0; i < count; ++i)
        tell_from_outside(target, i);
    tell_from_outside(target, caf::get_atom_v);
    const std::uint64_t received = end.wait();
    auto made = bench::duration("until the last is handled", watch);
    made.sent = count;
    made.received = received;
    return made;
}

// W3: many senders, more receivers
// -------------------------------------------------------------------------------

struct source_state {
    std::size_t at = 0;
    std::uint64_t sent = 0;
    bool halted = false;
};

caf::behavior source(caf::stateful_actor<source_state>* self, const std::vector<caf::actor>* targets,
    std::size_t first, tally* end)
{
    state_of(self).at = first;
    return {
        [=](caf::tick_atom) {
            auto& [at, sent, halted] = state_of(self);
            if (halted)
                return;
            for (int i = 0; i < 100; ++i) {
                tell(self, (*targets)[at], sent++);
                at = at + 1 == targets->size() ? 0 : at + 1;
            }
            tell(self, caf::actor_cast<caf::actor>(self), caf::tick_atom_v);
        },
        [=](caf::get_atom) {
            state_of(self).halted = true;
            end->arrive(state_of(self).sent);
        },
    };
}

outcome fan_in(const order& order)
{
    constexpr std::size_t senders = 20;
    constexpr std::size_t receivers = 2000;
    config settings(order);
    settings.set(
        scheduler + "max-throughput", throughput);  // else a source never lets others have its worker
    caf::actor_system system(settings);
    tally all_sent(senders);
    tally all_received(receivers);
    std::vector<caf::actor> targets;
    for (std::size_t i = 0; i < receivers; ++i)
        targets.push_back(system.spawn(counter, &all_received));
    std::vector<caf::actor> sources;
    for (std::size_t i = 0; i < senders; ++i)
        sources.push_back(system.spawn(source, &targets, i * receivers / senders, &all_sent));
    const bench::stopwatch watch;
    for (const caf::actor& each : sources)
        tell_from_outside(each, caf::tick_atom_v);
    std::this_thread::sleep_for(order.quick ? 50ms : 5s);
    for (const caf::actor& each : sources)
        tell_from_outside(each, caf::get_atom_v);
    const std::uint64_t sent = all_sent.wait();
    for (const caf::actor& each : targets)
        tell_from_outside(each, caf::get_atom_v);
    const std::uint64_t received = all_received.wait();
    auto made = bench::rate("messages", "msg/s", received, watch);
    made.sent = sent;
    made.received = received;
    return made;
}

// W4: a million actors that wait
// ---------------------------------------------------------------------------------

caf::behavior idler(caf::event_based_actor*, tally* started, tally* handled)
{
    started->arrive();
    return {[=](std::uint64_t number) { handled->arrive(number); }};
}

/// Spawns on the first order, sends to each on the second.
struct nursery_state {
    std::vector<caf::actor> children;
};

caf::behavior nursery(
    caf::stateful_actor<nursery_state>* self, std::uint64_t count, tally* started, tally* handled)
{
    state_of(self).children.reserve(count);
    return {
        [=](caf::add_atom) {
            for (std::uint64_t i = 0; i < count; ++i)
                state_of(self).children.push_back(self->spawn(idler, started, handled));
        },
        [=](caf::put_atom) {
            for (const caf::actor& each : state_of(self).children)
                tell(self, each, std::uint64_t{1});
        },
    };
}

outcome crowd(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    config settings(order);
    caf::actor_system system(settings);
    tally started(count);
    tally handled(count);
    std::vector<caf::actor> nurseries;
    for (std::size_t i = 0; i < order.strands; ++i)
        nurseries.push_back(system.spawn(nursery, count / order.strands, &started, &handled));
    const std::uint64_t before = bench::resident_bytes();
    const bench::stopwatch spawning;
    for (const caf::actor& each : nurseries)
        tell_from_outside(each, caf::add_atom_v);
    const std::uint64_t spawned = started.wait();
    auto made = bench::duration("spawn all", spawning);
    // Without the list of handles, which is the driver's.
    const std::uint64_t taken = bench::resident_bytes() - before - spawned * sizeof(caf::actor);
    made.figures.push_back(
        {"memory of an actor", static_cast<double>(taken) / static_cast<double>(spawned), "B", false});
    const bench::stopwatch sending;
    for (const caf::actor& each : nurseries)
        tell_from_outside(each, caf::put_atom_v);
    made.sent = spawned;
    made.received = handled.wait();
    made.figures.push_back({"one message to each", sending.seconds(), "s", false});
    return made;
}

// W5: ring
// -------------------------------------------------------------------------------------------------------

struct node_state {
    caf::actor next;
};

caf::behavior node(caf::stateful_actor<node_state>* self, caf::actor next, tally* end)
{
    state_of(self).next = std::move(next);
    return {
        [=](std::uint64_t hops) {
            if (hops == 0)
                end->arrive();
            else
                tell(self, state_of(self).next, hops - 1);
        },
        [=](caf::put_atom, const caf::actor& behind) { state_of(self).next = behind; },
    };
}

outcome ring(const order& order, std::uint64_t tokens, std::uint64_t total)
{
    constexpr std::size_t nodes = 1000;
    config settings(order);
    caf::actor_system system(settings);
    system.await_actors_before_shutdown(false);  // the actors of a ring keep each other
    tally end(tokens);
    const caf::actor head = system.spawn(node, caf::actor(), &end);
    caf::actor first = head;
    for (std::size_t i = 1; i < nodes; ++i)
        first = system.spawn(node, first, &end);
    tell_from_outside(head, caf::put_atom_v, first);
    const std::uint64_t hops = (total / tokens / nodes + 1) * nodes;
    const bench::stopwatch watch;
    for (std::uint64_t i = 0; i < tokens; ++i)
        tell_from_outside(first, hops - 1);
    const std::uint64_t received = end.wait() * hops;
    auto made = bench::rate("messages", "msg/s", tokens * hops, watch);
    made.sent = tokens * hops;
    made.received = received;
    return made;
}

// W6: request and response
// ---------------------------------------------------------------------------------------

outcome asks(const order& order, std::uint64_t clients, std::uint64_t total, bool timed)
{
    const std::uint64_t count = total / clients;
    bench::latencies took(timed ? count : 0);
    config settings(order);
    caf::actor_system system(settings);
    tally end(clients);
    std::vector<caf::actor> servers;
    for (std::size_t i = 0; i < order.strands; ++i)
        servers.push_back(system.spawn(answerer));
    std::vector<caf::actor> all;
    for (std::uint64_t i = 0; i < clients; ++i)
        all.push_back(
            system.spawn(client, servers[i % servers.size()], count, &end, timed ? &took : nullptr));
    const bench::stopwatch watch;
    for (const caf::actor& each : all)
        tell_from_outside(each, caf::tick_atom_v);
    const std::uint64_t received = end.wait();
    auto made = bench::rate("asks", "asks/s", clients * count, watch);
    if (timed)
        made.figures = took.figures();
    made.sent = clients * count;
    made.received = received;
    return made;
}

// W7: skynet
// -----------------------------------------------------------------------------------------------------

struct branch_state {
    std::uint64_t sum = 0;
    int missing = 10;
};

/// Sums the numbers of its leaves and sends the sum to its parent; the root has none.
caf::behavior branch(caf::stateful_actor<branch_state>* self, caf::actor parent, tally* end,
    std::uint64_t first, std::uint64_t size)
{
    if (size == 1) {
        tell(self, parent, first);
        return {};  // an actor without a behavior stops
    }
    const std::uint64_t part = size / 10;
    for (std::uint64_t i = 0; i < 10; ++i)
        self->spawn(branch, caf::actor_cast<caf::actor>(self), end, first + i * part, part);
    return {[=](std::uint64_t number) {
        branch_state& state = state_of(self);
        state.sum += number;
        if (--state.missing != 0)
            return;
        if (parent)
            tell(self, parent, state.sum);
        else
            end->arrive(state.sum);
        self->quit();
    }};
}

outcome tree(const order& order)
{
    const std::uint64_t leaves = order.quick ? 10'000 : 1'000'000;
    config settings(order);
    caf::actor_system system(settings);
    tally end(1);
    const bench::stopwatch watch;
    system.spawn(branch, caf::actor(), &end, std::uint64_t{0}, leaves);
    const std::uint64_t sum = end.wait();
    auto made = bench::duration("until the sum is known", watch);
    made.sent = leaves * (leaves - 1) / 2;
    made.received = sum;
    return made;
}

// P1: pairs that exchange batches
// --------------------------------------------------------------------------------

constexpr std::uint64_t batch = 100;

struct batches_state {
    std::uint64_t received = 0;
};

caf::behavior batch_client(
    caf::stateful_actor<batches_state>* self, caf::actor echo, std::uint64_t last, tally* end)
{
    const auto send_batch = [=] {
        const std::uint64_t first = state_of(self).received;
        for (std::uint64_t i = first; i < first + batch; ++i)
            tell(self, echo, i);
    };
    return {
        [=](caf::tick_atom) { send_batch(); },
        [=](std::uint64_t number) {
            std::uint64_t& received = state_of(self).received;
            received += number != UINT64_MAX;
            if (received == last)
                end->arrive(received);
            else if (received % batch == 0)
                send_batch();
        },
    };
}

outcome batches(const order& order)
{
    const std::size_t pairs = 2 * order.strands;
    const std::uint64_t last = order.count(1'000'000);
    config settings(order);
    settings.set(scheduler + "max-throughput", throughput);
    caf::actor_system system(settings);
    tally end(pairs);
    std::vector<caf::actor> clients;
    for (std::size_t i = 0; i < pairs; ++i) {
        const caf::actor echo = system.spawn([](caf::event_based_actor* self) -> caf::behavior {
            return {[=](std::uint64_t number) { answer(self, number); }};
        });
        clients.push_back(system.spawn(batch_client, echo, last, &end));
    }
    const bench::stopwatch watch;
    for (const caf::actor& each : clients)
        tell_from_outside(each, caf::tick_atom_v);
    const std::uint64_t received = end.wait();
    auto made = bench::rate("messages", "msg/s", 2 * pairs * last, watch);
    made.sent = pairs * last;
    made.received = received;
    made.note = "mailboxes of CAF have no bound; throughput 300";
    return made;
}

}  // namespace

int main(int argc, char** argv)
{
#if CAF_VERSION >= 1800
    caf::core::init_global_meta_objects();
#endif
    const std::string peer = "caf";
    return bench::main(argc, argv,
        {
            {"W1a", peer, {1, 2}, 1, 8, [](const order& o) { return ping_pong(o, 1, o.count(5'000'000)); }},
            {"W1b", peer, {1, 2}, 4, 8, [](const order& o) { return ping_pong(o, 4, o.count(2'000'000)); }},
            {"W2", peer, {1}, 0, 8, storm},
            {"W3", peer, {1, 2}, 0, 8, fan_in},
            {"W4", peer, {1, 2}, 1, 8, crowd},
            {"W5a", peer, {1, 2}, 1, 8, [](const order& o) { return ring(o, 1, o.count(5'000'000)); }},
            {"W5b", peer, {1, 2}, 100, 8, [](const order& o) { return ring(o, 100, o.count(10'000'000)); }},
            {"W6a", peer, {1}, 1, 8, [](const order& o) { return asks(o, 1, o.count(1'000'000), true); }},
            {"W6b", peer, {1, 2}, 64, 8,
                [](const order& o) { return asks(o, 64, o.count(5'000'000), false); }},
            {"W7", peer, {1, 2}, 0, 8, tree},
            {"W8", peer, {2}, 1, 8, across},
            {"W8parked", peer, {2}, 1, 8, across},
            {"P1", peer, {1, 2}, 100, 8, batches},
        },
        {peer, version(), "C++",
            "event-based actors, dynamically typed; work stealing with its defaults, max-threads = strands; "
            "mailboxes without a bound; W3 and P1: max-throughput 300; W8: detached actors, pinned"});
}
