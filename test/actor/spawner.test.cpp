// SPDX-License-Identifier: MIT

#include <costar/actor/spawner.hpp>

#include <costar/core/result.hpp>
#include <costar/testing/simulation.hpp>

#include <memory>
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

task<> adds(context& self, int base, std::string name, std::unique_ptr<int> more)
{
    while (auto message = co_await self.receive())
        message.match([&](twice& m) { return base + *more + 2 * m.value; },
            [&](greet&) { return name + " of " + self.name(); });
}

task<> strand_of(context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](twice&) { return static_cast<int>(self.pid().strand()); });
}

/// A class with each kind of constructor argument.
struct account {
    account(std::string owner, int balance) : owner(std::move(owner)), balance(balance) {}
    int operator()(twice& m) { return balance += m.value; }
    std::string operator()(const greet&) { return owner; }
    std::string owner;
    int balance;
};

struct plain {
    int operator()(twice m) { return 2 * m.value; }
};

/// Throws when it is copied or moved for the n-th time.
struct fragile {
    explicit fragile(int lives) : lives(lives) {}
    fragile(const fragile& other) : lives(other.lives) { use(); }
    fragile(fragile&& other) : lives(other.lives) { use(); }
    void use()
    {
        if (--lives == 0)
            throw std::runtime_error("used up");
    }
    int lives;
};

task<> takes_fragile(context& self, fragile)
{
    while (auto message = co_await self.receive())
        message.match(
            [](twice& m) { return 2 * m.value; }, [](crash&) { throw std::runtime_error("told to"); });
}

struct fails_to_construct {
    explicit fails_to_construct(int) { throw std::runtime_error("no construction"); }
    int operator()(twice m) { return 2 * m.value; }
};

/// Spawns on a strand and says what came of it.
struct spawn_on {
    using reply = pid;
    std::uint32_t strand;
    placement where;
};
struct spawn_named {
    using reply = bool;
};

task<> founder(context& self)
{
    while (auto message = co_await self.receive()) {
        message.match(
            [&](spawn_on& m) { return self.spawn({.placement = m.where, .strand = m.strand}, strand_of); },
            [&](spawn_named&) {
                try {
                    self.spawn("heir", on(1), helper);
                    return true;
                } catch (const name_in_use& thrown) {
                    return false;
                }
            });
    }
}

}  // namespace

TEST_CASE("spawner: a function gets its arguments as values", "[actor][spawner]")
{
    simulation sim;
    const auto strand = GENERATE(0U, 1U);

    const pid actor = sim.engine().spawn("adder", on(strand), adds, 1, "Ada", std::make_unique<int>(10));

    CHECK(actor.strand() == strand);
    CHECK(sim.ask(actor, twice{2}) == 15);
    CHECK(sim.ask(actor, greet{}) == "Ada of adder");
}

TEST_CASE("spawner: a lambda without captures is a body", "[actor][spawner]")
{
    simulation sim;

    const pid actor = sim.engine().spawn(
        [](context& self, int more) -> task<> {
            while (auto message = co_await self.receive())
                message.match([&](twice& m) { return 2 * m.value + more; });
        },
        3);

    CHECK(sim.ask(actor, twice{2}) == 7);
}

TEST_CASE("spawner: a class is constructed from its arguments", "[actor][spawner]")
{
    simulation sim;

    const address<account> named = sim.engine().spawn<account>("acc", {}, "Ada", 5);
    const address<account> unnamed = sim.engine().spawn<account>(on(1), std::string("Bob"), 7);
    const address<plain> simple = sim.engine().spawn<plain>();
    const address<plain> with_name = sim.engine().spawn<plain>("plain");

    CHECK(sim.ask(named, twice{1}) == 6);
    CHECK(sim.ask(named, greet{}) == "Ada");
    CHECK(sim.ask(unnamed, twice{1}) == 8);
    CHECK(sim.ask(simple, twice{4}) == 8);
    CHECK(sim.engine().find("plain") == with_name.plain());
}

