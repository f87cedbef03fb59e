// SPDX-License-Identifier: MIT

// How costar's cost grows with pairs, actors, the size of messages, and threads that send.

#include "harness.hpp"

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
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

/// A message of this many bytes, moved by copying them.
template <std::size_t Bytes>
struct block {
    std::uint64_t number = 0;
    std::byte rest[Bytes - sizeof(number)];
};
template <>
struct block<8> {
    std::uint64_t number = 0;
};

costar::engine_options options_for(const order& order)
{
    return {.strands = order.strands, .pin_threads = true};
}

/// Lets all actors run their part, and adds up what they answer.
std::uint64_t run_all(costar::engine& engine, const std::vector<pid>& actors, std::uint64_t count)
{
    std::vector<std::future<std::uint64_t>> ends;
    for (const pid each : actors)
        ends.push_back(engine.ask(each, run{count}, 1h, asio::use_future));
    return std::accumulate(ends.begin(), ends.end(), std::uint64_t{0},
        [](std::uint64_t sum, std::future<std::uint64_t>& end) { return sum + end.get(); });
}

// Pairs, and the size of messages
// --------------------------------------------------------------------------

template <std::size_t Bytes>
task<> ponger(context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](block<Bytes>& ball) {
            ++ball.number;
            self.send(self.sender(), std::move(ball));
        });
}

template <std::size_t Bytes>
task<> pinger(context& self)
{
    const pid peer = self.spawn(ponger<Bytes>);
    auto order = co_await self.receive<run>();
    const std::uint64_t count = order.template get<run>().count;
    block<Bytes> ball;
    while (ball.number < count) {
        ++ball.number;
        self.send(peer, ball);
        auto message = co_await self.receive<block<Bytes>>();
        ball = message.template get<block<Bytes>>();
    }
    order.respond(ball.number);
}

template <std::size_t Bytes>
outcome ping_pong(const order& order, std::size_t pairs, std::uint64_t total)
{
    costar::engine engine(options_for(order));
    std::vector<pid> pingers;
    for (std::size_t i = 0; i < pairs; ++i)
        pingers.push_back(engine.spawn(pinger<Bytes>));
    const std::uint64_t count = order.count(total) / pairs / 2 * 2;
    const bench::stopwatch watch;
    const std::uint64_t received = run_all(engine, pingers, count);
    auto made = bench::rate("messages", "msg/s", pairs * count, watch);
    made.sent = pairs * count;
    made.received = received;
    return made;
}

// Actors
// ----------------------------------------------------------------------------------------------------

task<> counter(context& self, std::uint64_t* handled)
{
    while (auto message = co_await self.receive())
        message.match([&](block<8>) { ++*handled; });
}

/// Sends round robin to children of its own, a hundred messages at a time.
task<> spreader(context& self, std::uint64_t actors)
{
    std::uint64_t handled = 0;
    std::vector<pid> children;
    for (std::uint64_t i = 0; i < actors; ++i)
        children.push_back(self.spawn(counter, &handled));
    while (auto order = co_await self.receive<run>()) {
        const std::uint64_t count = order.get<run>().count;
        std::uint64_t sent = 0;
        handled = 0;
        for (std::size_t at = 0; sent < count;) {
            for (int i = 0; i < 100 && sent < count; ++i) {
                self.send(children[at], block<8>{sent++});
                at = at + 1 == children.size() ? 0 : at + 1;
            }
            co_await costar::yield();
        }
        while (handled < count)
            co_await costar::yield();
        order.respond(handled);
    }
}

outcome spread(const order& order, std::uint64_t actors)
{
    costar::engine engine(options_for(order));
    std::vector<pid> spreaders;
    for (std::size_t i = 0; i < order.strands; ++i)
        spreaders.push_back(engine.spawn(spreader, actors / order.strands));
    const std::uint64_t count = order.count(4'000'000);
    run_all(engine, spreaders, 0);  // when they answer, all children live
    const bench::stopwatch watch;
    const std::uint64_t received = run_all(engine, spreaders, count);
    auto made = bench::rate("messages", "msg/s", received, watch);
    made.sent = spreaders.size() * count;
    made.received = received;
    return made;
}

// Threads that send
// -----------------------------------------------------------------------------------------

task<> collector(context& self)
{
    std::uint64_t count = 0;
    while (auto message = co_await self.receive())
        message.match([&](block<8>) { ++count; }, [&](run) { return count; });
}

outcome storm(const order& order, std::size_t senders)
{
    const std::uint64_t count = order.count(2'000'000) / senders;
    costar::engine engine(options_for(order));
    const pid target = engine.spawn(collector);
    const bench::stopwatch watch;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < senders; ++i)
        threads.emplace_back([&] {
            for (std::uint64_t sent = 0; sent < count; ++sent)
                engine.send(target, block<8>{sent});
        });
    for (std::thread& each : threads)
        each.join();
    outcome made;
    // Threads are not ordered among each other, so this question may overtake what others sent.
    for (int attempt = 0; attempt < 1000 && made.received != senders * count; ++attempt)
        made.received = run_all(engine, {target}, 0);
    auto timed = bench::rate("messages", "msg/s", senders * count, watch);
    timed.sent = senders * count;
    timed.received = made.received;
    return timed;
}

}  // namespace

int main(int argc, char** argv)
{
    const std::string peer = "costar";
    std::vector<bench::workload> offered;
    for (std::size_t pairs = 1; pairs <= 64; pairs *= 2)
        offered.push_back({fmt::format("pairs-{}", pairs), peer, {1, 2}, pairs, 8,
            [pairs](const order& o) { return ping_pong<8>(o, pairs, 8'000'000); }});
    for (std::uint64_t actors = 10; actors <= 1'000'000; actors *= 10)
        offered.push_back({fmt::format("actors-{}", actors), peer, {1, 2}, 100, 8,
            [actors](const order& o) { return spread(o, actors); }});
    const auto offer_size = [&]<std::size_t Bytes>(std::integral_constant<std::size_t, Bytes>) {
        constexpr std::uint64_t total = Bytes <= 256 ? 8'000'000 : 1'000'000'000 / Bytes;
        offered.push_back({fmt::format("bytes-{}", Bytes), peer, {1}, 1, Bytes,
            [](const order& o) { return ping_pong<Bytes>(o, 1, total); }});
    };
    offer_size(std::integral_constant<std::size_t, 8>());
    offer_size(std::integral_constant<std::size_t, 64>());
    offer_size(std::integral_constant<std::size_t, 256>());
    offer_size(std::integral_constant<std::size_t, 1024>());
    offer_size(std::integral_constant<std::size_t, 4096>());
    offer_size(std::integral_constant<std::size_t, 16384>());
    offer_size(std::integral_constant<std::size_t, 65536>());
    for (std::size_t senders = 1; senders <= 64; senders *= 2)
        offered.push_back({fmt::format("senders-{}", senders), peer, {1}, 0, 8,
            [senders](const order& o) { return storm(o, senders); }});
    return bench::main(argc, argv, offered,
        {"costar", "0.1.0", "C++", "default options, threads pinned; P1: throughput 300"});
}
