// SPDX-License-Identifier: MIT

// R2unbatched with costar: an actor lets its node write each message before it sends the next one, and so
// does the one that answers. What a message costs that finds no other one to go with.

#include "nodes.hpp"

#include "pair_of_nodes.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

namespace bench {

namespace {

using costar::context;
using costar::message;
using costar::pid;
using costar::remote::node_counters;
using costar::task;
using traffic::ball;

/// Sends, and waits until that has been taken into a batch.
task<> send_alone(context& self, const node_counters& counters, pid peer, std::uint64_t number)
{
    const std::uint64_t before = counters.sent;
    self.send(peer, ball{number});
    while (counters.sent == before)
        co_await costar::yield();
}

task<> echo_alone(context& self, const node_counters* counters)
{
    while (message next = co_await self.receive())
        if (next.is<ball>())
            co_await send_alone(self, *counters, next.sender(), next.get<ball>().number + 1);
}

task<> pinger_alone(context& self, pid peer, const node_counters* counters)
{
    constexpr std::uint64_t under_way_max = 50'000;
    message order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    const auto take = [&](const ball&) { ++received; };
    while (received < count) {
        if (sent < count && sent - received < under_way_max) {
            co_await send_alone(self, *counters, peer, sent++);
        } else {
            message next = co_await self.receive();
            next.match(take);
        }
        take_what_has_come(self, take);
    }
    order.respond(received);
}

void serve_echo_alone(const second_process::door& door, const shared_files& files)
{
    costar::engine engine({.strands = 1});
    costar::remote::node_options options = files.options("second");
    options.listen = files.listen;
    costar::remote::node node(engine, all_words(), std::move(options));
    engine.spawn("echo", echo_alone, &node.counters());
    door.open(node.address());
    door.wait();
}

}  // namespace

outcome pings_one_by_one(const order& order)
{
    const std::uint64_t each_way = order.count(200'000);
    pair_of_nodes nodes(way::tcp, serve_echo_alone);
    const pid peer = nodes.find("echo");
    const std::uint64_t batches = nodes.counters().batches;
    const stopwatch watch;
    const std::uint64_t received = nodes.start(each_way, pinger_alone, peer, &nodes.counters()).get();
    outcome made = rate("messages", "msg/s", 2 * each_way, watch);
    made.note = fmt::format("{:.2f} messages in a batch",
        static_cast<double>(each_way) / static_cast<double>(nodes.counters().batches - batches));
    return nodes.end(std::move(made), each_way, received);
}

}  // namespace bench
