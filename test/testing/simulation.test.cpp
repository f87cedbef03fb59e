// SPDX-License-Identifier: MIT

#include <costar/testing/simulation.hpp>

#include <costar/core/result.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
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

using trace = std::vector<std::string>;

/// Sends to its neighbours for a while; who runs when is written down.
task<> chats(context& self, int number, std::vector<pid>* all, trace* seen)
{
    for (int i = 0; i < 5; ++i) {
        self.send((*all)[static_cast<std::size_t>(number + i) % all->size()], support::number{number});
        if (auto message = co_await self.receive(std::chrono::milliseconds(number + 1)))
            seen->push_back(
                std::to_string(number) + " from " + std::to_string(message.get<support::number>().value));
        else
            seen->push_back(std::to_string(number) + " nothing");
    }
}

trace trace_of(std::uint64_t seed)
{
    simulation sim(seed);
    std::vector<pid> all;
    trace seen;
    for (int i = 0; i < 8; ++i)
        all.push_back(sim.engine().spawn(on(static_cast<std::uint32_t>(i % 2)), chats, i, &all, &seen));
    sim.advance(1s);
    return seen;
}

task<> sleeps(context& self, std::chrono::nanoseconds pause, std::vector<std::int64_t>* woke)
{
    co_await sleep_for(pause);
    woke->push_back(self.now() / 1ms);
}

task<> asks_in_circle(context& self, const pid* other)
{
    while (auto message = co_await self.receive()) {
        self.spawn_task(
            [](context& self) -> task<> { static_cast<void>(co_await self.receive<number>()); }(self));
        static_cast<void>(co_await self.ask(*other, twice{1}, 24h));
    }
}

task<> spins(context&)
{
    for (;;)
        co_await yield();
}

task<int> adds(int a, int b)
{
    co_await sleep_for(1s);
    co_return a + b;
}

task<> fails()
{
    co_await sleep_for(1s);
    throw std::runtime_error("failed");
}

task<> never()
{
    for (;;)
        co_await sleep_for(24h);
}

}  // namespace

TEST_CASE("simulation: the same seed gives the same order, another seed another one", "[testing][simulation]")
{
    std::set<trace> different;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const trace first = trace_of(seed);
        CHECK(first == trace_of(seed));
        CHECK(first.size() == 40);
        different.insert(first);
    }
    CHECK(different.size() > 15);
}

TEST_CASE("simulation: time stands still unless it is told to pass", "[testing][simulation]")
{
    simulation sim;
    std::vector<std::int64_t> woke;
    for (const auto pause : {30ms, 10ms, 20ms, 10ms})
        sim.engine().spawn(sleeps, pause, &woke);

    sim.run_until_idle();
    CHECK(woke.empty());
    CHECK(sim.now() == 0s);
    sim.advance(25ms);
    CHECK(woke == std::vector<std::int64_t>{1010, 1010, 1020});  // strands count from one second on
    CHECK(sim.now() == 25ms);
    sim.advance(5ms);

    CHECK(woke.back() == 1030);
}

TEST_CASE("simulation: begins on a known date, which moves with virtual time", "[testing][simulation]")
{
    simulation sim;
    CHECK(sim.wall() == manual_clock::first_day);

    sim.advance(25h);
    CHECK(sim.wall() == manual_clock::first_day + 25h);
    sim.set_wall(manual_clock::first_day);

    CHECK(sim.wall() == manual_clock::first_day);
    CHECK(sim.now() == 25h);
}

TEST_CASE("simulation: timers end in their order at their exact times", "[testing][simulation]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<std::int64_t> woke;
    std::vector<std::int64_t> expected;
    for (int i = 0; i < 200; ++i) {
        const std::int64_t pause = (i * 7919) % 100'003;
        sim.engine().spawn(sleeps, std::chrono::milliseconds(pause), &woke);
        expected.push_back(1000 + pause);
    }
    std::sort(expected.begin(), expected.end());

    sim.advance(1h);

    CHECK(woke == expected);
    CHECK(sim.now() == 1h);
}

TEST_CASE("simulation: ask lets as much time pass as the answer needs", "[testing][simulation]")
{
    simulation sim;
    const pid actor = sim.engine().spawn(slow, 3s);

    CHECK(sim.ask(actor, twice{2}) == 4);
    CHECK(sim.now() == 3s);
}

TEST_CASE("simulation: runs a task, and gives its value or what it throws", "[testing][simulation]")
{
    simulation sim;

    CHECK(sim.run(adds(1, 2)) == 3);
    CHECK_THROWS_WITH(sim.run(fails()), "failed");
    CHECK(sim.now() == 2s);
}

