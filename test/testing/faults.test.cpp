// SPDX-License-Identifier: MIT

#include <costar/testing/faults.hpp>

#include <costar/testing/simulation.hpp>

#include <optional>
#include <stdexcept>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

TEST_CASE("faults: messages are lost, the counted ones and a share", "[testing][faults]")
{
    simulation sim(GENERATE(1U, 2U), {.faults = true});
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(on(1), recorder, &seen);
    const pid spared = sim.engine().spawn(on(0), helper);
    sim.faults().lose<number>({.to = actor, .from = 2, .count = 2});
    for (int i = 1; i <= 5; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen == std::vector{1, 4, 5});
    CHECK(sim.faults().injected() == 2);
    CHECK(sim.ask(spared, twice{1}) == 2);

    seen.clear();
    sim.faults().clear();
    sim.faults().lose<number>({.share = 0.5});
    for (int i = 0; i < 1000; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen.size() > 400);
    CHECK(seen.size() < 600);
}

TEST_CASE("faults: a lost request ends at its deadline", "[testing][faults]")
{
    simulation sim(1, {.faults = true});
    const pid actor = sim.engine().spawn(on(1), helper);
    sim.faults().lose<twice>({.count = 1});
    std::optional<error_code> ended;
    sim.engine().ask(actor, twice{1}, 2s, [&](error_code code, int) { ended = code; });
    sim.advance(1s);
    CHECK(!ended);
    sim.advance(1s);
    CHECK(ended == make_error_code(errc::timed_out));
    CHECK(sim.ask(actor, twice{2}) == 4);
}

TEST_CASE("faults: messages come late, and twice", "[testing][faults]")
{
    simulation sim(1, {.faults = true});
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(on(0), recorder, &seen);
    sim.faults().delay<number>(1s, {.count = 1});
    sim.faults().repeat<number>({.from = 2, .count = 1});
    for (int i = 1; i <= 4; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen == std::vector{2, 3, 3, 4});
    sim.advance(1s);
    CHECK(seen == std::vector{2, 3, 3, 4, 1});

    sim.faults().clear();
    sim.faults().delay(1s);
    sim.send(actor, number{5});
    sim.run_until_idle();
    sim.stop(actor);  // what is late finds nobody
    sim.advance(2s);
    CHECK(sim.engine().figures().dead_letters == 1);
}

TEST_CASE("faults: a request that comes twice is answered once", "[testing][faults]")
{
    simulation sim(1, {.faults = true});
    const pid actor = sim.engine().spawn(on(1), helper);
    sim.faults().repeat<twice>();
    int answers = 0;
    sim.engine().ask(
        actor, twice{4}, 1s, [&](error_code code, int value) { answers += !code && value == 8; });
    sim.advance(2s);
    CHECK(answers == 1);
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("faults: an actor crashes at its n-th message", "[testing][faults]")
{
    quiet_log quiet;
    simulation sim(1, {.faults = true});
    event_record events(sim.engine());
    std::vector<int> seen;
    spawn_options options = on(0);
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn(options, recorder, &seen);
    sim.faults().crash(actor, 3);
    for (int i = 1; i <= 5; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(events.restarted.size() == 1);
    CHECK(events.restarted[0].reason == "crashed at a support::number");
    CHECK(seen == std::vector{1, 2, 4, 5});
}

TEST_CASE("faults: stops and news of ends are never touched", "[testing][faults]")
{
    simulation sim(1, {.faults = true});
    auto watching = sim.make_probe();
    const pid actor = sim.engine().spawn(on(1), helper);
    watching.watch(actor);
    sim.faults().lose();
    sim.engine().poison(actor);
    CHECK(watching.expect<terminated>() == terminated{actor, errc::actor_stopped});
}

TEST_CASE("faults: what is late when the simulation ends is destroyed", "[testing][faults]")
{
    simulation sim(1, {.faults = true});
    const pid actor = sim.engine().spawn(on(1), helper);
    sim.faults().delay(1h);
    sim.send(actor, words{std::string(100, 'x')});
    sim.run_until_idle();
    CHECK(sim.faults().injected() == 1);
}

TEST_CASE("faults: actors may send when they are destroyed with the simulation", "[testing][faults]")
{
    struct sends_at_end {
        static task<> body(context& self, pid to)
        {
            struct farewell {
                context& self;
                pid to;
                ~farewell() { self.send(to, words{"farewell"}); }
            } const last{self, to};
            co_await self.receive();
        }
    };
    std::size_t injected = 0;
    {
        simulation sim(1, {.faults = true});
        const pid to = sim.engine().spawn(on(0), helper);
        sim.engine().spawn(on(GENERATE(0U, 1U)), &sends_at_end::body, to);
        sim.faults().delay<words>(1h);
        sim.send(to, words{"late"});
        sim.run_until_idle();
        injected = sim.faults().injected();
    }
    CHECK(injected == 1);
}

TEST_CASE("faults: a simulation that injects none says so", "[testing][faults]")
{
    simulation sim;
    CHECK_THROWS_AS(sim.faults(), std::logic_error);
}

TEST_CASE("faults: several rules at once are asked in order", "[testing][faults]")
{
    quiet_log quiet;
    simulation sim(7, {.faults = true});
    const pid bank = sim.engine().spawn(on(1), helper);
    sim.faults().lose<number>({.share = 0.1});            // one in ten does not arrive
    sim.faults().delay<words>(2s, {.to = bank});          // those for the bank arrive late
    sim.faults().repeat<twice>({.from = 3, .count = 1});  // the third one arrives twice
    sim.faults().crash(bank, 7);                          // the bank crashes at its seventh message
    for (int i = 1; i <= 4; ++i)
        CHECK(sim.ask(bank, twice{i}) == 2 * i);
    sim.send(bank, words{"late"});
    CHECK(sim.ask(bank, twice{5}) == 10);
    sim.advance(2s);
    sim.run_until_idle();
    CHECK(sim.faults().injected() == 3);
    CHECK(sim.engine().figures().live == 0);  // five asks, one of them twice, and the seventh was the words
}