TEST_CASE("spawner: a used name is refused, and says whose it is", "[actor][spawner]")
{
    simulation sim;
    event_record events(sim.engine());
    const auto strand = GENERATE(0U, 1U);
    const pid first = sim.engine().spawn("ada", on(0), helper);
    std::optional<pid> holder;

    try {
        sim.engine().spawn("ada", on(strand), helper);
    } catch (const name_in_use& thrown) {
        CHECK(thrown.code() == errc::name_in_use);
        holder = thrown.holder();
    }
    CHECK_THROWS_AS(sim.engine().spawn<plain>("ada"), name_in_use);

    CHECK(holder == first);
    CHECK(sim.ask(first, twice{1}) == 2);
    CHECK(sim.engine().find("ada") == first);
    CHECK(sim.engine().figures().spawned == 1);
    CHECK(events.duplicates.size() == 2);
    CHECK(events.duplicates[0].holder == first);
    sim.stop(first);
    CHECK(sim.ask(sim.engine().spawn("ada", on(strand), helper), twice{1}) == 2);
}

TEST_CASE("spawner: who finds a name finds an actor that takes messages", "[actor][spawner]")
{
    // The name is known before the actor is born on its strand; what is sent meanwhile must not be lost.
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        simulation sim(seed);
        std::vector<int> seen;
        sim.engine().spawn("late", on(1), recorder, &seen);

        sim.send(*sim.engine().find("late"), number{1});
        sim.run_until_idle();

        CHECK(seen == std::vector{1});
    }
}

TEST_CASE("spawner: a name can be refused to a child on another strand without harm", "[actor][spawner]")
{
    simulation sim;
    const pid parent = sim.engine().spawn(on(0), founder);

    CHECK(sim.ask(parent, spawn_named{}));
    CHECK_FALSE(sim.ask(parent, spawn_named{}));
    sim.stop(parent);

    CHECK(sim.engine().figures().live == 0);
    CHECK_FALSE(sim.engine().find("heir"));
}

TEST_CASE("spawner: places actors as told", "[actor][spawner]")
{
    simulation sim(1, {.strands = 3});

    SECTION("from outside, on the strands in turn")
    {
        std::vector<int> met(3);
        for (int i = 0; i < 9; ++i)
            ++met[sim.engine().spawn(helper).strand()];
        CHECK(met == std::vector<int>{3, 3, 3});
    }
    SECTION("from an actor, beside it, spread or chosen")
    {
        const pid parent = sim.engine().spawn(on(1), founder);
        CHECK(sim.ask(parent, spawn_on{0, placement::beside}).strand() == 1);
        CHECK(sim.ask(parent, spawn_on{2, placement::chosen}).strand() == 2);
        std::vector<int> met(3);
        for (int i = 0; i < 6; ++i)
            ++met[sim.ask(parent, spawn_on{0, placement::spread}).strand()];
        CHECK(met == std::vector<int>{2, 2, 2});
    }
    SECTION("from a handler of a strand, beside it")
    {
        pid born;
        asio::post(sim.engine().get_executor(2), [&] { born = sim.engine().spawn(strand_of); });
        sim.run_until_idle();
        CHECK(born.strand() == 2);
        CHECK(sim.ask(born, twice{}) == 2);
    }
    SECTION("not where there is no strand")
    {
        CHECK_THROWS_AS(sim.engine().spawn(on(3), helper), std::invalid_argument);
        CHECK_THROWS_AS(sim.engine().spawn<plain>(on(99)), std::invalid_argument);
        CHECK(sim.engine().figures().spawned == 0);
    }
}

TEST_CASE("spawner: a restart needs arguments that can be copied", "[actor][spawner]")
{
    simulation sim;
    spawn_options options;
    options.restart = {.limit = 1};
    options.name = "adder";

    CHECK_THROWS_AS(
        sim.engine().spawn(options, adds, 1, "Ada", std::make_unique<int>(10)), std::invalid_argument);

    CHECK_FALSE(sim.engine().find("adder"));
    CHECK(sim.engine().figures().spawned == 0);
}

TEST_CASE("spawner: nothing is spawned once a shutdown has begun", "[actor][spawner]")
{
    simulation sim;
    sim.engine().async_shutdown(1s, [](error_code, const shutdown_report&) {});

    CHECK_THROWS_MATCHES(sim.engine().spawn("late", helper), error,
        Catch::Matchers::Message(error(errc::engine_stopped).what()));
    CHECK_THROWS_AS(sim.engine().spawn<plain>(), error);
    sim.run_until_idle();

    CHECK_FALSE(sim.engine().find("late"));
}

