// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Writes down when it is destroyed.
class mark {
public:
    mark(std::vector<std::string>& ends, std::string name) : ends_(&ends), name_(std::move(name)) {}
    mark(const mark&) = delete;
    ~mark() { ends_->push_back(name_); }

private:
    std::vector<std::string>* ends_;
    std::string name_;
};

/// An Asio operation that only ends when it is cancelled.
template <class Token>
auto async_never(Token&& token)
{
    return asio::async_initiate<Token, void(boost::system::error_code)>(
        [](auto handler) {
            auto slot = asio::get_associated_cancellation_slot(handler);
            auto kept = std::make_shared<decltype(handler)>(std::move(handler));
            slot.assign([kept](asio::cancellation_type) {
                auto executor = asio::get_associated_executor(*kept);
                asio::post(executor, [kept] { (*kept)(asio::error::operation_aborted); });
            });
        },
        token);
}

task<> forever()
{
    for (;;)
        co_await sleep_for(24h);
}

task<> inner(int depth)
{
    if (depth > 0)
        co_await inner(depth - 1);
    else
        co_await sleep_for(24h);
}

/// Each way to wait; the actor is stopped in each of them.
enum class waiting {
    receive,
    receive_type,
    receive_timed,
    receive_type_timed,
    sleep,
    ask,
    stop_of_another,
    asio_operation,
    race,
    race_receive,
    all,
    nested_task,
    spawned_task,
    children,
    finished,
    last,
};

task<> waits(context& self, waiting where, pid silent, std::vector<std::string>* ends)
{
    mark body(*ends, "body");
    switch (where) {
    case waiting::receive:
        static_cast<void>(co_await self.receive());
        break;
    case waiting::receive_type:
        static_cast<void>(co_await self.receive<words>());
        break;
    case waiting::receive_timed:
        static_cast<void>(co_await self.receive(24h));
        break;
    case waiting::receive_type_timed:
        static_cast<void>(co_await self.receive<words>(24h));
        break;
    case waiting::sleep:
        co_await sleep_for(24h);
        break;
    case waiting::ask:
        static_cast<void>(co_await self.ask(silent, twice{1}, 24h));
        break;
    case waiting::stop_of_another:
        co_await self.poison(silent);
        break;
    case waiting::asio_operation:
        co_await async_never(use_task);
        break;
    case waiting::race:
        co_await when_any(forever(), inner(3));
        break;
    case waiting::race_receive:
        co_await when_any(self.receive(), forever());
        break;
    case waiting::all:
        co_await when_all(forever(), inner(3), self.ask(silent, twice{1}, 24h));
        break;
    case waiting::nested_task:
        co_await inner(5);
        break;
    case waiting::spawned_task:
        self.spawn_task(inner(2));
        self.spawn_task(forever());
        static_cast<void>(co_await self.receive());
        break;
    case waiting::children:
        self.spawn(helper);
        self.spawn(on(1), helper);
        self.spawn(on(0), helper);
        static_cast<void>(co_await self.receive());
        break;
    case waiting::finished:
    case waiting::last:
        break;
    }
}

task<> unwilling(context& self)
{
    // Holds a message for ever unless it is cancelled.
    while (auto message = co_await self.receive())
        co_await sleep_for(24h);
}

task<> parent_of(context& self, int depth, std::vector<pid>* all)
{
    all->push_back(self.pid());
    if (depth > 0) {
        self.spawn(on(0), &parent_of, depth - 1, all);
        self.spawn(on(1), &parent_of, depth - 1, all);
    }
    while (co_await self.receive()) {}
}

task<> crashes_with_family(context& self, std::vector<pid>* all)
{
    all->push_back(self.pid());
    self.spawn(on(0), &parent_of, 1, all);
    self.spawn(on(1), &parent_of, 1, all);
    while (auto message = co_await self.receive())
        message.match([](crash&) { throw std::runtime_error("told to"); });
}

