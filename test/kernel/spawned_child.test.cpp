// SPDX-License-Identifier: MIT

#include <costar/kernel/spawned_child.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <exception>
#include <optional>
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

struct database_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

task<> loses_database()
{
    co_await sleep_for(1ms);
    throw database_error("the database is gone");
}

/// Ends when it is cancelled, with an exception of its own when it is told to.
task<> is_cancelled(bool fails)
{
    if (!fails)
        co_await sleep_for(24h);
    static_cast<void>(co_await as_result(sleep_for(24h)));
    throw std::runtime_error("clean-up failed");
}

/// Its task fails in its first life; another one ends because of it, and the body takes its time.
task<> fails_twice(context& self, bool fails, bool body_fails)
{
    if (self.restart_count() == 0) {
        self.spawn_task(is_cancelled(fails));
        self.spawn_task(loses_database());
        self.spawn_task(is_cancelled(fails));
    }
    try {
        while (co_await self.receive()) {}
    } catch (const error&) {}
    co_await shield(sleep_for(10ms));
    if (body_fails)
        throw std::runtime_error("the body failed too");
}

/// Ends its tasks by hand, with nothing left to do.
task<> ends_tasks(context& self, int tasks, bool fails)
{
    for (int i = 0; i < tasks; ++i)
        self.spawn_task(is_cancelled(fails));
    co_await sleep_for(1ms);
    co_await self.end_children();
}

/// Would wait for its own end.
task<> ends_itself(context& self, bool nested)
{
    co_await sleep_for(1ms);
    if (nested)
        co_await ends_itself(self, false);
    else
        co_await self.end_children();
}

/// Where a task has the message that it was given.
enum class held_as {
    parameter,
    local,
    inner_parameter,
    last
};

/// Has a message in hand while it waits, and while it fails.
task<> holds(message given, held_as how, bool looks, bool fails)
{
    if (how == held_as::inner_parameter) {
        co_await holds(std::move(given), held_as::parameter, looks, fails);
        co_return;
    }
    message moved;
    if (how == held_as::local)
        moved = std::move(given);
    if (looks)
        (moved ? moved : given).mark_handled();
    co_await sleep_for(fails ? std::chrono::nanoseconds(1ms) : std::chrono::nanoseconds(24h));
    throw std::runtime_error("with a message in hand");
}

/// Gives each message to a task.
task<> gives_away(context& self, held_as how, bool looks, bool fails, int* seen)
{
    while (auto received = co_await self.receive()) {
        ++*seen;
        self.spawn_task(holds(std::move(received), how, looks, fails));
    }
}

}  // namespace

TEST_CASE("spawned_child: runs beside the body and ends with it", "[kernel][spawned_child]")
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

TEST_CASE("spawned_child: lets messages be handled side by side", "[kernel][spawned_child]")
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
    "[kernel][spawned_child]")
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

TEST_CASE("spawned_child: an exception while the actor ends is a crash too", "[kernel][spawned_child]")
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

TEST_CASE("spawned_child: one that is begun while the actor ends is cancelled", "[kernel][spawned_child]")
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

TEST_CASE("spawned_child: those that the body has ended are no failure", "[kernel][spawned_child]")
{
    quiet_log quiet;
    const std::uint32_t restarts = GENERATE(0U, 3U);
    const int tasks = GENERATE(1, 3);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());

    SECTION("when they are just cancelled")
    {
        const pid actor = sim.engine().spawn({.restart = {.limit = restarts}}, ends_tasks, tasks, false);
        sim.advance(1s);
        CHECK(events.restarted.empty());
        REQUIRE(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::cancelled);
    }
    SECTION("but when they fail then")
    {
        const pid actor = sim.engine().spawn({.restart = {.limit = restarts}}, ends_tasks, tasks, true);
        sim.advance(1s);
        CHECK(events.restarted.size() == restarts);
        REQUIRE(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::actor_failed);
    }
}

