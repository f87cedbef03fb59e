// SPDX-License-Identifier: MIT

#include <costar/kernel/spawn_options.hpp>

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

spawn_options restarted(restart_policy policy, std::uint32_t strand = 0)
{
    spawn_options options = on(strand);
    options.restart = policy;
    return options;
}

/// Keeps numbers, throws at negative ones, and says how it began.
task<> picky(context& self, std::vector<int>* seen, std::string argument)
{
    seen->push_back(1000 + static_cast<int>(self.restart_count()));
    CHECK(argument == "given again");
    argument.clear();
    while (auto message = co_await self.receive())
        message.match(
            [&](number& m) {
                if (m.value < 0)
                    throw std::runtime_error("negative");
                seen->push_back(m.value);
            },
            [](crash_asked&) -> int { throw std::runtime_error("asked to"); });
}

task<> picky_parent(context& self, std::vector<pid>* children)
{
    children->push_back(self.spawn(on(0), helper));
    children->push_back(self.spawn(on(1), helper));
    while (auto message = co_await self.receive())
        message.match([](crash&) { throw std::runtime_error("told to"); });
}

task<> shields(context& self)
{
    auto message = co_await self.receive();
    message.mark_handled();
    self.spawn_task([](context&) -> task<> { co_await shield(sleep_for(1s)); }(self));
    throw std::runtime_error("told to");
}

/// A class that cannot be constructed at some times.
struct moody {
    moody(std::vector<int>* begun, std::vector<bool> moods) : begun(begun)
    {
        const auto time = begun->size();
        begun->push_back(static_cast<int>(time));
        if (time < moods.size() && moods[time])
            throw std::runtime_error("not today");
    }
    int operator()(twice m) { return 2 * m.value; }
    void operator()(crash) { throw std::runtime_error("told to"); }
    std::vector<int>* begun;
};

}  // namespace

TEST_CASE("spawn_options: a restarted actor goes on with the messages it had not handled",
    "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        "picky", restarted({.limit = 5}, GENERATE(0U, 1U)), picky, &seen, std::string("given again"));

    for (const int value : {1, -1, 2, -2, 3})
        sim.send(actor, number{value});
    sim.run_until_idle();

    CHECK(seen == std::vector{1000, 1, 1001, 2, 1002, 3});
    CHECK(sim.engine().find("picky") == actor);
    CHECK(events.restarted.size() == 2);
    CHECK(events.restarted[0].who == actor);
    CHECK(events.restarted[0].name == "picky");
    CHECK(events.restarted[0].reason == "negative");
    CHECK(events.restarted[1].restarts == 2);
    CHECK(events.started.size() == 1);
    CHECK(events.stopped.empty());
    CHECK(events.dead.empty());
}

TEST_CASE("spawn_options: the asker of the failing message is told at once", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<int> seen;
    const pid actor =
        sim.engine().spawn(restarted({.limit = 5, .delay = 10s}), picky, &seen, std::string("given again"));

    CHECK_THROWS_MATCHES(
        sim.ask(actor, crash_asked{}), error, Catch::Matchers::Message(error(errc::actor_failed).what()));

    CHECK(sim.now() == 0s);
}