TEST_CASE("simulation: a stuck test fails and says who waits for whom", "[testing][simulation]")
{
    simulation sim(42);
    pid ada;
    // A circle, but one that a task beside the body could break, so nothing is concluded.
    const pid bob = sim.engine().spawn("bob", asks_in_circle, &ada);
    ada = sim.engine().spawn("ada", asks_in_circle, &bob);
    sim.send(ada, number{});
    std::string said;

    try {
        static_cast<void>(sim.ask(bob, twice{1}));
    } catch (const stuck& thrown) {
        said = thrown.what();
    }

    CAPTURE(said);
    CHECK(said.find("seed 42") == 0);
    CHECK(said.find(ada.to_string() + " ada") != std::string::npos);
    CHECK(said.find("a reply from bob (" + bob.to_string() + ")") != std::string::npos);
    CHECK(said.find("simulation.test.cpp:") != std::string::npos);
    CHECK(sim.now() < 1min);
}

TEST_CASE("simulation: what was stuck may go on later without harm", "[testing][simulation]")
{
    simulation sim(1, {.patience = 1s});
    const pid actor = sim.engine().spawn(slow, 1h);

    CHECK_THROWS_AS(sim.ask(actor, twice{1}), stuck);
    CHECK_THROWS_AS(sim.run(never()), stuck);
    CHECK_THROWS_AS(sim.stop(sim.engine().spawn([](context& self) -> task<> {
        static_cast<void>(self);
        co_await shield(sleep_for(2h));
    })),
        stuck);
    sim.advance(24h);

    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("simulation: one that does not come to rest is given up", "[testing][simulation]")
{
    simulation sim(1, {.step_limit = 10'000});
    sim.engine().spawn(spins);
    CHECK_THROWS_AS(sim.run_until_idle(), stuck);
    CHECK_THROWS_AS(sim.ask(sim.engine().spawn(slow, 1h), twice{1}), stuck);
}

TEST_CASE("simulation: the seed can be given by the environment", "[testing][simulation]")
{
    ::setenv("COSTAR_SEED", "4711", 1);
    CHECK(simulation(1).seed() == 4711);
    ::setenv("COSTAR_SEED", "many", 1);
    CHECK_THROWS_AS(simulation(1), std::invalid_argument);
    ::unsetenv("COSTAR_SEED");
    CHECK(simulation(1).seed() == 1);
}

TEST_CASE("simulation: a probe expects messages in order, and refuses others", "[testing][simulation]")
{
    simulation sim;
    probe tester = sim.make_probe();
    const pid actor = sim.engine().spawn(helper);

    sim.send(tester.pid(), number{1});
    sim.send(tester.pid(), words{"two"});
    CHECK(tester.expect<number>().value == 1);
    CHECK_FALSE(tester.sender());
    CHECK_THROWS_AS(tester.expect<number>(), unexpected);  // the other one stays
    CHECK(tester.size() == 1);
    CHECK_THROWS_AS(tester.expect_none(), unexpected);
    tester.expect(words{"two"});
    tester.expect_none();
    CHECK_THROWS_AS(tester.expect<number>(), unexpected);
    sim.send(tester.pid(), number{5});
    CHECK_THROWS_AS(tester.expect(number{6}), unexpected);
    static_cast<void>(actor);
}

TEST_CASE("simulation: a probe sends under its name and answers requests", "[testing][simulation]")
{
    simulation sim;
    probe tester = sim.make_probe();
    struct relays {
        static task<> body(context& self, pid to, int* answer)
        {
            auto message = co_await self.receive();
            CHECK(message.sender() == to);
            message.mark_handled();
            *answer = co_await self.ask(to, twice{3}, 1s);
        }
    };
    int answer = 0;
    const pid actor = sim.engine().spawn(on(1), &relays::body, tester.pid(), &answer);

    tester.send(actor, number{1});
    CHECK(tester.expect<twice>().value == 3);
    CHECK(tester.sender() == actor);
    tester.respond(6);
    tester.respond(7);  // answered already
    sim.run_until_idle();

    CHECK(answer == 6);
}

TEST_CASE("simulation: a probe fails when nothing comes, even while others run on", "[testing][simulation]")
{
    simulation sim(1, {.step_limit = 10'000});
    probe tester = sim.make_probe();
    sim.engine().spawn(spins);

    CHECK_THROWS_AS(tester.expect<number>(), unexpected);
}

TEST_CASE("simulation: a probe may outlive it", "[testing][simulation]")
{
    auto sim = std::make_unique<simulation>();
    probe tester = sim->make_probe();
    sim->send(tester.pid(), words{"left"});
    sim->run_until_idle();

    sim.reset();
    CHECK(tester.pid());
}

TEST_CASE("simulation: a probe that was moved from says so", "[testing][simulation]")
{
    simulation sim;
    auto moved = sim.make_probe();
    auto kept = std::move(moved);
    const auto said = Catch::Matchers::StartsWith("seed 1: the probe is empty: it was moved from");

    CHECK_THROWS_WITH(moved.expect<number>(), said);
    CHECK_THROWS_WITH(moved.expect_within<number>(1s), said);
    CHECK_THROWS_WITH(moved.expect_in_any_order<number>(), said);
    CHECK_THROWS_WITH(moved.expect_none(), said);
    CHECK_THROWS_WITH(moved.refuse<number>(), said);
    CHECK_THROWS_WITH(moved.size(), said);
    moved.respond(1);
    kept.expect_none();
}

TEST_CASE("simulation: a probe takes in any order, waits, refuses, and watches", "[testing][simulation]")
{
    simulation sim;
    auto listener = sim.make_probe();
    const pid actor = sim.engine().spawn(on(1), helper);
    listener.watch(actor);
    sim.send(listener.pid(), words{"a"});
    sim.send(listener.pid(), number{1});
    const auto [one, text] = listener.expect_in_any_order<number, words>();
    CHECK(one == number{1});
    CHECK(text == words{"a"});
    CHECK_THROWS_AS((listener.expect_in_any_order<number>()), unexpected);

    sim.engine().spawn(
        on(0),
        [](context& self, pid to) -> task<> {
            co_await sleep_for(5s);
            self.send(to, number{7});
        },
        listener.pid());
    CHECK_THROWS_AS(listener.expect_within<number>(1s), unexpected);
    CHECK(sim.now() == 1s);
    CHECK(listener.expect_within<number>(10s) == number{7});
    CHECK(sim.now() == 5s);
    listener.expect_none(1s);

    sim.send(listener.pid(), number{8});
    listener.refuse<words>();
    CHECK_THROWS_AS(listener.refuse<number>(), unexpected);
    CHECK(listener.expect<number>() == number{8});
    sim.stop(actor);
    CHECK(listener.expect<terminated>().who == actor);
}

TEST_CASE("simulation: runs tasks with values of any kind", "[testing][simulation]")
{
    struct unmade {
        explicit unmade(int value) : value(value) {}
        unmade(unmade&&) = default;
        unmade& operator=(unmade&&) = delete;
        const int value;
    };
    static int place = 0;
    simulation sim;

    CHECK(sim.run([]() -> task<unmade> { co_return unmade(7); }()).value == 7);
    CHECK(&sim.run([]() -> task<int&> { co_return place; }()) == &place);
    CHECK(*sim.run([]() -> task<std::optional<int>> { co_return 3; }()) == 3);
    CHECK(*sim.run([]() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); }()) == 4);
    CHECK_THROWS_WITH(sim.run([]() -> task<unmade> {
        co_await sleep_for(1s);
        throw std::runtime_error("unmade");
    }()),
        "unmade");
}

TEST_CASE("simulation: a probe lets go of what it is sent", "[testing][simulation]")
{
    int ticks = 0;
    simulation sim(GENERATE(1U, 2U, 3U));
    probe tester = sim.make_probe();
    sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to) -> task<> {
            [[maybe_unused]] const auto ticker =
                self.send_every(1s, to, number{1}, {.overlap = overlap::skip});
            while (co_await self.receive()) {}
        },
        tester.pid());

    for (int i = 0; i < 10; ++i) {
        sim.advance(1s);
        while (tester.size() != 0) {
            tester.expect(number{1});
            ++ticks;
        }
    }

    CHECK(ticks == 10);
}

TEST_CASE("simulation: a request that a probe does not answer is let go of", "[testing][simulation]")
{
    std::optional<error_code> ended;
    int answer = 0;
    const auto notes = [&](error_code code, int value) {
        ended = code;
        answer = value;
    };
    auto sim = std::make_unique<simulation>(GENERATE(1U, 2U, 3U));
    std::optional<probe> tester = sim->make_probe();
    const pid to = tester->pid();
    sim->engine().ask(to, twice{3}, 1h, notes);
    sim->run_until_idle();
    const int way = GENERATE(0, 1, 2);
    if (way == 0)
        CHECK(tester->expect<twice>().value == 3);
    else if (way == 1)
        CHECK(std::get<0>(tester->expect_in_any_order<twice>()).value == 3);
    else
        CHECK(tester->expect_within<twice>(1s).value == 3);
    sim->run_until_idle();
    CHECK(!ended);  // the test may still answer it

    SECTION("with the next message")
    {
        sim->send(to, number{1});
        sim->run_until_idle();
        CHECK(!ended);
        tester->expect(number{1});
        sim->run_until_idle();
        CHECK(ended == errc::unanswered);
        tester->respond(6);  // to nobody
        sim->run_until_idle();
        CHECK(ended == errc::unanswered);
    }
    SECTION("with the next request, which is another one")
    {
        sim->engine().ask(to, greet{"you"}, 1h, [](error_code, const std::string&) {});
        CHECK(tester->expect<greet>().who == "you");
        sim->run_until_idle();
        CHECK(ended == errc::unanswered);
    }
    SECTION("with the probe")
    {
        tester.reset();
        sim->run_until_idle();
        CHECK(ended == errc::unanswered);
    }
    SECTION("but not when it was answered")
    {
        tester->respond(6);
        sim->send(to, number{1});
        tester->expect(number{1});
        sim->run_until_idle();
        CHECK(ended == error_code());
        CHECK(answer == 6);
    }
    SECTION("and not after the simulation")
    {
        sim.reset();
        tester.reset();
        CHECK(!ended);
        return;
    }
    CHECK(sim->now() == 0s);
    CHECK(sim->engine().figures().late_replies == 0);
    CHECK(sim->engine().figures().dead_letters == 0);
}
