// SPDX-License-Identifier: MIT

// R2slow, R3bslow and R4slow with costar: a hundred actors in the second process, of which the last takes its
// time for each message. Measured is what the other ones get, first while all of them are quick.

#include "nodes.hpp"

#include "pair_of_nodes.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using traffic::ball;
using traffic::load;
using traffic::pace;
using traffic::question;

constexpr std::size_t residents = 100;

// The second process
// ----------------------------------------------------------------------------------------------------------

/// Answers everything, and takes as long for each message as it is told, where it is told a time.
task<> resident(context& self, const std::chrono::milliseconds* each)
{
    while (message next = co_await self.receive()) {
        if (each != nullptr && each->count() != 0)
            co_await costar::sleep_for(*each);
        next.match([&](const ball& b) { self.send(self.sender(), ball{b.number + 1}); },
            [&](const load& big) { self.send(self.sender(), ball{big.bytes.size()}); },
            [&](const question& asked) { return asked.number + 1; });
    }
}

task<> pacemaker(context& self, std::chrono::milliseconds* each)
{
    while (message next = co_await self.receive())
        next.match([&](const pace& told) {
            *each = std::chrono::milliseconds(told.milliseconds);
            return told.milliseconds;
        });
}

void serve_residents(const second_process::door& door, const shared_files& files)
{
    std::chrono::milliseconds each{0};  // of the one strand
    costar::engine engine({.strands = 1});
    costar::remote::node_options options = files.options("second");
    options.listen = files.listen;
    costar::remote::node node(engine, all_words(), std::move(options));
    for (std::size_t i = 0; i < residents; ++i)
        engine.spawn("resident" + std::to_string(i), resident, i + 1 == residents ? &each : nullptr);
    engine.spawn("pacemaker", pacemaker, &each);
    door.open(node.address());
    door.wait();
}

// The first process
// ----------------------------------------------------------------------------------------------------------

/// A node beside which there are a hundred actors.
class town_nearby {
public:
    town_nearby() { others.pop_back(); }

    void slow_down(std::chrono::milliseconds each)
    {
        nodes.ask(pacemaker_, pace{static_cast<std::uint64_t>(each.count())});
    }

    pair_of_nodes nodes{way::tcp, serve_residents};
    std::vector<pid> others = nodes.find("resident", residents);
    pid slow = others.back();

private:
    pid pacemaker_ = nodes.find("pacemaker");
};

/// Sends to all in turn until the others have answered so often; when it is asked a second time it says how
/// often the slow one had to answer, and has.
task<> round_pinger(context& self, std::vector<pid> others, pid slow)
{
    constexpr std::uint64_t under_way_max = 50'000;
    message order = co_await self.receive<run>();
    const std::uint64_t count = order.get<run>().count;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t slow_sent = 0;
    std::uint64_t slow_received = 0;
    const auto take = [&](const ball& told) { ++(told.number == 1 ? received : slow_received); };
    const auto may_send = [&] { return sent < count && sent - received < under_way_max; };
    while (received < count) {
        for (int i = 0; i < 100 && may_send(); ++i) {
            self.send(others[sent % others.size()], ball{0});
            if (++sent % others.size() == 0) {
                self.send(slow, ball{1});
                ++slow_sent;
            }
        }
        if (may_send()) {
            co_await costar::yield();
        } else {
            message next = co_await self.receive();
            next.match(take);
        }
        take_what_has_come(self, take);
    }
    order.respond(received);
    message again = co_await self.receive<run>();
    while (slow_received < slow_sent) {
        message next = co_await self.receive();
        next.match(take);
    }
    again.respond(slow_sent);
}

/// Asks them in turn, so often or until it is told that it is enough.
task<> round_client(
    context& self, std::vector<pid> peers, std::uint64_t first, const std::atomic<bool>* enough)
{
    message order = co_await self.receive<run>();
    const std::uint64_t number = order.get<run>().count;
    std::uint64_t answered = 0;
    for (std::uint64_t i = 0; i < number && (enough == nullptr || !*enough); ++i)
        answered += co_await self.ask(peers[(first + i) % peers.size()], question{i, {}}) - i;
    order.respond(answered);
}

