// SPDX-License-Identifier: MIT

#include <costar/actor/spawned_child.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

task<> throws_after(std::chrono::nanoseconds pause)
{
    co_await sleep_for(pause);
    throw std::runtime_error("task failed");
}

/// Where the body is when its task fails.
enum class place {
    receive,
    receive_timed,
    sleep,
    ask,
    busy,
    caught,
    last
};

task<> has_failing_task(context& self, place where, pid silent, int* begun)
{
    if (++*begun == 1)
        self.spawn_task(throws_after(1s));
    switch (where) {
    case place::receive:
        while (co_await self.receive()) {}
        break;
    case place::receive_timed:
        for (;;) {
            auto message = co_await self.receive(24h);
            if (!message && !message.timed_out())
                break;
        }
        break;
    case place::sleep:
        co_await sleep_for(24h);
        break;
    case place::ask:
        static_cast<void>(co_await self.ask(silent, twice{1}, 24h));
        break;
    case place::busy:  // never waits long, has always a message
        self.send(self.pid(), number{});
        while (auto message = co_await self.receive()) {
            message.mark_handled();
            static_cast<void>(co_await as_result(sleep_for(1ms)));
            self.send(self.pid(), number{});
        }
        break;
    case place::caught:  // swallows the cancellation, and would wait for a message for ever
        static_cast<void>(co_await as_result(sleep_for(24h)));
        while (co_await self.receive()) {}
        break;
    case place::last:
        break;
    }
}

task<> counts(int* ticks)
{
    for (;;) {
        co_await sleep_for(1s);
        ++*ticks;
    }
}

task<> ticking(context& self, int* ticks)
{
    self.spawn_task(counts(ticks));
    self.spawn_task(counts(ticks));
    while (auto message = co_await self.receive())
        message.match([](number&) {});
}

task<> interleaves(context& self, std::vector<std::string>* seen)
{
    struct handler {
        static task<> run(context& self, message m, std::vector<std::string>* seen)
        {
            const int value = m.get<number>().value;
            seen->push_back("begin " + std::to_string(value));
            co_await sleep_for(std::chrono::seconds(10 - value));
            seen->push_back("end " + std::to_string(value));
            static_cast<void>(self);
        }
    };
    while (auto message = co_await self.receive())
        self.spawn_task(handler::run(self, std::move(message), seen));
}

task<> fails_while_closing(context& self, int* begun)
{
    struct clean_up {
        static task<> run()
        {
            static_cast<void>(co_await as_result(sleep_for(24h)));
            throw std::runtime_error("clean-up failed");
        }
    };
    ++*begun;
    if (*begun == 1)
        self.spawn_task(clean_up::run());
    static_cast<void>(co_await self.receive());
}

task<> spawns_task_in_task(context& self, int* ended)
{
    struct outer {
        static task<> run(context& self, int* ended)
        {
            static_cast<void>(co_await as_result(sleep_for(24h)));
            self.spawn_task(throws_after(24h));  // cancelled at once
            ++*ended;
        }
    };
    self.spawn_task(outer::run(self, ended));
    static_cast<void>(co_await self.receive());
}

}  // namespace

TEST_CASE("spawned_child: runs beside the body and ends with it", "[actor][spawned_child]")
{
    simulation sim;
    event_record events(sim.engine());
    int ticks = 0;
    const pid actor = sim.engine().spawn(ticking, &ticks);

    sim.advance(3s);
    CHECK(ticks == 6);
    sim.stop(actor);
    sim.advance(3s);

    CHECK(ticks == 6);
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("spawned_child: lets messages be handled side by side", "[actor][spawned_child]")
{
    simulation sim;
    std::vector<std::string> seen;
    const pid actor = sim.engine().spawn(interleaves, &seen);

    for (int i = 1; i <= 3; ++i) {
        sim.send(actor, number{i});
        sim.run_until_idle();
    }
    sim.advance(10s);

    CHECK(seen == std::vector<std::string>{"begin 1", "begin 2", "begin 3", "end 3", "end 2", "end 1"});
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("spawned_child: an exception that leaves it crashes the actor, wherever the body is",
    "[actor][spawned_child]")
{
    quiet_log quiet;
    const auto where = static_cast<place>(GENERATE(range(0, static_cast<int>(place::last))));
    const auto restarts = GENERATE(false, true);
    CAPTURE(static_cast<int>(where), restarts);
    simulation sim;
    event_record events(sim.engine());
    const pid silent = sim.engine().spawn(slow, 48h);
    int begun = 0;
    spawn_options options;
    options.restart.limit = restarts ? 1 : 0;
    const pid actor = sim.engine().spawn(options, has_failing_task, where, silent, &begun);

    sim.advance(2s);

    CHECK(begun == (restarts ? 2 : 1));
    CHECK(events.ends_of(actor) == (restarts ? 0 : 1));
    if (restarts) {
        REQUIRE(events.restarted.size() == 1);
        CHECK(events.restarted[0].reason == "task failed");
    } else {
        CHECK(events.stopped[0].reason == errc::actor_failed);
    }
}

TEST_CASE("spawned_child: an exception while the actor ends is a crash too", "[actor][spawned_child]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    int begun = 0;
    const pid actor = sim.engine().spawn({.restart = {.limit = 3}}, fails_while_closing, &begun);
    sim.run_until_idle();

    SECTION("the body returned: it begins anew")
    {
        sim.send(actor, number{});
        sim.run_until_idle();
        CHECK(begun == 2);
        CHECK(events.dead.size() == 1);
        CHECK(events.restarted.size() == 1);
        CHECK(events.ends_of(actor) == 0);
    }
    SECTION("it was stopped: it ends")
    {
        sim.stop(actor);
        CHECK(begun == 1);
        CHECK(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::actor_failed);
    }
}

TEST_CASE("spawned_child: one that is begun while the actor ends is cancelled", "[actor][spawned_child]")
{
    simulation sim;
    event_record events(sim.engine());
    int ended = 0;
    const pid actor = sim.engine().spawn(spawns_task_in_task, &ended);
    sim.run_until_idle();

    sim.send(actor, number{});
    sim.run_until_idle();

    CHECK(ended == 1);
    CHECK(events.ends_of(actor) == 1);
    CHECK(sim.now() == 0s);
}
