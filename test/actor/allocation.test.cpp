// SPDX-License-Identifier: MIT

// Goal: nothing is allocated per message and per ask in steady state, neither by operator new nor by growing
// the pools. Method: a program of its own counts the calls of operator new. What is measured runs once as a
// warm-up before.

#include <costar/actor/engine.hpp>

#include <costar/ground/pool.hpp>
#include <costar/testing/simulation.hpp>

#include <support/catch.hpp>
#include <support/counted_new.hpp>

#include <cstdint>
#include <vector>

using namespace costar;
using namespace costar::machine;

namespace {

constexpr std::uint64_t rounds = 2000;

/// What was allocated since it was made.
class allocation_watch {
public:
    std::uint64_t calls() const { return allocations.load() - calls_; }
    std::uint64_t chunks() const { return arena::chunks_allocated() - chunks_; }

private:
    std::uint64_t calls_ = allocations.load();
    std::uint64_t chunks_ = arena::chunks_allocated();
};

struct ball {
    std::uint64_t number;
};

/// A message too large to travel by value.
struct heavy_ball {
    std::uint64_t number;
    char ballast[100] = {};
};

struct question {
    using reply = std::uint64_t;
    std::uint64_t number;
};

struct heavy_question {
    using reply = heavy_ball;
    heavy_ball ball;
};

/// Begins a round of the measured work.
struct go {};

/// Done so far, by whoever works.
struct progress {
    std::uint64_t done = 0;
};

task<> responder(context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](ball b) { self.send(self.sender(), b); },
            [&](heavy_ball& b) { self.send(self.sender(), b); }, [](question q) { return q.number; },
            [](heavy_question& q) { return q.ball; });
}

template <class Ball>
task<> pinger(context& self, pid peer, progress* seen)
{
    for (;;) {
        if (!co_await self.receive<go>())
            co_return;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            self.send(peer, Ball{i});
            auto answer = co_await self.receive<Ball>();
            seen->done += answer.template get<Ball>().number == i;
        }
    }
}

task<> asker(context& self, pid peer, progress* seen)
{
    for (;;) {
        if (!co_await self.receive<go>())
            co_return;
        for (std::uint64_t i = 0; i < rounds; ++i)
            seen->done += co_await self.ask(peer, question{i}) == i;
    }
}

task<> heavy_asker(context& self, pid peer, progress* seen)
{
    for (;;) {
        if (!co_await self.receive<go>())
            co_return;
        for (std::uint64_t i = 0; i < rounds; ++i)
            seen->done += (co_await self.ask(peer, heavy_question{{i, {}}})).number == i;
    }
}

task<> sink(context& self, progress* seen)
{
    while (auto message = co_await self.receive())
        message.match([&](ball) { ++seen->done; }, [&](heavy_ball&) { ++seen->done; });
}

/// Sets up what is sent later, and cancels it.
task<> planner(context& self, pid peer, progress* seen)
{
    for (;;) {
        if (!co_await self.receive<go>())
            co_return;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            schedule once = self.send_after(std::chrono::hours(1), peer, ball{i});
            schedule often =
                self.send_every(std::chrono::hours(1), peer, heavy_ball{i}, {.overlap = overlap::skip});
            self.send(peer, ball{i});
            once.cancel();
            often.cancel();
            auto answer = co_await self.receive<ball>();
            seen->done += answer.get<ball>().number == i;
        }
    }
}

spawn_options on(std::uint32_t strand)
{
    return {.placement = placement::chosen, .strand = strand};
}

/// As `simulation::run_until_idle`, which makes a list of what is ready at every step.
void run_until_idle(engine& engine)
{
    for (bool any = true; any;) {
        any = false;
        for (std::size_t i = 0; i < engine.size(); ++i) {
            strand_context& strand = engine.station_at(i).home();
            if (strand.has_work()) {
                strand.turn();
                any = true;
            }
        }
    }
}

/// Has `worker` do its work until it is warm, and counts what one more round allocates.
template <class Worker>
void check_that_nothing_is_allocated(Worker worker, std::uint32_t peer_strand)
{
    testing::simulation sim(1, {.strands = 2});
    progress seen;
    const pid peer = sim.engine().spawn(on(peer_strand), responder);
    const pid driver = sim.engine().spawn(on(0), worker, peer, &seen);
    for (int warm_up = 0; warm_up < 3; ++warm_up) {
        sim.send(driver, go{});
        run_until_idle(sim.engine());
    }
    seen.done = 0;

    const allocation_watch watch;
    sim.send(driver, go{});
    run_until_idle(sim.engine());
    const std::uint64_t calls = watch.calls();
    const std::uint64_t chunks = watch.chunks();

    CHECK(seen.done == rounds);
    CHECK(calls == 0);
    CHECK(chunks == 0);
}

template <class Message>
void check_that_nothing_is_allocated_from_outside()
{
    testing::simulation sim(1, {.strands = 2});
    progress seen;
    const pid target = sim.engine().spawn(on(1), sink, &seen);
    const auto send_all = [&](std::uint64_t burst) {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            for (std::uint64_t j = 0; j < burst; ++j)
                sim.send(target, Message{i});
            run_until_idle(sim.engine());
        }
    };
    send_all(40);
    seen.done = 0;

    const allocation_watch watch;
    send_all(20);
    const std::uint64_t calls = watch.calls();
    const std::uint64_t chunks = watch.chunks();

    CHECK(seen.done == 20 * rounds);
    CHECK(calls == 0);
    CHECK(chunks == 0);
}

}  // namespace

TEST_CASE("allocation: a message costs none", "[actor][allocation]")
{
    if (!arena::is_pooling)
        return;  // nothing is kept for reuse under AddressSanitizer

    const auto strand = static_cast<std::uint32_t>(GENERATE(0, 1));

    check_that_nothing_is_allocated(pinger<ball>, strand);
    check_that_nothing_is_allocated(pinger<heavy_ball>, strand);
}

TEST_CASE("allocation: an ask costs none", "[actor][allocation]")
{
    if (!arena::is_pooling)
        return;

    const auto strand = static_cast<std::uint32_t>(GENERATE(0, 1));

    check_that_nothing_is_allocated(asker, strand);
    check_that_nothing_is_allocated(heavy_asker, strand);
}

TEST_CASE("allocation: to set up and cancel what is sent later costs none", "[actor][allocation]")
{
    if (!arena::is_pooling)
        return;

    check_that_nothing_is_allocated(planner, static_cast<std::uint32_t>(GENERATE(0, 1)));
}

TEST_CASE("allocation: a message from a foreign thread costs none", "[actor][allocation]")
{
    if (!arena::is_pooling)
        return;

    check_that_nothing_is_allocated_from_outside<ball>();
    check_that_nothing_is_allocated_from_outside<heavy_ball>();
}
