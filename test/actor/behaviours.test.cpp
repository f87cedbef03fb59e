// SPDX-License-Identifier: MIT

#include <costar/actor/behaviours.hpp>

#include <costar/actor/passivation.hpp>
#include <costar/testing/simulation.hpp>

#include <memory>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

struct push {};
struct look {
    using reply = std::string;
};
struct deeper {};

/// A class whose operators are what it does while it has become nothing.
struct light : behaviours {
    void operator()(push)
    {
        become([this](push&) { unbecome(); }, [](look&) { return std::string("on"); },
            [this](
                deeper&) { become_stacked([this](push&) { unbecome(); }, [](look&) { return "deeper"; }); });
    }
    std::string operator()(look) { return "off"; }
};

/// How an actor that hears of silence is to be ended by it.
enum class ending {
    by_middleware,
    said_first,
    said_last,
    last
};

/// Hears of each second of silence, until a number tells it not to.
task<> hears_silence(context& self, ending how, int* told)
{
    if (how == ending::said_first)
        self.stop_when_idle(5s);
    self.set_receive_timeout(1s);
    if (how == ending::said_last)
        self.stop_when_idle(5s);
    while (auto message = co_await self.receive())
        message.match([&](receive_timeout&) { ++*told; },
            [&](number&) { self.set_receive_timeout(std::chrono::nanoseconds(0)); }, [](words&) {});
}

}  // namespace

TEST_CASE("behaviours: a class does what it has become last", "[actor][behaviours]")
{
    simulation sim;
    event_record events(sim.engine());
    const auto lamp = sim.engine().spawn<light>();
    CHECK(sim.ask(lamp, look{}) == "off");
    sim.send(lamp, push{});
    CHECK(sim.ask(lamp, look{}) == "on");
    sim.send(pid(lamp), deeper{});
    CHECK(sim.ask(lamp, look{}) == "deeper");
    sim.send(lamp, push{});
    CHECK(sim.ask(lamp, look{}) == "on");
    sim.send(lamp, push{});
    CHECK(sim.ask(lamp, look{}) == "off");
    sim.send(pid(lamp), deeper{});  // it has no operator for this
    sim.run_until_idle();
    CHECK(events.dead_of(lamp, errc::not_understood) == 1);
}

TEST_CASE("behaviours: a loop can use them too", "[actor][behaviours]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        [](context& self, std::vector<int>* seen) -> task<> {
            behaviours mood;
            CHECK(!mood.has_become());
            mood.unbecome();
            mood.become([&](number& m) {
                seen->push_back(m.value);
                mood.become([seen](number& m) { seen->push_back(10 * m.value); });  // forgets itself
            });
            while (auto message = co_await self.receive())
                mood(message);
        },
        &seen);
    for (int i = 1; i <= 3; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen == std::vector{1, 20, 30});
}

TEST_CASE(
    "behaviours: passivation ends what nobody needs, and counts anew for each life", "[actor][behaviours]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    spawn_options options = on(0);
    options.restart.limit = 1;
    options.middleware = {std::make_shared<passivation>(10s)};
    const pid actor = sim.engine().spawn(options, helper);
    sim.run_until_idle();
    sim.advance(9s);
    sim.send(actor, crash{});
    sim.advance(9s);  // the timer of the first life would have ended it
    CHECK(events.stopped.empty());
    CHECK(sim.ask(actor, twice{1}) == 2);
    sim.advance(9s);
    CHECK(events.stopped.empty());
    sim.advance(2s);
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("behaviours: passivation and a receive timeout work beside each other", "[actor][behaviours]")
{
    int told = 0;
    const auto how = static_cast<ending>(GENERATE(range(0, static_cast<int>(ending::last))));
    CAPTURE(static_cast<int>(how));
    spawn_options options = on(0);
    if (how == ending::by_middleware)
        options.middleware = {std::make_shared<passivation>(5s)};
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(options, hears_silence, how, &told);
    sim.run_until_idle();

    SECTION("without a message")
    {
        sim.advance(4900ms);
        CHECK(told == 4);
        CHECK(events.stopped.empty());
        sim.advance(200ms);
        CHECK(events.ends_of(actor) == 1);
    }
    SECTION("a message begins both anew")
    {
        sim.advance(2500ms);
        CHECK(told == 2);
        sim.send(actor, words{"here I am"});
        sim.advance(4900ms);
        CHECK(told == 6);
        CHECK(events.stopped.empty());
        sim.advance(200ms);
        CHECK(events.ends_of(actor) == 1);
    }
    SECTION("and the end of one is not the end of the other")
    {
        sim.advance(2500ms);
        sim.send(actor, number{0});
        sim.advance(4900ms);
        CHECK(told == 2);
        CHECK(events.stopped.empty());
        sim.advance(200ms);
        CHECK(told == 2);
        CHECK(events.ends_of(actor) == 1);
    }
}

TEST_CASE("behaviours: who stays when it is idle still hears of silence", "[actor][behaviours]")
{
    int told = 0;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, int* told) -> task<> {
            self.set_receive_timeout(1s);
            self.stop_when_idle(5s);
            self.stop_when_idle(std::chrono::nanoseconds(0));
            while (auto message = co_await self.receive())
                message.match([&](receive_timeout&) { ++*told; });
        },
        &told);

    sim.advance(9500ms);

    CHECK(told == 9);
    CHECK(events.ends_of(actor) == 0);
}
