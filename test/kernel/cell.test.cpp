// SPDX-License-Identifier: MIT

#include <costar/kernel/cell.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Lives in the frame or in the mailbox of an actor that is destroyed where it stands.
struct counted {
    explicit counted(int& alive) : alive(&alive) { ++alive; }
    counted(counted&& other) noexcept : alive(other.alive) { ++*alive; }
    ~counted() { --*alive; }
    int* alive;
};

struct ask_counted {
    using reply = int;
    counted value;
};

task<> ticks(int* alive)
{
    counted local(*alive);
    for (;;)
        co_await sleep_for(1s);
}

/// Holds a message, waits for an answer, has a task and children; is never done.
task<> entangled(context& self, pid other, int* alive, int depth)
{
    counted local(*alive);
    self.spawn_task(ticks(alive));
    if (depth > 0) {
        self.spawn(on(0), &entangled, other, alive, depth - 1);
        self.spawn(on(1), &entangled, other, alive, depth - 1);
    }
    auto held = co_await self.receive(1ms);
    static_cast<void>(co_await when_all(
        as_result(self.ask(other, ask_counted{counted(*alive)}, 24h)), as_result(self.receive<words>())));
    co_await shield(sleep_for(24h));
}

/// Answers nobody and takes nothing more.
task<> holds(context& self, int* alive)
{
    counted local(*alive);
    auto first = co_await self.receive();
    auto second = co_await self.receive();
    co_await sleep_for(24h);
}

/// Sends and answers while it is destroyed.
class last_words {
public:
    last_words(context& self, pid to) : self_(self), to_(to) {}
    last_words(const last_words&) = delete;
    ~last_words()
    {
        self_.send(to_, words{"too late"});
        self_.send(to_, number{1});
        self_.respond(1);
        self_.stop(to_);
    }

private:
    context& self_;
    pid to_;
};

task<> talkative(context& self, pid to)
{
    auto message = co_await self.receive();
    last_words words(self, to);
    co_await sleep_for(24h);
}

}  // namespace

TEST_CASE("cell: actors that are left are destroyed where they stand, with all they hold", "[kernel][cell]")
{
    int alive = 0;
    std::optional<error_code> outcome;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        auto sim = std::make_unique<simulation>(seed);
        const pid quiet = sim->engine().spawn(on(static_cast<std::uint32_t>(seed % 2)), holds, &alive);
        for (std::uint32_t i = 0; i < 6; ++i) {
            const pid one = sim->engine().spawn(on(i % 2), entangled, quiet, &alive, 2);
            sim->send(one, number{1});
            sim->engine().ask(one, twice{1}, 24h, [&](error_code code, int) { outcome = code; });
            sim->engine().poison(one);
        }
        if (seed > 5)
            sim->run_until_idle();
        if (seed > 10)
            sim->advance(10ms);
        CHECK((alive > 0 || seed <= 5));

        sim.reset();

        CHECK(alive == 0);
        CHECK_FALSE(outcome);
    }
}

TEST_CASE("cell: an actor may send while it is destroyed", "[kernel][cell]")
{
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        simulation sim(seed);
        std::vector<pid> all;
        std::vector<int> seen;
        all.push_back(sim.engine().spawn(on(seed % 2), recorder, &seen));
        for (std::uint32_t i = 0; i < 20; ++i) {
            const pid one = sim.engine().spawn(on(i % 2), talkative, all.back());
            sim.engine().ask(one, twice{1}, 1h, [](error_code, int) {});
            all.push_back(one);
        }
        sim.run_until_idle();
    }
    SUCCEED("nothing to see but what sanitizers see");
}

TEST_CASE("cell: thousands of actors end with their engine", "[kernel][cell]")
{
    int alive = 0;
    {
        simulation sim;
        for (std::uint32_t i = 0; i < 5000; ++i)
            sim.send(sim.engine().spawn(on(i % 2), holds, &alive), ask_counted{counted(alive)});
        sim.run_until_idle();
        CHECK(alive == 10'000);
    }
    CHECK(alive == 0);
}