TEST_CASE("spawned_child: the first exception is the one that is decided about", "[kernel][spawned_child]")
{
    quiet_log quiet;
    std::vector<supervision_decision> decisions;
    spawn_options options;
    options.restart.limit = 1;
    options.decide = costar::on<database_error>(directive::restart).otherwise(directive::stop);
    const bool fails = GENERATE(false, true);
    const bool body_fails = GENERATE(false, true);
    simulation sim(GENERATE(1U, 2U, 3U));
    const auto kept = sim.engine().events().subscribe<supervision_decision>(
        [&](const supervision_decision& event) { decisions.push_back(event); });
    sim.engine().spawn(options, fails_twice, fails, body_fails);

    sim.advance(1s);

    REQUIRE(decisions.size() == 1);
    CHECK(decisions[0].reason == "the database is gone");
    CHECK(decisions[0].decided == directive::restart);
    CHECK(sim.engine().figures().restarts == 1);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("spawned_child: one that would wait for its own end fails", "[kernel][spawned_child]")
{
    quiet_log quiet;
    int logic_errors = 0;
    spawn_options options;
    options.decide = [&](const std::exception_ptr& failure) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::logic_error&) {
            ++logic_errors;
        } catch (...) {}
        return directive::stop;
    };
    const bool nested = GENERATE(false, true);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, bool nested) -> task<> {
            self.spawn(helper);
            self.spawn_task(ends_itself(self, nested));
            while (co_await self.receive()) {}
        },
        nested);

    sim.advance(1s);

    CHECK(logic_errors == 1);
    CHECK(sim.engine().figures().live == 0);
    REQUIRE(events.ends_of(actor) == 1);
    CHECK(events.stopped.back().reason == errc::actor_failed);
}

TEST_CASE(
    "spawned_child: a message that it was given is in hand however it has it", "[kernel][spawned_child]")
{
    quiet_log quiet;
    int seen = 0;
    std::vector<error_code> ended;
    const auto how = static_cast<held_as>(GENERATE(range(0, static_cast<int>(held_as::last))));
    CAPTURE(static_cast<int>(how));
    spawn_options options;
    options.restart.limit = 10;
    const auto notes = [&](error_code code, int) { ended.push_back(code); };
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());

    SECTION("when it crashes")
    {
        const pid actor = sim.engine().spawn(options, gives_away, how, true, true, &seen);
        sim.engine().ask(actor, twice{1}, 1h, notes);
        sim.advance(1s);
        CHECK(seen == 1);
        REQUIRE(ended.size() == 1);
        CHECK(ended[0] == errc::actor_failed);
        CHECK(events.restarted.size() == 1);
        CHECK(events.dead.empty());
    }
    SECTION("when it crashes and has not looked at it")
    {
        const pid actor = sim.engine().spawn(options, gives_away, how, false, true, &seen);
        sim.engine().ask(actor, twice{1}, 1h, notes);
        sim.advance(1s);
        CHECK(seen == 1);
        REQUIRE(ended.size() == 1);
        CHECK(ended[0] == errc::actor_failed);
        CHECK(events.dead_of(actor, errc::actor_failed) == 1);
    }
    SECTION("when it is given again")
    {
        options.failing.redeliveries = 2;
        const pid actor = sim.engine().spawn(options, gives_away, how, true, true, &seen);
        sim.engine().ask(actor, twice{1}, 1h, notes);
        sim.advance(1s);
        CHECK(seen == 3);
        REQUIRE(ended.size() == 1);
        CHECK(ended[0] == errc::actor_failed);
        CHECK(events.restarted.size() == 3);
        CHECK(events.dead.empty());
    }
    SECTION("when it is stopped")
    {
        const pid actor = sim.engine().spawn(options, gives_away, how, false, false, &seen);
        sim.send(actor, number{1});
        sim.engine().ask(actor, twice{1}, 1h, notes);
        sim.run_until_idle();
        REQUIRE(seen == 2);
        sim.stop(actor);
        sim.run_until_idle();
        CHECK(events.dead_of(actor, errc::actor_stopped) == 2);
        CHECK(events.dead.size() == 2);
        REQUIRE(ended.size() == 1);
        CHECK(ended[0] == errc::actor_stopped);
    }
}