TEST_CASE("spawn_options: the limit counts restarts within the window", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(restarted({.limit = 2, .within = 10s}), helper);

    for (int i = 0; i < 4; ++i) {  // one each five seconds: never more than two in ten
        sim.send(actor, crash{});
        sim.advance(5s);
    }
    CHECK(sim.engine().figures().live == 1);
    CHECK(events.restarted.size() == 4);
    sim.send(actor, crash{});
    sim.send(actor, crash{});
    sim.run_until_idle();

    CHECK(events.limits.size() == 1);
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("spawn_options: a window of zero counts all restarts", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(restarted({.limit = 2, .within = 0s}), helper);

    for (int i = 0; i < 3; ++i) {
        sim.send(actor, crash{});
        sim.advance(24h);
    }

    CHECK(events.restarted.size() == 2);
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("spawn_options: a restart waits for its delay", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<int> seen;
    const pid actor =
        sim.engine().spawn(restarted({.limit = 5, .delay = 2s}), picky, &seen, std::string("given again"));

    sim.send(actor, number{-1});
    sim.send(actor, number{1});
    sim.advance(1999ms);
    CHECK(seen == std::vector{1000});
    sim.advance(1ms);

    CHECK(seen == std::vector{1000, 1001, 1});
}

TEST_CASE("spawn_options: a stop wins over a restart", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());

    SECTION("during the delay")
    {
        std::vector<int> seen;
        const pid actor = sim.engine().spawn(
            restarted({.limit = 5, .delay = 2s}), picky, &seen, std::string("given again"));
        sim.send(actor, number{-1});
        sim.send(actor, number{1});
        sim.advance(1s);
        sim.stop(actor);
        CHECK(sim.now() == 1s);
        sim.advance(10s);

        CHECK(seen == std::vector{1000});
        CHECK(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::cancelled);
        CHECK(events.dead_of(actor, errc::actor_stopped) == 1);
    }
    SECTION("while children and tasks end")
    {
        const pid actor = sim.engine().spawn(restarted({.limit = 5}), shields);
        sim.send(actor, number{1});
        sim.run_until_idle();
        sim.engine().stop(actor);
        sim.run_until_idle();
        CHECK(events.ends_of(actor) == 0);
        sim.advance(1s);

        CHECK(events.ends_of(actor) == 1);
        CHECK(events.stopped[0].reason == errc::cancelled);
        CHECK(sim.engine().figures().restarts == 0);
    }
    SECTION("by poison in the mailbox of the failing one")
    {
        std::vector<int> seen;
        const pid actor =
            sim.engine().spawn(restarted({.limit = 5}), picky, &seen, std::string("given again"));
        sim.send(actor, number{-1});
        sim.engine().poison(actor);
        sim.send(actor, number{1});
        sim.run_until_idle();

        CHECK(seen == std::vector{1000, 1001});
        CHECK(events.ends_of(actor) == 1);
    }
    SECTION("by the parent's end, during the delay")
    {
        struct parent {
            static task<> body(context& self, pid* child)
            {
                *child = self.spawn(restarted({.limit = 1, .delay = 1h}), helper);
                while (co_await self.receive()) {}
            }
        };
        pid child;
        const pid actor = sim.engine().spawn(&parent::body, &child);
        sim.run_until_idle();
        sim.send(child, crash{});
        sim.run_until_idle();
        sim.stop(actor);
        CHECK(sim.now() == 0s);
        CHECK(events.ends_of(child) == 1);
        CHECK(events.ends_of(actor) == 1);
    }
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("spawn_options: children are stopped before their parent is begun anew", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U, 4U));
    event_record events(sim.engine());
    std::vector<pid> children;
    const pid actor = sim.engine().spawn(restarted({.limit = 1}), picky_parent, &children);
    sim.run_until_idle();
    REQUIRE(children.size() == 2);

    sim.send(actor, crash{});
    sim.run_until_idle();

    REQUIRE(children.size() == 4);
    CHECK(events.ends_of(children[0]) == 1);
    CHECK(events.ends_of(children[1]) == 1);
    CHECK(events.ends_of(children[2]) == 0);
    CHECK(events.ends_of(actor) == 0);
    CHECK(sim.engine().figures().live == 3);
}

TEST_CASE(
    "spawn_options: a constructor that throws at a restart counts as a crash", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> begun;

    SECTION("and gets over it")
    {
        const auto actor = sim.engine().spawn<moody>(
            restarted({.limit = 5}), &begun, std::vector<bool>{false, true, true, false});
        sim.send(actor, crash{});
        CHECK(sim.ask(actor, twice{2}) == 4);
        CHECK(events.restarted.size() == 3);
        CHECK(begun.size() == 4);
    }
    SECTION("or does not")
    {
        const auto actor = sim.engine().spawn<moody>(restarted({.limit = 3, .delay = 1s}), &begun,
            std::vector<bool>{false, true, true, true, true, true});
        sim.send(actor, crash{});
        sim.advance(10s);
        CHECK(events.restarted.size() == 3);
        CHECK(begun.size() == 4);
        CHECK(events.ends_of(actor) == 1);
        CHECK(events.limits.size() == 1);
    }
}

TEST_CASE("spawn_options: those who wait for an end wait across restarts", "[kernel][spawn_options]")
{
    quiet_log quiet;
    simulation sim;
    const pid actor = sim.engine().spawn(restarted({.limit = 1}), helper);
    bool ended = false;
    sim.send(actor, crash{});
    sim.engine().poison(actor, [&](error_code code) { ended = !code; });
    sim.run_until_idle();
    CHECK(ended);
    CHECK(sim.engine().figures().restarts == 1);
}
