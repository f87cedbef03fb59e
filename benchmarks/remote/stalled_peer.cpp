// SPDX-License-Identifier: MIT

// R7stalled with costar: requests to 99 peers, one after the other, while a hundredth one reads, and while it
// has stopped reading and as much waits for it as may. The hundredth is a process that is told to stand
// still; the others share a thread.

#include "nodes.hpp"

#include "second_process.hpp"

#include <costar/actor/engine.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bench {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using traffic::ball;
using traffic::count;
using traffic::load;
using traffic::question;

constexpr std::size_t reading_peers = 99;
constexpr auto patience = 5min;  // nobody is lost because it stands still, nor on a machine that is busy
constexpr std::size_t filler_bytes = 32 * 1024;  // goes in batches, not in parts

// The second and the third process
// -------------------------------------------------------------------------------------------------

task<> host(context& self)
{
    std::uint64_t received = 0;
    while (message next = co_await self.receive())
        next.match([&](const load&) { ++received; },  //
            [&](const question& asked) { return asked.number + 1; }, [&](const count&) { return received; });
}

struct far_end {
    explicit far_end(asio::io_context& io) : engine(io.get_executor()) { engine.spawn("host", host); }

    costar::engine engine;
    costar::remote::node node{engine, all_words(), {.listen = "127.0.0.1:0", .silence_max = patience}};
};

/// Says the address of each.
void serve_peers(const second_process::door& door, std::size_t number)
{
    asio::io_context io(1);
    const auto work = asio::make_work_guard(io);
    auto& all = *std::make_unique<std::deque<far_end>>().release();  // the process ends
    for (std::size_t i = 0; i < number; ++i)
        all.emplace_back(io);
    std::thread running([&] { io.run(); });
    for (const far_end& each : all)
        door.open(each.node.address());
    door.wait();
    io.stop();
    running.join();
}

// The first process
// ----------------------------------------------------------------------------------------------------------

/// Asks the peers in turn.
struct round {
    using reply = std::uint64_t;
    std::uint64_t count = 0;
    latencies* took = nullptr;
};

task<> asker(context& self, std::vector<pid> peers)
{
    while (message order = co_await self.receive<round>()) {
        const round wanted = order.get<round>();
        std::uint64_t answered = 0;
        for (std::uint64_t i = 0; i < wanted.count; ++i) {
            const auto begin = clock_type::now();
            answered += co_await self.ask(peers[i % peers.size()], question{i, {}}, patience) - i;
            wanted.took->add(clock_type::now() - begin);
        }
        order.respond(answered);
    }
}

/// Sends to the hundredth peer until it is told that it is enough: as much as there is room for, or little.
/// Says how many it has sent.
struct flood {
    using reply = std::uint64_t;
    std::atomic<bool>* enough = nullptr;
    std::atomic<std::uint64_t>* sent = nullptr;
};

task<> sender(context& self, pid peer)
{
    const std::vector<std::byte> bytes(filler_bytes, std::byte{1});
    std::uint64_t sent = 0;
    while (message order = co_await self.receive<flood>()) {
        const flood wanted = order.get<flood>();
        while (!*wanted.enough) {
            co_await self.send_async(peer, load{bytes});
            *wanted.sent = ++sent;
        }
        order.respond(sent);
    }
}

/// The node that is measured, its peers, and who asks and sends.
class stage {
public:
    stage()
    {
        std::vector<pid> peers{find(reading_.address())};
        while (peers.size() < reading_peers)
            peers.push_back(find(reading_.hear()));
        asker_ = engine_.spawn(asker, std::move(peers));
    }

    std::uint64_t ask(std::uint64_t count, latencies& took)
    {
        return engine_.ask(asker_, round{count, &took}, 1h, asio::use_future).get();
    }

    /// Lets the hundredth peer stand still, and fills what may wait for it.
    void stall()
    {
        hundredth_.halt();
        enough_ = false;
        flooding_ = engine_.ask(sender_, flood{&enough_, &sent_}, 1h, asio::use_future);
        for (std::uint64_t before = UINT64_MAX; before != sent_;) {
            before = sent_;
            std::this_thread::sleep_for(50ms);
        }
    }

    /// Lets it go on, and waits until it has taken everything.
    void go_on()
    {
        enough_ = true;
        hundredth_.go_on();
        flooded_ = flooding_.get();
        if (engine_.ask(host_, count{}, patience, asio::use_future).get() == flooded_)
            taken_ = flooded_;
    }

    /// Messages that the hundredth peer was sent, and how many it has taken.
    std::uint64_t flooded() const noexcept { return flooded_; }
    std::uint64_t taken() const noexcept { return taken_; }

    usage end()
    {
        const usage third = hundredth_.end();
        const usage second = reading_.end();
        return {second.cpu_seconds + third.cpu_seconds, second.peak_bytes + third.peak_bytes};
    }

private:
    pid find(const std::string& address) { return node_.find(address, "host", asio::use_future).get(); }

    second_process reading_{[](const auto& door) { serve_peers(door, reading_peers); }};
    second_process hundredth_{[](const auto& door) { serve_peers(door, 1); }};  // ended first
    costar::engine engine_{{.strands = 1}};
    costar::remote::node node_{engine_, all_words(), {.silence_max = patience}};
    pid host_ = find(hundredth_.address());
    pid sender_ = engine_.spawn(sender, host_);
    pid asker_;
    std::atomic<bool> enough_ = false;
    std::atomic<std::uint64_t> sent_ = 0;
    std::future<std::uint64_t> flooding_;
    std::uint64_t flooded_ = 0;
    std::uint64_t taken_ = 0;
};

}  // namespace

outcome asks_beside_a_stalled_peer(const order& order)
{
    const int rounds = order.quick ? 1 : 10;
    const std::uint64_t asks = order.count(4'000);
    latencies reading(asks * static_cast<std::uint64_t>(rounds));
    latencies stalled(reading);
    stage scene;
    std::uint64_t answered = 0;
    const stopwatch watch;
    for (int i = 0; i < rounds; ++i) {
        answered += scene.ask(asks, reading);
        scene.stall();
        answered += scene.ask(asks, stalled);
        scene.go_on();
    }
    outcome made;
    made.allocations = watch.allocations();
    const double alone = reading.percentile(0.99);
    const double beside = stalled.percentile(0.99);
    made.figures = {{"p99, all read", alone, "ns", false},
        {"p99, one has stopped reading", beside, "ns", false}, {"times", beside / alone, "x", false}};
    made.note =
        std::to_string(scene.flooded() / static_cast<std::uint64_t>(rounds) * filler_bytes / 1'000'000) +
        " MB waited for the one that had stopped";
    made.sent = reading.size() + stalled.size() + scene.flooded();
    made.received = answered + scene.taken();
    made.beside = scene.end();
    return made;
}

}  // namespace bench
