// SPDX-License-Identifier: MIT

// W1 to W8 with costar, as its user would write them.

#include "harness.hpp"

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using bench::order;
using bench::outcome;
using costar::context;
using costar::pid;
using costar::task;

/// Asks an actor to run its part, and answers when that is over.
struct run {
    using reply = std::uint64_t;
    std::uint64_t count = 0;
};

/// The small message: one number.
struct ball {
    std::uint64_t number;
};

costar::engine_options options_for(const order& order)
{
    return {.strands = order.strands, .pin_threads = true};
}

template <class Destination>
std::future<std::uint64_t> start(costar::engine& engine, const Destination& actor, std::uint64_t count)
{
    return engine.ask(actor, run{count}, 1h, asio::use_future);
}

template <class Destination>
std::uint64_t run_to_end(costar::engine& engine, const Destination& actor, std::uint64_t count)
{
    return start(engine, actor, count).get();
}

// W1, W8: ping-pong
// --------------------------------------------------------------------------------------------

task<> ponger(context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](ball b) { self.send(self.sender(), ball{b.number + 1}); });
}

/// Plays with `peer`, or with a child beside it.
task<> pinger(context& self, pid peer)
{
    if (!peer)
        peer = self.spawn(ponger);
    auto order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t number = 0;
    while (number < count) {
        self.send(peer, ball{number + 1});
        auto message = co_await self.receive<ball>();
        message.match([&](ball b) { number = b.number; });
    }
    order.respond(number);
}

outcome ping_pong(const order& order, std::size_t pairs, std::uint64_t count)
{
    costar::engine engine(options_for(order));
    std::vector<pid> pingers;
    for (std::size_t i = 0; i < pairs; ++i)
        pingers.push_back(engine.spawn(pinger, pid()));
    const bench::stopwatch watch;
    std::vector<std::future<std::uint64_t>> ends;
    for (const pid each : pingers)
        ends.push_back(start(engine, each, count));
    std::uint64_t received = 0;
    for (auto& end : ends)
        received += end.get();
    auto made = bench::rate("messages", "msg/s", pairs * count, watch);
    made.sent = pairs * count;
    made.received = received;
    return made;
}

outcome across(const order& order, std::uint64_t count, std::chrono::nanoseconds spin)
{
    auto options = options_for(order);
    options.spin = spin;
    costar::engine engine(options);
    const pid far = engine.spawn({.placement = costar::placement::chosen, .strand = 1}, ponger);
    const pid near = engine.spawn({.placement = costar::placement::chosen, .strand = 0}, pinger, far);
    const bench::stopwatch watch;
    const std::uint64_t received = run_to_end(engine, near, count);
    auto made = bench::rate("messages", "msg/s", count, watch);
    made.sent = count;
    made.received = received;
    return made;
}

// P1: pairs that send in batches
// ------------------------------------------------------------------------------

task<> echo(context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](ball b) { self.send(self.sender(), b); });
}

/// Sends the next batch when the last one has come back.
task<> batch_client(context& self)
{
    const pid peer = self.spawn(echo);
    auto order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t received = 0;
    for (std::uint64_t sent = 0; sent < count;) {
        for (int i = 0; i < 100; ++i)
            self.send(peer, ball{sent++});
        while (received < sent) {
            auto message = co_await self.receive<ball>();
            message.match([&](ball) { ++received; });
        }
    }
    order.respond(received);
}

outcome batches(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    auto options = options_for(order);
    options.turn.throughput = 300;
    costar::engine engine(options);
    std::vector<pid> clients;
    for (std::size_t i = 0; i < 2 * order.strands; ++i)
        clients.push_back(engine.spawn(batch_client));
    const bench::stopwatch watch;
    std::vector<std::future<std::uint64_t>> ends;
    for (const pid each : clients)
        ends.push_back(start(engine, each, count));
    std::uint64_t received = 0;
    for (auto& end : ends)
        received += end.get();
    auto made = bench::rate("messages", "msg/s", 2 * received, watch);
    made.sent = clients.size() * count;
    made.received = received;
    return made;
}

// W2: a foreign thread sends as fast as it can
// -----------------------------------------------------------------

task<> counter(context& self)
{
    std::uint64_t count = 0;
    while (auto message = co_await self.receive())
        message.match([&](ball) { ++count; }, [&](run) { return count; });
}