TEST_CASE("spawner: an actor under way when the shutdown begins is born and stopped", "[actor][spawner]")
{
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        simulation sim(seed);
        event_record events(sim.engine());
        bool done = false;
        sim.engine().spawn(on(1), helper);
        sim.engine().async_shutdown(1s, [&](error_code code, const shutdown_report&) { done = !code; });
        sim.run_until_idle();

        CHECK(done);
        CHECK(events.started.size() == 1);
        CHECK(events.stopped.size() == 1);
    }
}

TEST_CASE("spawner: arguments may throw at every copy and move", "[actor][spawner]")
{
    // On the strand itself the exception reaches the spawner and there is no actor; on another strand it may
    // also come up there, then the actor has failed. Whatever happens, nothing is left.
    quiet_log quiet;
    const auto lives = GENERATE(range(1, 14));
    const auto restartable = GENERATE(false, true);
    const auto inside = GENERATE(false, true);
    CAPTURE(lives, restartable, inside);
    simulation sim;
    event_record events(sim.engine());
    spawn_options options = on(0);
    options.name = "fragile";
    if (restartable)
        options.restart = {.limit = 2};
    pid born;
    bool thrown = false;
    const auto spawn = [&] {
        const fragile argument(lives);
        try {
            born = sim.engine().spawn(options, takes_fragile, argument);
        } catch (const std::runtime_error&) {
            thrown = true;
        }
    };

    if (inside)
        asio::post(sim.engine().get_executor(0), spawn);
    else
        spawn();
    sim.run_until_idle();

    if (thrown) {
        CHECK_FALSE(born);
        CHECK(events.started.empty());
        CHECK(events.stopped.empty());
        CHECK(sim.engine().figures().spawned == 0);
    } else if (sim.engine().figures().live == 1) {
        CHECK(sim.ask(born, twice{1}) == 2);
        sim.send(born, crash{});  // begins again with copies, which may throw as well
        sim.run_until_idle();
        if (sim.engine().figures().live == 1)
            sim.stop(born);
        CHECK(events.ends_of(born) == 1);
    } else {
        CHECK_FALSE(inside);
        CHECK(events.ends_of(born) == 1);
        CHECK(events.stopped[0].reason == errc::actor_failed);
    }
    CHECK(sim.engine().figures().live == 0);
    CHECK_FALSE(sim.engine().find("fragile"));
}

TEST_CASE("spawner: a constructor that throws is a crash of the actor", "[actor][spawner]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const auto limit = GENERATE(0U, 3U);
    spawn_options options = on(GENERATE(0U, 1U));
    options.restart = {.limit = limit};

    const auto actor = sim.engine().spawn<fails_to_construct>(options, 1);
    sim.run_until_idle();

    CHECK(events.ends_of(actor) == 1);
    CHECK(events.stopped[0].reason == errc::actor_failed);
    CHECK(events.restarted.size() == limit);
    CHECK(events.limits.size() == (limit == 0 ? 0 : 1));
}

TEST_CASE("spawner: a body may return at once", "[actor][spawner]")
{
    simulation sim;
    event_record events(sim.engine());
    struct returns {
        static task<> body(context&) { co_return; }
    };

    const pid actor = sim.engine().spawn("brief", on(GENERATE(0U, 1U)), &returns::body);
    sim.run_until_idle();

    CHECK(events.ends_of(actor) == 1);
    CHECK(events.started.size() == 1);
    CHECK_FALSE(sim.engine().find("brief"));
}

TEST_CASE("spawner: empty braces are options, for functions as for classes", "[actor][spawner]")
{
    struct sums {
        int total = 0;
        explicit sums(int first) : total(first) {}
        int operator()(twice m) { return total += m.value; }
        static task<> body(context& self, int first)
        {
            while (auto message = co_await self.receive())
                message.match([&](twice m) { return first + m.value; });
        }
    };
    simulation sim;
    const pid function = sim.engine().spawn({}, &sums::body, 3);
    const auto object = sim.engine().spawn<sums>({}, 3);
    const std::string name = "named";
    const pid named = sim.engine().spawn(name, &sums::body, 3);
    const pid both = sim.engine().spawn(std::string_view("both"), {}, &sums::body, 3);

    CHECK(sim.ask(function, twice{4}) == 7);
    CHECK(sim.ask(object, twice{4}) == 7);
    CHECK(sim.ask(named, twice{4}) == 7);
    CHECK(sim.engine().find("both") == both);
}