/// Ships to them in turn, with so many under way, so often or until it is told that it is enough.
task<> round_shipper(
    context& self, std::vector<pid> peers, std::uint64_t under_way_max, const std::atomic<bool>* enough)
{
    message order = co_await self.receive<run>();
    const std::uint64_t number = order.get<run>().count;
    const std::vector<std::byte> bytes(load_bytes, std::byte{1});
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    const auto is_over = [&] { return sent == number || (enough != nullptr && *enough); };
    while (!is_over() || received < sent) {
        for (; !is_over() && sent - received < under_way_max; ++sent)
            co_await self.send_async(peers[sent % peers.size()], load{bytes});
        if (received == sent)
            continue;
        message next = co_await self.receive();
        next.match([&](const ball& told) { received += told.number == load_bytes ? 1 : 0; });
    }
    order.respond(received);
}

}  // namespace

std::vector<figure> compared(const std::string& unit, double all_quick, double one_slow)
{
    return {{"all are quick", all_quick, unit, true}, {"one of a hundred is slow", one_slow, unit, true},
        {"what is left", one_slow / all_quick, "x", true}};
}

outcome pings_beside_a_slow_one(const order& order)
{
    using namespace std::chrono_literals;
    const std::uint64_t others = order.count(990'000);
    const std::uint64_t slow = others / (residents - 1);
    town_nearby town;
    std::uint64_t received = 0;
    const auto play = [&](std::chrono::milliseconds each) {
        town.slow_down(each);
        const pid sender = town.nodes.spawn(round_pinger, town.others, town.slow);
        const stopwatch watch;
        received += town.nodes.start(sender, others).get();
        const double rate = 2 * static_cast<double>(others) / watch.seconds();
        town.slow_down(0ms);
        received += town.nodes.start(sender, 0).get();
        return rate;
    };
    const stopwatch watch;
    const double quick = play(0ms);
    const double beside = play(1ms);
    outcome made;
    made.allocations = watch.allocations();
    made.figures = compared("msg/s", quick, beside);
    made.note = "the slow one takes 1 ms for a message";
    return town.nodes.end(std::move(made), 2 * (others + slow), received);
}

outcome asks_beside_a_slow_one(const order& order)
{
    using namespace std::chrono_literals;
    constexpr std::uint64_t clients = 64;
    const std::uint64_t each = order.count(500'000) / clients;
    town_nearby town;
    std::uint64_t received = 0;
    const auto play = [&] {
        const stopwatch watch;
        std::vector<std::future<std::uint64_t>> ends;
        for (std::uint64_t i = 0; i < clients; ++i)
            ends.push_back(town.nodes.start(each, round_client, town.others, i, nullptr));
        for (auto& end : ends)
            received += end.get();
        return static_cast<double>(clients * each) / watch.seconds();
    };
    const stopwatch watch;
    const double quick = play();
    town.slow_down(1ms);
    std::atomic<bool> enough = false;
    std::vector<std::future<std::uint64_t>> ends;
    for (std::uint64_t i = 0; i < clients; ++i)
        ends.push_back(town.nodes.start(UINT64_MAX, round_client, std::vector{town.slow}, i, &enough));
    const double beside = play();
    enough = true;
    std::uint64_t of_slow = 0;
    for (auto& end : ends)
        of_slow += end.get();
    outcome made;
    made.allocations = watch.allocations();
    made.figures = compared("asks/s", quick, beside);
    made.note = "64 more outstanding at the slow one, which takes 1 ms for each and has answered " +
        std::to_string(of_slow);
    return town.nodes.end(std::move(made), 2 * clients * each, received);
}

outcome loads_beside_a_slow_one(const order& order)
{
    using namespace std::chrono_literals;
    constexpr std::uint64_t slow_under_way_max = 4;
    const std::uint64_t number = order.count(2000);
    town_nearby town;
    std::uint64_t received = 0;
    const auto play = [&] {
        const stopwatch watch;
        received += town.nodes.start(number, round_shipper, town.others, std::uint64_t{32}, nullptr).get();
        return static_cast<double>(number * load_bytes) / watch.seconds();
    };
    const stopwatch watch;
    const double quick = play();
    town.slow_down(100ms);
    std::atomic<bool> enough = false;
    auto slow =
        town.nodes.start(UINT64_MAX, round_shipper, std::vector{town.slow}, slow_under_way_max, &enough);
    const double beside = play();
    enough = true;
    town.slow_down(0ms);
    const std::uint64_t of_slow = slow.get();
    outcome made;
    made.allocations = watch.allocations();
    made.figures = compared("B/s", quick, beside);
    made.note = "4 more under way to the slow one, which takes 100 ms for each and has taken " +
        std::to_string(of_slow);
    return town.nodes.end(std::move(made), 2 * number, received);
}

}  // namespace bench