outcome storm(const order& order)
{
    const std::uint64_t count = order.count(10'000'000);
    bench::pin_to(1);
    costar::engine engine(options_for(order));
    const pid target = engine.spawn(counter);
    const bench::stopwatch watch;
    for (std::uint64_t i = 0; i < count; ++i)
        engine.send(target, ball{i});
    const std::uint64_t received = run_to_end(engine, target, 0);
    auto made = bench::duration("until the last is handled", watch);
    made.sent = count;
    made.received = received;
    return made;
}

// W3: many senders, more receivers
// -----------------------------------------------------------------------------

struct halt {
    using reply = std::uint64_t;
};
struct go_on {};

task<> source(context& self, std::vector<pid> targets, std::size_t at)
{
    std::uint64_t sent = 0;
    bool halted = false;
    while (auto message = co_await self.receive()) {
        message.match(
            [&](go_on) {
                if (halted)
                    return;
                for (int i = 0; i < 100; ++i) {
                    self.send(targets[at], ball{sent++});
                    at = at + 1 == targets.size() ? 0 : at + 1;
                }
                self.send(self.pid(), go_on{});
            },
            [&](halt) {
                halted = true;
                return sent;
            });
    }
}

outcome fan_in(const order& order)
{
    constexpr std::size_t senders = 20;
    constexpr std::size_t receivers = 2000;
    costar::engine engine(options_for(order));
    std::vector<pid> targets;
    for (std::size_t i = 0; i < receivers; ++i)
        targets.push_back(engine.spawn(counter));
    std::vector<pid> sources;
    for (std::size_t i = 0; i < senders; ++i)
        sources.push_back(engine.spawn(source, targets, i * receivers / senders));
    const bench::stopwatch watch;
    for (const pid each : sources)
        engine.send(each, go_on{});
    std::this_thread::sleep_for(order.quick ? 50ms : 5s);
    std::uint64_t sent = 0;
    for (const pid each : sources)
        sent += engine.ask(each, halt{}, 1min, asio::use_future).get();
    std::uint64_t received = 0;
    for (int attempt = 0; attempt < 100 && received != sent; ++attempt) {  // the last may still be under way
        std::vector<std::future<std::uint64_t>> counts;
        for (const pid each : targets)
            counts.push_back(start(engine, each, 0));
        received = 0;
        for (auto& count : counts)
            received += count.get();
    }
    auto made = bench::rate("messages", "msg/s", received, watch);
    made.sent = sent;
    made.received = received;
    return made;
}

// W4: a million actors that wait
// -------------------------------------------------------------------------------

/// One message each: counts where it was handled.
struct touch {
    std::uint64_t* handled;
};

task<> idler(context& self)
{
    while (auto message = co_await self.receive())
        message.match([](touch t) { ++*t.handled; });
}

struct idle_class {
    void operator()(touch t) { ++*t.handled; }
};

/// Spawns on the first order, answers when all children wait; sends to each on the second, answers when all
/// have handled it.
template <bool Named>
task<> nursery(context& self, std::uint32_t number)
{
    auto order = co_await self.receive<run>();
    const std::uint64_t count = order.template get<run>().count;
    std::vector<pid> children;
    children.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        if constexpr (Named)
            children.push_back(
                self.spawn<idle_class>(fmt::format("idler-{}-{}", number, i), {.restart = {.limit = 3}}));
        else
            children.push_back(self.spawn(idler));
    }
    co_await costar::yield();  // those that were just born run first
    order.respond(count);
    auto second = co_await self.receive<run>();
    second.mark_handled();
    std::uint64_t handled = 0;
    for (const pid child : children)
        self.send(child, touch{&handled});
    while (handled < count)
        co_await costar::yield();
    second.respond(handled);
    co_await self.receive();
}

template <bool Named>
outcome crowd(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    costar::engine engine(options_for(order));
    std::vector<pid> nurseries;
    for (std::uint32_t i = 0; i < order.strands; ++i)
        nurseries.push_back(engine.spawn(nursery<Named>, i));
    const auto round = [&] {
        std::vector<std::future<std::uint64_t>> ends;
        for (const pid each : nurseries)
            ends.push_back(start(engine, each, count / order.strands));
        std::uint64_t total = 0;
        for (auto& end : ends)
            total += end.get();
        return total;
    };
    const std::uint64_t before = bench::resident_bytes();
    const bench::stopwatch spawning;
    const std::uint64_t spawned = round();
    auto made = bench::duration("spawn all", spawning);
    // Without the list of pids, which is the driver's.
    const std::uint64_t taken = bench::resident_bytes() - before - spawned * sizeof(pid);
    made.figures.push_back(
        {"memory of an actor", static_cast<double>(taken) / static_cast<double>(spawned), "B", false});
    const bench::stopwatch sending;
    made.sent = spawned;
    made.received = round();
    made.figures.push_back({"one message to each", sending.seconds(), "s", false});
    return made;
}

