// SPDX-License-Identifier: MIT

// R2 to R6 with costar: actors of two processes, each a node; R2 to R4 over TLS and a Unix socket too. And
// what is offered of all rows.

#include "nodes.hpp"

#include "pair_of_nodes.hpp"

#include <costar/core/log.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

using clock_type = std::chrono::steady_clock;
using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using traffic::ball;
using traffic::count;
using traffic::load;
using traffic::question;

/// Sends a hundred between two looks at its mailbox; 50 000 may be on their way, since a node keeps 100 000
/// for its peer.
task<> pinger(context& self, pid peer)
{
    constexpr std::uint64_t under_way_max = 50'000;
    message order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    const auto take = [&](const ball&) { ++received; };
    while (received < count) {
        for (int i = 0; i < 100 && sent < count && sent - received < under_way_max; ++i)
            self.send(peer, ball{sent++});
        if (sent < count && sent - received < under_way_max) {
            co_await costar::yield();
        } else {
            message next = co_await self.receive();
            next.match(take);
        }
        take_what_has_come(self, take);
    }
    order.respond(received);
}

outcome pings(const order& order, way over)
{
    const std::uint64_t each_way = order.count(1'000'000);
    pair_of_nodes nodes(over);
    const pid peer = nodes.find("echo");
    const stopwatch watch;
    const std::uint64_t received = nodes.start(each_way, pinger, peer).get();
    return nodes.end(rate("messages", "msg/s", 2 * each_way, watch), each_way, received);
}

/// Asks one after the other, until it has asked so often or is told that it is enough.
task<> client(context& self, pid peer, std::size_t filler, latencies* took, const bool* enough)
{
    message order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t answered = 0;
    for (std::uint64_t i = 0; i < count && (enough == nullptr || !*enough); ++i) {
        const auto begin = clock_type::now();
        const std::uint64_t answer =
            co_await self.ask(peer, question{i, std::vector<std::byte>(filler, std::byte{1})});
        if (took != nullptr)
            took->add(clock_type::now() - begin);
        answered += answer - i;
    }
    order.respond(answered);
}

