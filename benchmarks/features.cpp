// SPDX-License-Identifier: MIT

// What the features beside plain messages cost, each by itself, on one strand.

#include "harness.hpp"

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/actor/schedule.hpp>
#include <costar/core/log.hpp>
#include <costar/kernel/middleware.hpp>

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bench::order;
using bench::outcome;
using costar::context;
using costar::pid;
using costar::task;

/// Asks an actor to do its work so many times, and answers with how often it was done.
struct run {
    using reply = std::uint64_t;
    std::uint64_t count = 0;
};
struct ball {
    std::uint64_t number;
};
struct fail {};

/// Runs one actor's work and gives nanoseconds for each time.
template <class Body>
outcome measure(const order& order, std::uint64_t full, Body body)
{
    costar::engine engine({.strands = 1, .pin_threads = true});
    const pid actor = engine.spawn(body);
    const std::uint64_t count = order.count(full);
    engine.ask(actor, run{order.count(full / 20)}, 1h, boost::asio::use_future).get();  // warm-up
    const bench::stopwatch watch;
    const std::uint64_t done = engine.ask(actor, run{count}, 1h, boost::asio::use_future).get();
    outcome made;
    made.figures.push_back({"each", watch.seconds() * 1e9 / static_cast<double>(count), "ns", false});
    made.sent = count;
    made.received = done;
    made.allocations = watch.allocations();
    return made;
}

task<> ponger(context& self)
{
    while (auto message = co_await self.receive())
        message.match(
            [&](ball b) { self.send(self.sender(), b); }, [](fail) { throw std::runtime_error("told to"); });
}

/// Plays `count` balls with `peer`.
task<std::uint64_t> play(context& self, pid peer, std::uint64_t count)
{
    std::uint64_t number = 0;
    while (number < count) {
        self.send(peer, ball{number + 1});
        number = (co_await self.receive<ball>()).get<ball>().number;
    }
    co_return number;
}

task<> restarts(context& self)
{
    const pid peer = self.spawn({.restart = {.limit = costar::restart_policy::always}}, ponger);
    while (auto asked = co_await self.receive<run>()) {
        std::uint64_t done = 0;
        for (; done < asked.get<run>().count; ++done) {
            self.send(peer, fail{});
            co_await play(self, peer, 1);
        }
        asked.respond(done);
    }
}

task<> watches(context& self)
{
    while (auto asked = co_await self.receive<run>()) {
        std::uint64_t done = 0;
        for (; done < asked.get<run>().count; ++done) {
            const pid peer = self.spawn(ponger);
            self.watch(peer);
            self.stop(peer);
            co_await self.receive<costar::terminated>();
        }
        asked.respond(done);
    }
}

struct pass : costar::middleware {};

template <int Depth>
task<> middlemen(context& self)
{
    costar::spawn_options options;
    for (int i = 0; i < Depth; ++i)
        options.middleware.push_back(std::make_shared<pass>());
    const pid peer = self.spawn(options, ponger);
    while (auto asked = co_await self.receive<run>())
        asked.respond(co_await play(self, peer, asked.template get<run>().count));
}

task<> bounded(context& self)
{
    const pid peer = self.spawn({.mailbox = {.limit = 64}}, [](context& self) -> task<> {
        std::uint64_t taken = 0;
        while (auto message = co_await self.receive())
            message.match([&](ball) { ++taken; }, [&](run&) { return std::exchange(taken, 0); });
    });
    while (auto asked = co_await self.receive<run>()) {
        for (std::uint64_t i = 0; i < asked.get<run>().count; ++i)
            co_await self.send_async(peer, ball{i});
        asked.respond(co_await self.ask(peer, run{}));
    }
}

task<> routes(context& self)
{
    const pid pool = costar::spawn_pool(self, "", 4, ponger);
    while (auto asked = co_await self.receive<run>())
        asked.respond(co_await play(self, pool, asked.get<run>().count));
}

task<> timers(context& self)
{
    while (auto asked = co_await self.receive<run>()) {
        std::uint64_t done = 0;
        for (; done < asked.get<run>().count; ++done)
            self.send_after(10s, self.pid(), ball{done}).cancel();
        asked.respond(done);
    }
}

task<int> ready()
{
    co_return 1;
}

task<> deadlines(context& self)
{
    while (auto asked = co_await self.receive<run>()) {
        std::uint64_t done = 0;
        while (done < asked.get<run>().count)
            done += static_cast<std::uint64_t>(co_await costar::with_timeout(10s, ready()));
        asked.respond(done);
    }
}

/// Has a hundred thousand messages of its own in its mailbox, for good.
task<> backlogged(context& self)
{
    for (std::uint64_t i = 0; i < 100'000; ++i)
        self.send(self.pid(), ball{i});
    while (auto message = co_await self.receive())
        self.send(self.pid(), message.get<ball>());
}

/// Never answers.
task<> silent(context& self)
{
    std::vector<costar::message> kept;
    while (auto message = co_await self.receive())
        kept.push_back(std::move(message));
}

/// How much too late the deadlines of requests from outside are met on a strand that is never idle.
outcome lateness(const order& order)
{
    constexpr auto limit = 2ms;
    costar::engine engine({.strands = 1, .pin_threads = true});
    engine.spawn(backlogged);
    const pid asked = engine.spawn(silent);
    const std::uint64_t count = order.count(2'000);
    bench::latencies late(count);
    outcome made;
    for (; made.sent < count; ++made.sent) {
        std::promise<std::chrono::nanoseconds> spent;
        const auto began = std::chrono::steady_clock::now();
        engine.ask(asked, run{}, limit, [&](boost::system::error_code, std::uint64_t) {
            spent.set_value(std::chrono::steady_clock::now() - began);
        });
        late.add(std::max<std::chrono::nanoseconds>(spent.get_future().get() - limit, 0ns));
        ++made.received;
    }
    made.figures = late.figures();
    return made;
}

template <class Body>
bench::workload one(const char* name, std::uint64_t count, Body body)
{
    return {
        name, "costar", {1}, 1, 8, [count, body](const order& order) { return measure(order, count, body); }};
}

}  // namespace

int main(int argc, char** argv)
{
    costar::set_log_level(costar::log_level::critical);
    return bench::main(argc, argv,
        {one("Frestart", 200'000, &restarts), one("Fwatch", 2'000'000, &watches),
            one("Fplain", 10'000'000, &middlemen<0>), one("Fmiddleware1", 5'000'000, &middlemen<1>),
            one("Fmiddleware5", 5'000'000, &middlemen<5>), one("Fbounded", 5'000'000, &bounded),
            one("Frouter", 5'000'000, &routes), one("Ftimer", 10'000'000, &timers),
            one("Fdeadline", 5'000'000, &deadlines), {"Flateness", "costar", {1}, 1, 8, lateness}});
}