// W5: ring
// ------------------------------------------------------------------------------------------------------

struct ring_order {
    using reply = std::uint64_t;
    std::uint64_t tokens;
    std::uint64_t hops;  // of each token
};
struct close_ring {
    pid next;
};

task<> ring_node(context& self, pid next)
{
    while (auto message = co_await self.receive())
        message.match([&](ball token) { self.send(next, ball{token.number - 1}); });
}

/// The place where the ring closes; tokens end here.
task<> ring_head(context& self)
{
    auto closing = co_await self.receive<close_ring>();
    const pid next = closing.get<close_ring>().next;
    auto order = co_await self.receive<ring_order>();
    const auto [tokens, hops] = order.get<ring_order>();
    for (std::uint64_t i = 0; i < tokens; ++i)
        self.send(next, ball{hops - 1});
    std::uint64_t ended = 0;
    while (ended < tokens) {
        auto message = co_await self.receive<ball>();
        message.match([&](ball token) {
            if (token.number == 0)
                ++ended;
            else
                self.send(next, ball{token.number - 1});
        });
    }
    order.respond(ended * hops);
}

outcome ring(const order& order, std::uint64_t tokens, std::uint64_t total)
{
    constexpr std::size_t nodes = 1000;
    costar::engine engine(options_for(order));
    const pid head = engine.spawn({.placement = costar::placement::chosen, .strand = 0}, ring_head);
    pid next = head;
    for (std::size_t i = nodes - 1; i > 0; --i) {
        const auto strand = static_cast<std::uint32_t>(i * order.strands / nodes);
        next = engine.spawn({.placement = costar::placement::chosen, .strand = strand}, ring_node, next);
    }
    engine.send(head, close_ring{next});
    const std::uint64_t hops = (total / tokens / nodes + 1) * nodes;
    const bench::stopwatch watch;
    const std::uint64_t received = engine.ask(head, ring_order{tokens, hops}, 1h, asio::use_future).get();
    auto made = bench::rate("messages", "msg/s", tokens * hops, watch);
    made.sent = tokens * hops;
    made.received = received;
    return made;
}

// W6: request and response
// --------------------------------------------------------------------------------------

struct question {
    using reply = std::uint64_t;
    std::uint64_t number;
};

task<> answerer(context& self)
{
    while (auto message = co_await self.receive())
        message.match([](question q) { return q.number + 1; });
}

struct timed_run {
    using reply = std::uint64_t;
    std::uint64_t count;
    bench::latencies* took;
};

task<> asker(context& self)
{
    const pid server = self.spawn(answerer);
    auto order = co_await self.receive<timed_run>();
    const auto [count, took] = order.get<timed_run>();
    std::uint64_t received = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto begin = clock_type::now();
        const std::uint64_t reply = co_await self.ask(server, question{i});
        took->add(clock_type::now() - begin);
        received += reply - i;
    }
    order.respond(received);
}

outcome sequential_asks(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    bench::latencies took(count);
    costar::engine engine(options_for(order));
    const pid client = engine.spawn(asker);
    const bench::stopwatch watch;
    const std::uint64_t received = engine.ask(client, timed_run{count, &took}, 1h, asio::use_future).get();
    outcome made;
    made.allocations = watch.allocations();
    made.sent = count;
    made.received = received;
    made.figures = took.figures();
    return made;
}

task<> client(context& self, pid server)
{
    auto order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t received = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t reply = co_await self.ask(server, question{i});
        received += reply - i;
    }
    order.respond(received);
}

/// A server and the clients that ask it, 64 in the whole engine.
task<> practice(context& self, std::uint64_t clients)
{
    const pid server = self.spawn(answerer);
    std::vector<pid> all;
    for (std::uint64_t i = 0; i < clients; ++i)
        all.push_back(self.spawn(client, server));
    auto order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::vector<task<std::uint64_t>> asks;
    for (const pid each : all)
        asks.push_back(costar::as_task(self.ask(each, run{count}, 1h)));
    std::uint64_t received = 0;
    for (const std::uint64_t each : co_await costar::when_all(std::move(asks)))
        received += each;
    order.respond(received);
}