outcome asks(const order& order, way over)
{
    const std::uint64_t count = order.count(20'000);
    latencies took(count);
    pair_of_nodes nodes(over);
    const pid peer = nodes.find("host");
    const stopwatch watch;
    const std::uint64_t answered = nodes.start(count, client, peer, std::size_t{0}, &took, nullptr).get();
    outcome made;
    made.allocations = watch.allocations();
    made.figures = took.figures();
    return nodes.end(std::move(made), count, answered);
}

outcome many_asks(const order& order, way over)
{
    constexpr std::uint64_t clients = 64;
    const std::uint64_t count = order.count(1'000'000) / clients;
    pair_of_nodes nodes(over);
    const pid peer = nodes.find("host");
    const stopwatch watch;
    std::vector<std::future<std::uint64_t>> ends;
    for (std::uint64_t i = 0; i < clients; ++i)
        ends.push_back(nodes.start(count, client, peer, std::size_t{0}, nullptr, nullptr));
    std::uint64_t answered = 0;
    for (auto& end : ends)
        answered += end.get();
    return nodes.end(rate("asks", "asks/s", clients * count, watch), clients * count, answered);
}

/// Sends large messages, and says how many have come. Half of what a node keeps for its peer is left to
/// others, whose requests would be refused else.
task<> shipper(context& self, pid peer, bool* enough)
{
    constexpr std::uint64_t under_way_max = 32;
    message order = co_await self.receive<run>();
    const std::uint64_t number = order.get<run>().count;
    const std::vector<std::byte> bytes(load_bytes, std::byte{1});
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    while (received < number) {
        while (sent < number && sent - received < under_way_max) {
            co_await self.send_async(peer, load{bytes});
            ++sent;
        }
        message next = co_await self.receive();
        next.match([&](const ball& told) { received += told.number == load_bytes ? 1 : 0; });
    }
    if (enough != nullptr)
        *enough = true;
    order.respond(received);
}

outcome loads(const order& order, way over)
{
    const std::uint64_t number = order.count(2000);
    pair_of_nodes nodes(over);
    const pid peer = nodes.find("host");
    const stopwatch watch;
    const std::uint64_t received = nodes.start(number, shipper, peer, nullptr).get();
    return nodes.end(rate("bytes", "B/s", number * load_bytes, watch), number, received);
}

outcome asks_beside_loads(const order& order, way over)
{
    constexpr std::size_t filler = 40;  // 64 bytes in all
    const std::uint64_t number = order.quick ? 16 : 256;
    const std::uint64_t idle_asks = order.count(20'000);
    constexpr std::uint64_t asks_max = 10'000'000;
    latencies idle(idle_asks);
    latencies busy(1'000'000);
    bool enough = false;
    pair_of_nodes nodes(over);
    const pid peer = nodes.find("host");
    const stopwatch watch;
    const std::uint64_t first = nodes.start(idle_asks, client, peer, filler, &idle, nullptr).get();
    auto asking = nodes.start(asks_max, client, peer, filler, &busy, &enough);
    const std::uint64_t received = nodes.start(number, shipper, peer, &enough).get();
    const std::uint64_t second = asking.get();
    outcome made;
    made.allocations = watch.allocations();
    const double alone = idle.percentile(0.99);
    const double beside = busy.percentile(0.99);
    made.figures = {{"p99 alone", alone, "ns", false}, {"p99 beside the loads", beside, "ns", false},
        {"times", beside / alone, "x", false}};
    made.note = std::to_string(busy.size()) + " asks beside the loads";
    return nodes.end(std::move(made), idle_asks + busy.size() + number, first + second + received);
}

/// Sends, and asks at once how many have come.
task<> careful_client(context& self, pid peer, latencies* took)
{
    message order = co_await self.receive<run>();
    const std::uint64_t number = order.get<run>().count;
    std::uint64_t in_order = 0;
    for (std::uint64_t i = 0; i < number; ++i) {
        const auto begin = clock_type::now();
        self.send(peer, ball{i});
        const std::uint64_t received = co_await self.ask(peer, count{});
        took->add(clock_type::now() - begin);
        in_order += received == i + 1 ? 1 : 0;
    }
    order.respond(in_order);
}

outcome sends_before_asks(const order& order, way over)
{
    const std::uint64_t number = order.count(20'000);
    latencies took(number);
    pair_of_nodes nodes(over);
    const pid peer = nodes.find("host");
    const stopwatch watch;
    const std::uint64_t in_order = nodes.start(number, careful_client, peer, &took).get();
    outcome made;
    made.allocations = watch.allocations();
    made.figures = took.figures();
    return nodes.end(std::move(made), number, in_order);
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv)
{
    using namespace bench;
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    const std::vector<std::size_t> one{1};
    std::vector<workload> all{{"R1", "costar", {2}, 0, 0, ten_nodes}};
    const auto add = [&](const char* name, const char* peer, way over, std::size_t in_flight,
                         std::size_t bytes, outcome (*run)(const order&, way)) {
        all.push_back(
            {name, peer, one, in_flight, bytes, [=](const order& each) { return run(each, over); }});
    };
    for (const auto& [peer, over] : {std::pair("costar", way::tcp), std::pair("costar-tls", way::tls),
             std::pair("costar-unix", way::unix_socket)}) {
        add("R2", peer, over, 50'000, 8, pings);
        add("R3", peer, over, 1, 8, asks);
        add("R3b", peer, over, 64, 8, many_asks);
        add("R4", peer, over, 0, load_bytes, loads);
    }
    add("R5", "costar", way::tcp, 1, 64, asks_beside_loads);
    add("R6", "costar", way::tcp, 1, 8, sends_before_asks);
    all.push_back({"R1slow", "costar", {2}, 0, 0, ten_nodes_with_slow_actors});
    all.push_back({"R2unbatched", "costar", one, 50'000, 8, pings_one_by_one});
    all.push_back({"R2slow", "costar", one, 50'000, 8, pings_beside_a_slow_one});
    all.push_back({"R3bslow", "costar", one, 64, 8, asks_beside_a_slow_one});
    all.push_back({"R4slow", "costar", one, 32, load_bytes, loads_beside_a_slow_one});
    all.push_back({"R7", "costar", one, 0, 0, idle_links});
    all.push_back({"R7stalled", "costar", one, 1, 8, asks_beside_a_stalled_peer});
    return bench::main(argc, argv, all);
}
