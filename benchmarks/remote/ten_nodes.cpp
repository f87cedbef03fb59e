// SPDX-License-Identifier: MIT

// R1 and R1slow with costar: ten engines in one process, each a node, and actors that send to actors of the
// others; all are quick, or one of a hundred takes its time.

#include "nodes.hpp"

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <utility>
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

constexpr std::size_t slow_step = 100;  // every hundredth actor may be slow

/// How many messages there were: to all that are quick, and to those that may be slow.
struct tally {
    std::uint64_t quick = 0;
    std::uint64_t slow = 0;

    tally& operator+=(const tally& more)
    {
        quick += more.quick;
        slow += more.slow;
        return *this;
    }
    friend bool operator==(const tally&, const tally&) = default;
};

/// Answers when it has stopped: how many it has sent.
struct halt {
    using reply = tally;
};

/// How many have been received.
struct inspect {
    using reply = tally;
};

task<> resident(context& self, std::uint64_t* received)
{
    while (message next = co_await self.receive())
        next.match([&](const traffic::note&) { ++*received; });
}

/// Takes 20 ms for each message as long as it may: about twice as long as there is until the next one.
task<> slow_resident(context& self, std::uint64_t* received, const std::atomic<bool>* is_slow)
{
    while (message next = co_await self.receive()) {
        if (*is_slow)
            co_await costar::sleep_for(20ms);
        next.match([&](const traffic::note&) { ++*received; });
    }
}

/// Knows who lives here.
task<> registrar(context& self, tally* received, const std::atomic<bool>* is_slow)
{
    traffic::residents residents;
    for (std::size_t i = 0; i < actors; ++i)
        residents.all.push_back(i % slow_step == 0 ? self.spawn(slow_resident, &received->slow, is_slow)
                                                   : self.spawn(resident, &received->quick));
    while (message next = co_await self.receive())
        next.match(
            [&](const traffic::crowd&) { return residents; }, [&](const inspect&) { return *received; });
}

/// Sends to random actors of random other engines, a hundred in a turn. A node holds it back before what
/// waits for a peer is too much; the run fails if anything is lost all the same.
task<> sender(context& self, const cities* known, std::uint32_t seed)
{
    const cities& others = *known;
    std::minstd_rand random(seed);
    tally sent;
    for (;;) {
        if (self.mailbox_size() != 0) {
            message order = co_await self.receive<halt>();
            order.respond(sent);
            co_return;
        }
        for (int i = 0; i < 100; ++i) {
            const auto& city = others[random() % others.size()];
            const std::size_t whom = random() % city.size();
            ++(whom % slow_step == 0 ? sent.slow : sent.quick);
            self.send(city[whom], traffic::note{});
        }
        co_await costar::yield();
    }
}

struct station {
    explicit station(const std::atomic<bool>& is_slow)
        : home(engine.spawn("registrar", registrar, &received, &is_slow))
    {}

    costar::engine engine{{.strands = 1}};
    costar::remote::node node{engine, all_words(), {.listen = "127.0.0.1:0"}};
    tally received;  // by its actors, which share its strand
    pid home;
};

/// All of them, and whom each knows of the others.
class country {
public:
    country()
    {
        for (std::size_t i = 0; i < engines; ++i)
            all_.push_back(std::make_unique<station>(is_slow));
        for (std::size_t from = 0; from < engines; ++from)
            for (std::size_t to = 0; to < engines; ++to)
                if (from != to)
                    meet(from, to);
    }

    /// Lets them send for a while, and waits until all has come that was for the quick ones. Says how many
    /// have been sent.
    tally play(std::chrono::milliseconds length)
    {
        std::vector<std::pair<station*, pid>> begun;
        for (std::uint32_t i = 0; i < senders; ++i) {
            station& here = *all_[i % engines];
            begun.emplace_back(&here, here.engine.spawn(sender, &known_[i % engines], i + 1));
        }
        std::this_thread::sleep_for(length);
        for (const auto& [where, who] : begun)
            sent_ += where->engine.ask(who, halt{}, 1min, asio::use_future).get();
        await([&] { return received().quick == sent_.quick; });
        return sent_;
    }

    /// Waits until all has come, if it does.
    tally settle()
    {
        is_slow = false;
        await([&] { return received() == sent_; });
        return received();
    }

    std::atomic<bool> is_slow = false;

private:
    void meet(std::size_t from, std::size_t to)
    {
        station& here = *all_[from];
        const pid there = here.node.find(all_[to]->node.address() + "/registrar", asio::use_future).get();
        known_[from].push_back(here.engine.ask(there, traffic::crowd{}, 1min, asio::use_future).get().all);
    }

    tally received()
    {
        tally received;
        for (const auto& each : all_)
            received += each->engine.ask(each->home, inspect{}, 1min, asio::use_future).get();
        return received;
    }

    /// The last are still under way.
    template <class Condition>
    static void await(Condition is_so)
    {
        for (int attempt = 0; attempt < 10'000 && !is_so(); ++attempt)
            std::this_thread::sleep_for(1ms);
    }

    std::vector<std::unique_ptr<station>> all_;
    std::vector<cities> known_{engines};
    tally sent_;
};

std::chrono::milliseconds length_of(const order& order)
{
    return order.quick ? 50ms : 5000ms;
}

}  // namespace

outcome ten_nodes(const order& order)
{
    auto& land = *std::make_unique<country>().release();  // the process ends
    const stopwatch watch;
    const tally sent = land.play(length_of(order));
    const tally received = land.settle();
    outcome made = rate("messages", "msg/s", received.quick + received.slow, watch);
    made.sent = sent.quick + sent.slow;
    made.received = received.quick + received.slow;
    return made;
}

outcome ten_nodes_with_slow_actors(const order& order)
{
    auto& land = *std::make_unique<country>().release();  // the process ends
    const stopwatch watch;
    const stopwatch first;
    const tally quick = land.play(length_of(order));
    const double all_quick = static_cast<double>(quick.quick) / first.seconds();
    land.settle();

    land.is_slow = true;
    const stopwatch second;
    const tally sent = land.play(length_of(order));
    const double one_slow = static_cast<double>(sent.quick - quick.quick) / second.seconds();
    const tally received = land.settle();

    outcome made;
    made.allocations = watch.allocations();
    made.figures = compared("msg/s", all_quick, one_slow);
    made.sent = sent.quick + sent.slow;
    made.received = received.quick + received.slow;
    made.note = "one of a hundred takes 20 ms for a message";
    return made;
}

}  // namespace bench
