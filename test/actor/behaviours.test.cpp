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