task<> slow_to_end(context& self, std::chrono::nanoseconds pause, std::vector<std::string>* ends)
{
    mark body(*ends, "body");
    while (co_await self.receive()) {}
    co_await shield(sleep_for(pause));
}

task<> breeds(context& self, int* born)
{
    for (;;) {
        self.spawn(on(static_cast<std::uint32_t>(*born % 2)), helper);
        ++*born;
        co_await sleep_for(1ms);
    }
}

task<> breeds_late(context& self, std::string* refused)
{
    struct task_body {
        static task<> run(context& self, std::string* refused)
        {
            co_await as_result(sleep_for(24h));
            try {
                self.spawn(helper);
            } catch (const error& thrown) {
                *refused = thrown.what();
            }
        }
    };
    self.spawn_task(task_body::run(self, refused));
    co_await sleep_for(1s);
}

}  // namespace

TEST_CASE("station: an actor that is stopped ends from wherever it waits, once", "[kernel][station]")
{
    const auto where = static_cast<waiting>(GENERATE(range(0, static_cast<int>(waiting::last))));
    const auto strand = GENERATE(0U, 1U);
    CAPTURE(static_cast<int>(where), strand);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        simulation sim(seed);
        event_record events(sim.engine());
        std::vector<std::string> ends;
        const pid silent = sim.engine().spawn(on(strand), unwilling);
        sim.send(silent, number{0});
        sim.run_until_idle();
        const pid actor = sim.engine().spawn(on(0), waits, where, silent, &ends);
        if (seed % 2 == 0)
            sim.run_until_idle();  // otherwise it is stopped before it has begun
        sim.stop(actor);
        sim.run_until_idle();

        CHECK(sim.now() == 0s);
        CHECK(events.ends_of(actor) == 1);
        REQUIRE(events.end_of(actor) < events.stopped.size());
        CHECK(events.stopped[events.end_of(actor)].reason == errc::cancelled);
        CHECK(ends == std::vector<std::string>{"body"});
        CHECK(sim.engine().figures().live == 1);
        CHECK(sim.engine().figures().restarts == 0);
    }
}

TEST_CASE("station: an actor that is poisoned ends behind its messages", "[kernel][station]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(recorder, &seen);

    sim.send(actor, number{1});
    sim.engine().poison(actor);
    sim.send(actor, number{2});
    sim.run_until_idle();

    CHECK(seen == std::vector{1});
    CHECK(events.ends_of(actor) == 1);
    CHECK(events.dead.size() == 1);
}

TEST_CASE("station: a stop overtakes messages, wherever it comes from", "[kernel][station]")
{
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        simulation sim(seed);
        event_record events(sim.engine());
        std::vector<int> seen;
        const pid actor = sim.engine().spawn(on(0), recorder, &seen);
        struct other {
            static task<> body(context& self, pid to)
            {
                for (int i = 0; i < 100; ++i)
                    self.send(to, number{i});
                co_await self.stop(to);
                self.send(to, number{100});
            }
        };
        sim.engine().spawn(on(static_cast<std::uint32_t>(seed % 2)), &other::body, actor);
        sim.run_until_idle();

        CHECK(events.ends_of(actor) == 1);
        CHECK(seen.size() + events.dead.size() == 101);
        CHECK(seen.size() < 100);
        for (std::size_t i = 0; i < seen.size(); ++i)
            CHECK(seen[i] == static_cast<int>(i));
    }
}