outcome many_asks(const order& order)
{
    constexpr std::uint64_t outstanding = 64;
    const std::uint64_t count = order.count(10'000'000) / outstanding;
    costar::engine engine(options_for(order));
    std::vector<pid> practices;
    for (std::size_t i = 0; i < order.strands; ++i)
        practices.push_back(engine.spawn(practice, outstanding / order.strands));
    const bench::stopwatch watch;
    std::vector<std::future<std::uint64_t>> ends;
    for (const pid each : practices)
        ends.push_back(start(engine, each, count));
    std::uint64_t received = 0;
    for (auto& end : ends)
        received += end.get();
    auto made = bench::rate("asks", "asks/s", outstanding * count, watch);
    made.sent = outstanding * count;
    made.received = received;
    return made;
}

// W7: skynet
// ----------------------------------------------------------------------------------------------------

/// Sums the numbers of its leaves and sends the sum to its parent.
task<> skynet(context& self, std::uint64_t first, std::uint64_t size)
{
    std::uint64_t sum = 0;
    if (size == 1) {
        sum = first;
    } else {
        const std::uint64_t part = size / 10;
        for (std::uint64_t i = 0; i < 10; ++i)
            self.spawn(skynet, first + i * part, part);
        for (int i = 0; i < 10; ++i) {
            auto message = co_await self.receive<ball>();
            sum += message.get<ball>().number;
        }
    }
    self.send(self.parent(), ball{sum});
}

/// The root; its ten branches are spread over the strands.
task<> skynet_root(context& self)
{
    auto order = co_await self.receive<run>();
    const std::uint64_t part = order.get<run>().count / 10;
    for (std::uint64_t i = 0; i < 10; ++i)
        self.spawn({.placement = costar::placement::spread}, skynet, i * part, part);
    std::uint64_t sum = 0;
    for (int i = 0; i < 10; ++i) {
        auto message = co_await self.receive<ball>();
        sum += message.get<ball>().number;
    }
    order.respond(sum);
}

outcome tree(const order& order)
{
    const std::uint64_t leaves = order.quick ? 10'000 : 1'000'000;
    costar::engine engine(options_for(order));
    const pid root = engine.spawn(skynet_root);
    const bench::stopwatch watch;
    const std::uint64_t sum = run_to_end(engine, root, leaves);
    auto made = bench::duration("until the sum is known", watch);
    made.sent = leaves * (leaves - 1) / 2;
    made.received = sum;
    return made;
}

}  // namespace

int main(int argc, char** argv)
{
    const std::string peer = "costar";
    return bench::main(argc, argv,
        {
            {"W1a", peer, {1, 2}, 1, 8, [](const order& o) { return ping_pong(o, 1, o.count(20'000'000)); }},
            {"W1b", peer, {1, 2}, 4, 8, [](const order& o) { return ping_pong(o, 4, o.count(10'000'000)); }},
            {"W2", peer, {1}, 0, 8, storm},
            {"W3", peer, {1, 2}, 0, 8, fan_in},
            {"W4", peer, {1, 2}, 1, 8, crowd<false>},
            {"W4named", peer, {1, 2}, 1, 8, crowd<true>},
            {"W5a", peer, {1, 2}, 1, 8, [](const order& o) { return ring(o, 1, o.count(20'000'000)); }},
            {"W5b", peer, {1, 2}, 100, 8, [](const order& o) { return ring(o, 100, o.count(40'000'000)); }},
            {"W6a", peer, {1}, 1, 8, sequential_asks},
            {"W6b", peer, {1, 2}, 64, 8, many_asks},
            {"W7", peer, {1, 2}, 0, 8, tree},
            {"P1", peer, {1, 2}, 100, 8, batches},
            {"W8", peer, {2}, 1, 8, [](const order& o) { return across(o, o.count(2'000'000), 50us); }},
            {"W8parked", peer, {2}, 1, 8, [](const order& o) { return across(o, o.count(60'000), 0us); }},
        },
        {peer, "0.1.0", "C++", "default options, threads pinned; P1: throughput 300"});
}
