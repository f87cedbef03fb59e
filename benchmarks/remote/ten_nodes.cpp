// SPDX-License-Identifier: MIT

// R1 with costar: ten engines in one process, each a node, and actors that send to actors of the others.

#include "nodes.hpp"

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace bench {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using costar::context;
using costar::message;
using costar::pid;
using costar::task;

constexpr std::size_t engines = 10;
constexpr std::size_t actors = 2000;
constexpr std::size_t senders = 20;
using cities = std::vector<std::vector<pid>>;

/// Answers when it has stopped: how many it has sent.
struct halt {
    using reply = std::uint64_t;
};

task<> resident(context& self, std::uint64_t* received)
{
    while (message next = co_await self.receive())
        next.match([&](const traffic::note&) { ++*received; });
}

/// Knows who lives here.
task<> registrar(context& self, std::uint64_t* received)
{
    traffic::residents residents;
    for (std::size_t i = 0; i < actors; ++i)
        residents.all.push_back(self.spawn(resident, received));
    while (message next = co_await self.receive())
        next.match([&](const traffic::crowd&) { return residents; },
            [&](const traffic::count&) { return *received; });
}

/// Sends to random actors of random other engines, a hundred in a turn. A node holds it back before what
/// waits for a peer is too much; the run fails if anything is lost all the same.
task<> sender(context& self, cities others, std::uint32_t seed)
{
    std::minstd_rand random(seed);
    std::uint64_t sent = 0;
    for (;;) {
        if (self.mailbox_size() != 0) {
            message order = co_await self.receive<halt>();
            order.respond(sent);
            co_return;
        }
        for (int i = 0; i < 100; ++i, ++sent) {
            const auto& city = others[random() % others.size()];
            self.send(city[random() % city.size()], traffic::note{});
        }
        co_await costar::yield();
    }
}

struct station {
    costar::engine engine{{.strands = 1}};
    costar::remote::node node{engine, all_words(), {.listen = "127.0.0.1:0"}};
    std::uint64_t received = 0;  // by its actors, which share its strand
    pid home = engine.spawn("registrar", registrar, &received);
};

std::uint64_t received_by(std::array<station, engines>& all)
{
    std::uint64_t received = 0;
    for (station& each : all)
        received += each.engine.ask(each.home, traffic::count{}, 1min, asio::use_future).get();
    return received;
}

}  // namespace

outcome ten_nodes(const order& order)
{
    auto all = std::make_unique<std::array<station, engines>>();
    std::vector<cities> known(engines);
    for (std::size_t from = 0; from < engines; ++from)
        for (std::size_t to = 0; to < engines; ++to) {
            if (from == to)
                continue;
            station& here = (*all)[from];
            const pid there =
                here.node.find((*all)[to].node.address() + "/registrar", asio::use_future).get();
            known[from].push_back(here.engine.ask(there, traffic::crowd{}, 1min, asio::use_future).get().all);
        }

    const stopwatch watch;
    std::vector<std::pair<station*, pid>> begun;
    for (std::uint32_t i = 0; i < senders; ++i) {
        station& here = (*all)[i % engines];
        begun.emplace_back(&here, here.engine.spawn(sender, known[i % engines], i + 1));
    }
    std::this_thread::sleep_for(order.quick ? 50ms : 5s);
    std::uint64_t sent = 0;
    for (const auto& [where, who] : begun)
        sent += where->engine.ask(who, halt{}, 1min, asio::use_future).get();
    std::uint64_t received = received_by(*all);
    for (int attempt = 0; attempt < 10'000 && received != sent; ++attempt) {  // the last are still under way
        std::this_thread::sleep_for(1ms);
        received = received_by(*all);
    }
    outcome made = rate("messages", "msg/s", received, watch);
    made.sent = sent;
    made.received = received;
    static_cast<void>(all.release());  // the process ends
    return made;
}

}  // namespace bench