TEST_CASE("station: stopped is seen once on every way to end", "[kernel][station]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U, 4U, 5U));
    event_record events(sim.engine());
    const auto strand = GENERATE(0U, 1U);
    std::vector<int> seen;

    SECTION("return")
    {
        struct returns {
            static task<> body(context&) { co_return; }
        };
        const pid actor = sim.engine().spawn(on(strand), &returns::body);
        sim.run_until_idle();
        CHECK(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::cancelled);
    }
    SECTION("crash")
    {
        const pid actor = sim.engine().spawn(on(strand), helper);
        sim.send(actor, crash{});
        sim.send(actor, number{1});
        sim.run_until_idle();
        CHECK(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::actor_failed);
        CHECK(events.dead_of(actor, errc::actor_failed) + events.dead_of(actor, errc::no_such_actor) == 1);
    }
    SECTION("restart limit")
    {
        spawn_options options = on(strand);
        options.restart = {.limit = 2};
        const pid actor = sim.engine().spawn(options, helper);
        for (int i = 0; i < 3; ++i)
            sim.send(actor, crash{});
        sim.run_until_idle();
        CHECK(events.ends_of(actor) == 1);
        CHECK(events.restarted.size() == 2);
        REQUIRE(events.limits.size() == 1);
        CHECK(events.limits[0].who == actor);
        CHECK(events.limits[0].reason == "told to");
    }
    SECTION("stop and poison and stop again")
    {
        const pid actor = sim.engine().spawn(on(strand), recorder, &seen);
        sim.engine().poison(actor);
        sim.engine().stop(actor);
        sim.engine().stop(actor);
        sim.run_until_idle();
        sim.stop(actor);
        CHECK(events.ends_of(actor) == 1);
    }
    SECTION("parent's end")
    {
        std::vector<pid> all;
        const pid actor = sim.engine().spawn(on(strand), parent_of, 2, &all);
        sim.run_until_idle();
        REQUIRE(all.size() == 7);
        sim.stop(actor);
        for (const pid each : all)
            CHECK(events.ends_of(each) == 1);
    }
    SECTION("shutdown")
    {
        std::vector<pid> all;
        sim.engine().spawn(on(strand), parent_of, 3, &all);
        sim.engine().spawn(on(1 - strand), parent_of, 2, &all);
        sim.run_until_idle();
        bool done = false;
        sim.engine().async_shutdown(1s, [&](error_code code, const shutdown_report& report) {
            CHECK_FALSE(code);
            CHECK(report.left.empty());
            done = true;
        });
        sim.run_until_idle();
        CHECK(done);
        for (const pid each : all)
            CHECK(events.ends_of(each) == 1);
    }
    CHECK(sim.engine().figures().live == 0);
    CHECK(events.started.size() == events.stopped.size());
}

TEST_CASE("station: children end before their parents, across strands too", "[kernel][station]")
{
    quiet_log quiet;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        simulation sim(seed);
        event_record events(sim.engine());
        std::vector<pid> all;
        const bool by_crash = seed % 2 == 0;
        const pid root =
            sim.engine().spawn(on(static_cast<std::uint32_t>(seed % 3 % 2)), crashes_with_family, &all);
        sim.run_until_idle();
        REQUIRE(all.size() == 7);

        if (by_crash)
            sim.send(root, crash{});
        else
            sim.engine().stop(root);
        sim.run_until_idle();

        REQUIRE(events.stopped.size() == 7);
        CHECK(events.stopped.back().who == root);
        CHECK(events.stopped.back().reason == (by_crash ? errc::actor_failed : errc::cancelled));
        std::size_t children_checked = 0;
        for (const auto& each : events.started)
            children_checked += events.end_of(each.who) <= events.end_of(root);
        CHECK(children_checked == 7);
    }
}

TEST_CASE("station: a shield is waited for", "[kernel][station]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<std::string> ends;
    const pid actor = sim.engine().spawn(slow_to_end, 3s, &ends);
    sim.run_until_idle();

    sim.engine().stop(actor);
    sim.advance(2s);
    CHECK(events.ends_of(actor) == 0);
    sim.advance(1s);

    CHECK(events.ends_of(actor) == 1);
    CHECK(ends.size() == 1);
}

