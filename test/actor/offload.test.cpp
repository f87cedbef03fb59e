// SPDX-License-Identifier: MIT

#include <costar/actor/offload.hpp>

#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>
#include <support/manual_strand.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using support::on;
using support::quiet_log;
using support::tracked;

namespace {

using lines = std::vector<std::string>;

errc code_of(const error& thrown)
{
    return static_cast<errc>(thrown.code().value());
}

/// Does nothing but offload once, and writes down how that went.
task<> offloads(context& self, lines* seen)
{
    seen->push_back("before");
    try {
        const std::string text = co_await self.offload([seen] {
            seen->push_back("function");
            return std::string("value");
        });
        seen->push_back(text);
    } catch (const error& thrown) {
        seen->push_back(thrown.code().message());
    }
}

/// Drives an engine by hand, with the order that strands have by themselves.
void run(engine& driven)
{
    for (bool any = true; any;) {
        any = false;
        for (std::size_t i = 0; i < driven.size(); ++i) {
            strand_context& strand = driven.station_at(i).home();
            if (strand.has_work()) {
                strand.turn();
                any = true;
            }
        }
    }
}

}  // namespace

TEST_CASE("offload: a function's value comes back to the actor", "[actor][offload]")
{
    struct body {
        static task<> run(context& self, lines* seen)
        {
            const int added = co_await self.offload([a = 1, b = 2] { return a + b; });
            seen->push_back(std::to_string(added));
            int local = 0;
            co_await self.offload([&local] { local = 7; });  // lives in this frame
            seen->push_back(std::to_string(local));
            auto moved = co_await self.offload(
                [held = std::make_unique<int>(9)]() mutable { return std::move(held); });
            seen->push_back(std::to_string(*moved));
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    lines seen;
    sim.engine().spawn(body::run, &seen);

    sim.run_until_idle();

    CHECK(seen == lines{"3", "7", "9"});
}

TEST_CASE("offload: what a function throws is thrown in the actor", "[actor][offload]")
{
    struct body {
        static task<> run(context& self, lines* seen)
        {
            try {
                co_await self.offload([] { throw std::runtime_error("no such file"); });
            } catch (const std::runtime_error& thrown) {
                seen->push_back(thrown.what());
            }
            const int value = co_await self.offload([]() -> int { throw std::logic_error("it is final"); });
            seen->push_back(std::to_string(value));
        }
    };
    quiet_log quiet;
    simulation sim;
    support::event_record events(sim.engine());
    lines seen;
    const pid failing = sim.engine().spawn(body::run, &seen);

    sim.run_until_idle();

    CHECK(seen == lines{"no such file"});
    REQUIRE(events.ends_of(failing) == 1);
    CHECK(events.stopped[0].reason == errc::actor_failed);
}

TEST_CASE("offload: in a simulation a function runs in a step of its own, in an order that the seed chooses",
    "[actor][offload]")
{
    struct body {
        static task<> run(context& self, int number, std::vector<int>* seen)
        {
            const auto thread = std::this_thread::get_id();
            const bool is_here = co_await self.offload([number, seen, thread] {
                seen->push_back(number);
                return std::this_thread::get_id() == thread;
            });
            CHECK(is_here);
        }
    };
    const auto order_of = [](std::uint64_t seed) {
        simulation sim(seed);
        std::vector<int> seen;
        for (int i = 0; i < 6; ++i)
            sim.engine().spawn(on(static_cast<std::uint32_t>(i % 2)), body::run, i, &seen);
        sim.run_until_idle();
        CHECK(seen.size() == 6);
        return seen;
    };

    CHECK(order_of(1) == order_of(1));
    bool differs = false;
    for (std::uint64_t seed = 2; seed < 12; ++seed)
        differs = differs || order_of(seed) != order_of(1);
    CHECK(differs);
}

TEST_CASE("offload: does nothing until it is awaited", "[actor][offload]")
{
    struct body {
        static task<> run(context& self, int* calls, int* alive)
        {
            {
                auto dropped = self.offload([calls, held = tracked(*alive)] { ++*calls; });
                CHECK(*alive == 1);
            }
            CHECK(*alive == 0);
            co_await self.offload([calls, held = tracked(*alive)] { ++*calls; });
            CHECK(*alive == 0);
        }
    };
    simulation sim;
    int calls = 0;
    int alive = 0;
    sim.engine().spawn(body::run, &calls, &alive);

    sim.run_until_idle();

    CHECK(calls == 1);
    CHECK(alive == 0);
}

TEST_CASE("offload: a stop takes out what has not begun", "[actor][offload]")
{
    manual_clock clock;
    engine driven(scheduler::manual{}, {.strands = 1, .clock = &clock});
    lines seen;
    const pid waiting = driven.spawn(offloads, &seen);
    strand_context& strand = driven.station_at(0).home();
    while (seen.empty())
        strand.step();

    strand.enter([&] { driven.stop(waiting); });
    run(driven);

    CHECK(seen == lines{"before", "cancelled"});
    CHECK(driven.figures().live == 0);
    CHECK(driven.station_at(0).dump().empty());
}

TEST_CASE("offload: nothing begins in a scope that was cancelled", "[actor][offload]")
{
    struct body {
        static task<> run(context& self, lines* seen)
        {
            static_cast<void>(co_await self.receive());
            co_await offloads(self, seen);
        }
    };
    simulation sim;
    lines seen;
    const pid stopped = sim.engine().spawn(body::run, &seen);
    sim.run_until_idle();

    sim.stop(stopped);

    CHECK(seen == lines{"before", "cancelled"});
}

TEST_CASE("offload: more than may wait are refused", "[actor][offload]")
{
    struct body {
        static task<std::string> one(context& self)
        {
            try {
                co_await self.offload([] {});
                co_return "done";
            } catch (const error& thrown) {
                CHECK(code_of(thrown) == errc::offload_full);
                co_return "full";
            }
        }
        static task<> run(context& self, lines* seen)
        {
            const auto [a, b, c, d] = co_await when_all(one(self), one(self), one(self), one(self));
            *seen = {a, b, c, d};
            seen->push_back(co_await one(self));
        }
    };
    manual_clock clock;
    engine driven(
        scheduler::manual{}, {.strands = 1, .clock = &clock, .offload_threads = 1, .offload_queue = 2});
    lines seen;
    driven.spawn(body::run, &seen);

    run(driven);

    CHECK(seen == lines{"done", "done", "done", "full", "done"});
}

TEST_CASE("offload: a queue may be as long as can be", "[actor][offload]")
{
    manual_clock clock;
    engine driven(scheduler::manual{},
        {.strands = 1, .clock = &clock, .offload_threads = 2, .offload_queue = SIZE_MAX});
    lines seen;
    for (int i = 0; i < 2; ++i)
        driven.spawn(offloads, &seen);

    run(driven);

    CHECK(std::count(seen.begin(), seen.end(), "value") == 2);
}

TEST_CASE("offload: says in a dump what is waited for", "[actor][offload]")
{
    manual_clock clock;
    engine driven(scheduler::manual{}, {.strands = 1, .clock = &clock});
    lines seen;
    driven.spawn("reader", offloads, &seen);
    strand_context& strand = driven.station_at(0).home();
    while (seen.empty())
        strand.step();

    const lines dumped = driven.station_at(0).dump();

    REQUIRE(dumped.size() == 1);
    CHECK(dumped[0].find("reader") != std::string::npos);
    CHECK(dumped[0].find("waits for an offloaded function") != std::string::npos);
}

TEST_CASE("offload: a pool that was closed refuses", "[actor][offload]")
{
    manual_clock clock;
    engine driven(scheduler::manual{}, {.strands = 1, .clock = &clock});
    lines seen;
    driven.spawn(offloads, &seen);

    driven.station_at(0).shared().offload->close();
    run(driven);

    CHECK(seen == lines{"before", "the engine has stopped"});
}

TEST_CASE("offload: what waits is destroyed with the engine", "[actor][offload]")
{
    struct body {
        static task<> run(context& self, int* calls, int* alive, bool* waits)
        {
            const tracked local(*alive);
            *waits = true;
            co_await self.offload([calls, held = tracked(*alive)] { ++*calls; });
        }
    };
    int calls = 0;
    int alive = 0;
    {
        manual_clock clock;
        engine driven(scheduler::manual{}, {.strands = 1, .clock = &clock});
        bool waits = false;
        driven.spawn(body::run, &calls, &alive, &waits);
        while (!waits)
            driven.station_at(0).home().step();
        CHECK(alive > 0);
    }

    CHECK(alive == 0);
    CHECK(calls == 0);
}

TEST_CASE("offload: keeps a borrowed context at work, and starts its threads when they are needed",
    "[actor][offload]")
{
    struct body {
        static task<> run(context& self, std::thread::id* where, std::thread::id* after)
        {
            *where = co_await self.offload([] { return std::this_thread::get_id(); });
            *after = std::this_thread::get_id();
        }
    };
    asio::io_context io;
    engine borrowed(io.get_executor());
    std::thread::id where;
    std::thread::id after;
    borrowed.spawn(body::run, &where, &after);

    io.run();

    CHECK(after == std::this_thread::get_id());
    CHECK(where != std::thread::id());
    CHECK(where != after);
}