TEST_CASE("station: slots are used again, for actors born from afar too", "[kernel][station]")
{
    simulation sim;
    std::uint32_t highest = 0;
    for (int round = 0; round < 2000; ++round) {
        const pid one = sim.engine().spawn(on(1), helper);
        highest = std::max(highest, one.slot());
        sim.stop(one);
    }

    CHECK(highest < 256);
    CHECK(sim.engine().figures().spawned == 2000);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("station: a slot whose generations are used up is left alone", "[kernel][station]")
{
    simulation sim;
    const auto strand = GENERATE(0U, 1U);  // born from afar, all of them
    sim.engine().station_at(strand).shared().last_generation = 5;
    std::set<pid> all;
    for (int round = 0; round < 12; ++round) {
        const pid one = sim.engine().spawn(on(strand), helper);
        CHECK(sim.ask(one, twice{2}) == 4);
        CHECK(one.generation() <= 5);
        all.insert(one);
        sim.stop(one);
        sim.run_until_idle();
    }

    CHECK(all.size() == 12);  // no pid was given out twice
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("station: an actor that breeds while it is stopped takes all with it", "[kernel][station]")
{
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        simulation sim(seed);
        event_record events(sim.engine());
        int born = 0;
        const pid actor = sim.engine().spawn(breeds, &born);
        sim.advance(5ms);

        sim.engine().stop(actor);
        sim.run_until_idle();

        CHECK(born == 6);
        CHECK(sim.engine().figures().live == 0);
        CHECK(events.stopped.size() == 7);
        CHECK(events.stopped.back().who == actor);
    }
}

TEST_CASE("station: who is ending has no more children", "[kernel][station]")
{
    simulation sim;
    std::string refused;
    const pid actor = sim.engine().spawn(breeds_late, &refused);

    sim.advance(2s);

    CHECK(refused == error(errc::cancelled).what());
    CHECK(sim.engine().figures().live == 0);
    CHECK_FALSE(sim.engine().find("nobody"));
    static_cast<void>(actor);
}

TEST_CASE("station: who hears of an end can use the name again", "[kernel][station]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<pid> born{sim.engine().spawn("phoenix", on(0), helper)};
    const auto subscription = sim.engine().events().subscribe<actor_stopped>([&](const actor_stopped& event) {
        if (born.size() < 3 && event.name == "phoenix")
            born.push_back(sim.engine().spawn("phoenix", on(0), helper));
    });
    sim.run_until_idle();

    sim.stop(born[0]);
    sim.stop(born[1]);
    sim.run_until_idle();

    REQUIRE(born.size() == 3);
    CHECK(sim.engine().find("phoenix") == born[2]);
    CHECK(sim.ask(born[2], twice{2}) == 4);
    CHECK(events.ends_of(born[0]) == 1);
    CHECK(events.ends_of(born[1]) == 1);
}

TEST_CASE(
    "station: a message sent to an actor by those who hear of its end is a dead letter", "[kernel][station]")
{
    simulation sim;
    const pid actor = sim.engine().spawn(on(0), unwilling);
    int told = 0;
    const auto subscription = sim.engine().events().subscribe<dead_letter>([&](const dead_letter& event) {
        if (event.to == actor && ++told <= 3)
            sim.engine().send(actor, words{"again"});
    });
    sim.send(actor, number{1});
    sim.send(actor, number{2});
    sim.run_until_idle();

    sim.stop(actor);
    sim.run_until_idle();

    CHECK(sim.engine().figures().live == 0);
    CHECK(told == 5);
}

TEST_CASE("station: counts what happens", "[kernel][station]")
{
    quiet_log quiet;
    simulation sim;
    const pid one = sim.engine().spawn({.restart = {.limit = 1}}, helper);
    sim.engine().spawn(helper);
    sim.send(one, crash{});
    sim.send(one, words{"unknown"});
    sim.run_until_idle();

    const station_figures figures = sim.engine().figures();
    CHECK(figures.live == 2);
    CHECK(figures.spawned == 2);
    CHECK(figures.restarts == 1);
    CHECK(figures.dead_letters == 1);
    CHECK(figures.late_replies == 0);
}
