// SPDX-License-Identifier: MIT

#include <costar/kernel/supervision.hpp>

#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/error.hpp>

#include <memory>
#include <new>
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

struct mishap : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Tells its receiver what to throw.
struct fault {
    enum kind {
        plain,
        out_of_memory,
        unknown
    } what = plain;
};

void throw_fault(const fault& m)
{
    switch (m.what) {
    case fault::plain:
        throw mishap("mishap");
    case fault::out_of_memory:
        throw std::bad_alloc();
    case fault::unknown:
        throw 1;
    }
}

/// Counts what it has handled, and fails when it is told to.
struct tally {
    int count = 0;
    void operator()(number m) { count += m.value; }
    int operator()(twice) { return count; }
    void operator()(fault m) { throw_fault(m); }
    int operator()(crash_asked) { throw mishap("asked to"); }
};

/// As above, with handlers that await.
struct slow_tally {
    int count = 0;
    task<> operator()(context&, number m)
    {
        co_await sleep_for(1ms);
        count += m.value;
    }
    int operator()(twice) { return count; }
    task<> operator()(context&, fault m)
    {
        co_await sleep_for(1ms);
        throw_fault(m);
    }
};

spawn_options decided(decider decide, restart_policy restart = {})
{
    spawn_options options = on(0);
    options.decide = std::move(decide);
    options.restart = restart;
    return options;
}

/// Notes each beginning.
task<> beginner(context& self, int id, std::vector<int>* begun)
{
    begun->push_back(id);
    while (auto message = co_await self.receive())
        message.match([](fault& m) { throw_fault(m); }, [](number&) {});
}

/// Supervises three beginners, on two strands.
task<> head(context& self, supervisor rules, std::vector<int>* begun, std::vector<pid>* children)
{
    self.supervise(rules);
    children->clear();
    begun->push_back(0);
    for (int i = 1; i <= 3; ++i)
        children->push_back(self.spawn(on(i == 2 ? 1 : 0), beginner, i, begun));
    while (auto message = co_await self.receive())
        message.match([](fault& m) { throw_fault(m); });
}

std::vector<int> sorted(std::vector<int> all)
{
    std::sort(all.begin(), all.end());
    return all;
}

/// Empties what it takes by value, and fails.
struct empties {
    std::vector<std::string>* seen;
    void operator()(words m)
    {
        seen->push_back(std::move(m.text));
        throw mishap("bad");
    }
    task<> operator()(context&, greet m)
    {
        seen->push_back(std::move(m.who));
        co_await sleep_for(1ms);
        throw mishap("bad");
    }
    using messages = message_list<words, greet, std::unique_ptr<int>>;
    void operator()(std::unique_ptr<int> m)
    {
        seen->push_back(m ? "whole" : "empty");
        throw mishap("bad");
    }
};

/// Takes all numbers that wait, in one batch or one by one, and fails with them in hand.
task<> fails_with_many(context& self, bool in_a_batch, std::vector<std::vector<int>>* lives)
{
    if (self.restart_count() == 0)
        co_await sleep_for(1ms);  // until they have come
    if (lives->size() == 20)
        co_return;  // that is enough
    if (in_a_batch) {
        auto batch = co_await self.receive_batch(10);
        if (batch.empty())
            co_return;
        auto& seen = lives->emplace_back();
        for (auto& each : batch)
            seen.push_back(each.get<number>().value);
        throw mishap("bad");
    }
    auto first = co_await self.receive();
    if (!first)
        co_return;
    auto second = self.try_receive();
    auto third = self.try_receive();
    auto fourth = self.try_receive();
    auto& seen = lives->emplace_back();
    for (message* each : {&first, &second, &third, &fourth})
        if (*each)
            seen.push_back(each->get<number>().value);
    throw mishap("bad");
}

/// Keeps the requests that it is sent, and fails with each number.
task<> keeps_requests(context& self, int* asked, int* failed)
{
    std::vector<message> kept;
    while (auto received = co_await self.receive()) {
        if (received.is<twice>()) {
            received.mark_handled();
            kept.push_back(std::move(received));
            ++*asked;
        } else {
            received.match([&](number&) {
                if (++*failed < 50)
                    throw mishap("bad");
            });
        }
    }
}

/// Fails with a number, a request and words in hand; it has looked at the first two.
task<> fails_with_three(context& self, int* lives)
{
    ++*lives;
    std::vector<message> held;
    while (held.size() < 3) {
        auto received = co_await self.receive();
        if (!received)
            co_return;
        if (!received.is<words>())
            received.mark_handled();
        held.push_back(std::move(received));
    }
    throw mishap("bad");
}

/// How a message is let go of while an exception is under way that the actor survives.
enum class survived {
    race,
    caught,
    last
};

/// Survives the exceptions that its requests meet with, and then goes on or ends.
task<> survives(context& self, survived how, bool goes_on, int* seen)
{
    struct branch {
        static task<> holds(message given)
        {
            message request = std::move(given);
            request.mark_handled();
            co_await sleep_for(1h);
        }
    };
    while (auto received = co_await self.receive()) {
        if (received.match([](crash&) { throw mishap("bad"); }))
            continue;
        ++*seen;
        if (how == survived::race) {
            co_await when_any(branch::holds(std::move(received)), sleep_for(1s));
        } else {
            try {
                message request = std::move(received);
                request.mark_handled();
                throw mishap("caught");
            } catch (const mishap&) {}
        }
        if (!goes_on)
            co_return;
    }
}

}  // namespace

TEST_CASE("supervision: a decider goes by the type of the exception", "[kernel][supervision]")
{
    const decider decide = costar::on<mishap>(directive::stop)
                               .on<std::exception>(directive::escalate)
                               .otherwise(directive::resume);
    const auto decision = [&](auto thrown) { return decide(std::make_exception_ptr(thrown)); };
    CHECK(decision(mishap("")) == directive::stop);
    CHECK(decision(std::bad_alloc()) == directive::escalate);
    CHECK(decision(1) == directive::resume);
    CHECK(decider(costar::on<mishap>(directive::stop))(std::make_exception_ptr(1)) == directive::restart);
    CHECK(!decider());
    CHECK(decide);

    const decider function = [](const std::exception_ptr&) { return directive::escalate; };
    CHECK(function(std::make_exception_ptr(1)) == directive::escalate);

    quiet_log quiet;
    const decider throws = [](const std::exception_ptr&) -> directive { throw 1; };
    CHECK(throws(std::make_exception_ptr(1)) == directive::stop);
}

TEST_CASE("supervision: a class goes on with the state it has", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    std::vector<supervision_decision> decisions;
    const auto kept = sim.engine().events().subscribe<supervision_decision>(
        [&](const supervision_decision& event) { decisions.push_back(event); });
    const auto plain = sim.engine().spawn<tally>(decided(costar::on<mishap>(directive::resume)));
    const auto awaiting = sim.engine().spawn<slow_tally>(decided(costar::on<mishap>(directive::resume)));

    sim.send(plain, number{3});
    sim.send(plain, fault{});
    sim.send(plain, number{4});
    CHECK(sim.ask(plain, twice{}) == 7);
    CHECK_THROWS_AS(sim.ask(plain, crash_asked{}), error);
    CHECK(sim.ask(plain, twice{}) == 7);

    sim.send(awaiting, number{3});
    sim.send(awaiting, fault{});
    sim.send(awaiting, number{4});
    CHECK(sim.ask(awaiting, twice{}) == 7);

    CHECK(events.restarted.empty());
    CHECK(decisions.size() == 3);
    CHECK(decisions[0].decided == directive::resume);
    CHECK(decisions[0].reason == "mishap");

    sim.send(plain, fault{fault::unknown});  // no rule: begun anew
    CHECK(sim.ask(plain, twice{}) == 0);
    CHECK(events.restarted.size() == 1);
}

TEST_CASE("supervision: where nothing can go on, resume is a restart", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<int> begun;
    const pid actor =
        sim.engine().spawn(decided(costar::on<mishap>(directive::resume).on<std::bad_alloc>(directive::stop)),
            beginner, 1, &begun);
    sim.send(actor, fault{});
    sim.send(actor, number{});
    sim.run_until_idle();
    CHECK(begun == std::vector{1, 1});

    sim.send(actor, fault{fault::out_of_memory});
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("supervision: whoever says nothing ends with the first crash", "[kernel][supervision]")
{
    struct child {
        static task<> body(context& self, int* begun)
        {
            ++*begun;
            if (co_await self.receive())
                throw mishap("bad");
        }
        static task<> parent(context& self, spawn_options options, int* begun, pid* born)
        {
            *born = self.spawn(std::move(options), body, begun);
            while (co_await self.receive()) {}
        }
    };
    quiet_log quiet;
    int begun = 0;
    pid born;
    simulation sim;
    const auto crashes_of = [&](spawn_options options) {
        sim.engine().spawn(&child::parent, std::move(options), &begun, &born);
        sim.run_until_idle();
        for (int i = 0; i < 20; ++i) {
            sim.send(born, fault{});
            sim.run_until_idle();
        }
        return std::exchange(begun, 0);
    };
    CHECK(crashes_of({}) == 1);
    CHECK(crashes_of({.restart = {.delay = std::chrono::seconds(1)}}) == 1);
    CHECK(crashes_of({.decide = costar::on<mishap>(directive::stop)}) == 1);
    CHECK(crashes_of({.decide = decider().otherwise(directive::restart)}) == 11);
}

TEST_CASE("supervision: an exception that has no text is a crash like any other", "[kernel][supervision]")
{
    struct silent final : std::exception {
        const char* what() const noexcept override { return nullptr; }
    };
    quiet_log quiet;
    simulation sim;
    sim.engine().spawn([](context&) -> task<> {
        throw silent();
        co_return;
    });

    sim.run_until_idle();

    CHECK(sim.engine().figures().spawned == 1);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("supervision: an error of Boost.System is told without the place where it was set",
    "[kernel][supervision]")
{
    struct body {
        static task<> reads(context& self)
        {
            co_await self.receive();
            constexpr boost::source_location here = BOOST_CURRENT_LOCATION;
            boost::system::error_code code;
            code.assign(boost::asio::error::eof, &here);
            throw boost::system::system_error(code, "read_some");
        }
    };
    kept_log log;
    simulation sim;
    const pid actor = sim.engine().spawn("reader", body::reads);
    sim.send(actor, number{});
    sim.run_until_idle();

    REQUIRE(log.lines.size() == 1);
    CHECK(log.lines[0] == "actor reader crashed: read_some: End of file [asio.misc:2]");
}

TEST_CASE("supervision: without limit means without limit", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<int> begun;
    const pid actor = sim.engine().spawn(decided({}, {.limit = restart_policy::always}), beginner, 1, &begun);
    for (int i = 0; i < 1000; ++i)
        sim.send(actor, fault{});
    sim.run_until_idle();
    CHECK(begun.size() == 1001);
}

TEST_CASE("supervision: one for one begins the failed child anew", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<int> begun;
    std::vector<pid> children;
    sim.engine().spawn(on(0), head, one_for_one(), &begun, &children);
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{0, 1, 2, 3});

    sim.send(children[1], fault{});
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{0, 1, 2, 2, 3});
}

TEST_CASE("supervision: all for one begins all children anew", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<int> begun;
    std::vector<pid> children;
    sim.engine().spawn(on(0), head, all_for_one(), &begun, &children);
    sim.run_until_idle();

    sim.send(children[GENERATE(0U, 1U, 2U)], fault{});
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{0, 1, 1, 2, 2, 3, 3});
    CHECK(sim.engine().figures().live == 4);
}

TEST_CASE("supervision: rest for one begins those anew that came later", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<int> begun;
    std::vector<pid> children;
    sim.engine().spawn(on(0), head, rest_for_one(), &begun, &children);
    sim.run_until_idle();

    sim.send(children[1], fault{});
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{0, 1, 2, 2, 3, 3});
    sim.send(children[2], fault{});
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{0, 1, 2, 2, 3, 3, 3});
}

TEST_CASE("supervision: all for one stops all where that is decided", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<int> begun;
    std::vector<pid> children;
    sim.engine().spawn(
        on(0), head, all_for_one({.limit = 3}, costar::on<mishap>(directive::stop)), &begun, &children);
    sim.run_until_idle();
    sim.send(children[2], fault{});
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("supervision: the limit is each child's own", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> begun;
    std::vector<pid> children;
    sim.engine().spawn(on(0), head, one_for_one({.limit = 2}), &begun, &children);
    sim.run_until_idle();
    for (int i = 0; i < 2; ++i)
        for (const pid child : children)
            sim.send(child, fault{});
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 4);
    CHECK(events.limits.empty());

    sim.send(children[0], fault{});
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 3);
    CHECK(events.limits.size() == 1);
}

TEST_CASE("supervision: what is escalated crashes the parent", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    std::vector<int> begun;
    std::vector<pid> children;
    spawn_options options = on(0);
    options.restart.limit = 1;
    const pid parent = sim.engine().spawn(options, head,
        one_for_one({.limit = 3}, costar::on<std::bad_alloc>(directive::escalate)), &begun, &children);
    sim.run_until_idle();

    sim.send(children[GENERATE(0U, 1U)], fault{fault::out_of_memory});
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{0, 0, 1, 1, 2, 2, 3, 3});
    CHECK(events.restarted.size() == 1);
    CHECK(events.restarted[0].who == parent);
    CHECK(events.restarted[0].reason == std::bad_alloc().what());

    sim.send(children[0], fault{fault::out_of_memory});
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 0);
    CHECK(events.ends_of(parent) == 1);
}

TEST_CASE("supervision: what is escalated to the root ends there", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> begun;
    const pid actor =
        sim.engine().spawn(decided(costar::on<mishap>(directive::escalate)), beginner, 1, &begun);
    sim.send(actor, fault{});
    sim.run_until_idle();
    CHECK(events.ends_of(actor) == 1);
    CHECK(begun.size() == 1);
}

TEST_CASE("supervision: a guardian looks after actors without parent", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(1, {.engine = {.guardian = one_for_one({.limit = 1}), .dead_letter_lines = 0}});
    std::vector<int> begun;
    const pid actor = sim.engine().spawn(on(0), beginner, 1, &begun);
    const pid own = sim.engine().spawn(decided({}, {.limit = 3}), beginner, 2, &begun);
    for (const pid each : {actor, own})
        for (int i = 0; i < 3; ++i)
            sim.send(each, fault{});
    sim.run_until_idle();
    CHECK(sorted(begun) == std::vector{1, 1, 2, 2, 2, 2});
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE(
    "supervision: pauses double up to the longest, and begin again after health", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<std::chrono::nanoseconds> begun;
    const pid actor = sim.engine().spawn(
        decided(
            {}, {.limit = restart_policy::always, .delay = 1s, .longest_delay = 4s, .healthy_after = 1min}),
        [](context& self, simulation* sim, std::vector<std::chrono::nanoseconds>* begun) -> task<> {
            begun->push_back(sim->now());
            while (auto message = co_await self.receive())
                message.match([](fault& m) { throw_fault(m); });
        },
        &sim, &begun);
    sim.run_until_idle();
    for (int i = 0; i < 4; ++i) {
        sim.send(actor, fault{});
        sim.advance(10s);
    }
    sim.advance(1min);
    sim.send(actor, fault{});
    sim.advance(10s);

    CHECK(begun == std::vector<std::chrono::nanoseconds>{0s, 1s, 12s, 24s, 34s, 101s});
}

TEST_CASE("supervision: a part of the pause is left to chance", "[kernel][supervision]")
{
    quiet_log quiet;
    std::vector<std::chrono::nanoseconds> pauses;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        simulation sim(seed);
        std::vector<int> begun;
        const pid actor =
            sim.engine().spawn(decided({}, {.limit = 1, .delay = 10s, .jitter = 0.5}), beginner, 1, &begun);
        sim.send(actor, fault{});
        sim.run_until_idle();
        while (begun.size() < 2)
            sim.advance(100ms);
        pauses.push_back(sim.now());
    }
    CHECK(*std::min_element(pauses.begin(), pauses.end()) >= 5s);
    CHECK(*std::max_element(pauses.begin(), pauses.end()) <= 10s + 100ms);
    CHECK(std::adjacent_find(pauses.begin(), pauses.end(), std::not_equal_to<>()) != pauses.end());
}

TEST_CASE("supervision: children can live on through a restart", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    std::vector<pid> children;
    const bool tasks = GENERATE(true, false);
    const pid parent = sim.engine().spawn(
        decided({}, {.limit = 1, .keep_children = true}),
        [](context& self, bool tasks, std::vector<pid>* children) -> task<> {
            if (self.restart_count() == 0) {
                self.spawn(on(0), helper);
                self.spawn(on(1), helper);
            }
            if (tasks)
                self.spawn_task([](context&) -> task<> { co_await sleep_for(1h); }(self));
            *children = self.children();
            while (auto message = co_await self.receive())
                message.match([](fault& m) { throw_fault(m); });
        },
        tasks, &children);
    sim.run_until_idle();
    const auto before = children;
    CHECK(before.size() == 2);

    sim.send(parent, fault{});
    sim.run_until_idle();
    CHECK(events.restarted.size() == 1);
    CHECK(children == before);
    CHECK(sim.ask(before[0], twice{2}) == 4);
    CHECK(sim.ask(before[1], twice{2}) == 4);

    sim.send(parent, fault{});
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 0);
    CHECK(events.end_of(before[0]) < events.end_of(parent));
}

TEST_CASE("supervision: an actor can be begun anew by hand", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    std::vector<int> begun;
    const pid actor = sim.engine().spawn(decided({}, {.limit = 1}), beginner, 1, &begun);
    const pid mortal = sim.engine().spawn(on(1), beginner, 2, &begun);
    sim.run_until_idle();

    for (int i = 0; i < 3; ++i) {  // not counted
        sim.engine().restart(actor);
        sim.run_until_idle();
    }
    CHECK(sorted(begun) == std::vector{1, 1, 1, 1, 2});
    sim.engine().restart(mortal);
    sim.run_until_idle();
    CHECK(events.ends_of(mortal) == 1);
    CHECK(events.ends_of(actor) == 0);

    sim.engine().restart(actor);
    sim.engine().stop(actor);  // a stop wins
    sim.run_until_idle();
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("supervision: the failing message is given again", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    std::vector<std::string> seen;
    spawn_options options = decided({}, {.limit = 10});
    options.failing = {.redeliveries = 2, .becomes_dead_letter = true};
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, std::vector<std::string>* seen) -> task<> {
            while (auto message = co_await self.receive())
                message.match(
                    [&](words& m) {
                        seen->push_back(m.text);
                        if (m.text == "bad" || (m.text == "once" && self.restart_count() == 3))
                            throw mishap("bad");
                    },
                    [&](greet& m) {
                        seen->push_back(m.who);
                        if (self.restart_count() == 4)
                            throw mishap("bad");
                        return m.who;
                    });
        },
        &seen);
    for (const char* text : {"good", "bad", "next", "once", "last"})
        sim.send(actor, words{text});
    sim.run_until_idle();
    CHECK(seen == std::vector<std::string>{"good", "bad", "bad", "bad", "next", "once", "once", "last"});
    CHECK(events.dead_of(actor, errc::actor_failed) == 1);
    CHECK(sim.ask(actor, greet{"you"}) == "you");  // the asker does not see that it failed once
}

TEST_CASE("supervision: a message that was moved from is not given again", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<std::string> seen;
    spawn_options options = decided({}, {.limit = 10});
    options.failing = {.redeliveries = 2};
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, std::vector<std::string>* seen) -> task<> {
            while (auto message = co_await self.receive())
                message.match(
                    [&](std::unique_ptr<int>) {
                        seen->push_back("pointer");
                        throw mishap("bad");
                    },
                    [&](words m) {
                        seen->push_back(std::move(m.text));
                        throw mishap("bad");
                    },
                    [&](number) {
                        seen->push_back("number");
                        throw mishap("bad");
                    });
        },
        &seen);
    sim.send(actor, std::make_unique<int>(7));
    sim.run_until_idle();
    CHECK(seen == std::vector<std::string>{"pointer"});
    CHECK(events.dead.empty());

    seen.clear();
    const std::string text = "copied, because the handler takes it by value";
    sim.send(actor, words{text});
    sim.send(actor, number{});
    sim.run_until_idle();
    CHECK(seen == std::vector<std::string>{text, text, text, "number", "number", "number"});
}

TEST_CASE("supervision: a class that goes on gets the failing message again", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    struct stumbles {
        int tries = 0;
        int operator()(const twice& m)
        {
            if (++tries < 3)
                throw mishap("not yet");
            return m.value;
        }
    };
    spawn_options options = decided(costar::on<mishap>(directive::resume));
    options.failing.redeliveries = 5;
    const auto actor = sim.engine().spawn<stumbles>(options);
    CHECK(sim.ask(actor, twice{4}) == 4);
}

TEST_CASE("supervision: a restart is written to the log", "[kernel][supervision]")
{
    kept_log kept;
    simulation sim;
    spawn_options options = on(0);
    options.name = "ada";
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn(options, helper);
    sim.send(actor, crash{});
    sim.send(actor, crash{});
    sim.run_until_idle();

    CHECK(kept.lines ==
        std::vector<std::string>{
            "actor ada crashed: told to; it is begun anew", "actor ada crashed: told to"});
    CHECK(kept.levels == std::vector(2, log_level::error));
}

TEST_CASE("supervision: a stop during the pause takes the children along that were to be kept",
    "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid actor = sim.engine().spawn(
        decided({}, {.limit = 1, .delay = 1s, .keep_children = true}), [](context& self) -> task<> {
            self.spawn(helper);
            self.spawn(on(1), helper);
            while (auto message = co_await self.receive())
                message.match([](crash&) { throw mishap("bad"); });
        });
    sim.send(actor, crash{});
    sim.run_until_idle();
    REQUIRE(sim.engine().figures().live == 3);

    sim.stop(actor);
    CHECK(sim.engine().figures().live == 0);
    CHECK(sim.now() == 0s);
}

TEST_CASE("supervision: nothing is spawned while the children are ended", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    bool refused = false;
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, bool* refused) -> task<> {
            self.spawn_task([](context& self, bool* refused) -> task<> {
                try {
                    co_await sleep_for(1h);
                } catch (const error&) {
                    try {
                        self.spawn(helper);
                    } catch (const error& thrown) {
                        *refused = thrown.code() == errc::cancelled;
                    }
                }
            }(self, refused));
            while (co_await self.receive()) {}
            co_await self.end_children();
        },
        &refused);
    sim.run_until_idle();
    sim.stop(actor);

    CHECK(refused);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("supervision: a class that takes the failing message by value gets a copy", "[kernel][supervision]")
{
    quiet_log quiet;
    simulation sim;
    spawn_options options = decided(costar::on<mishap>(directive::resume));
    options.failing = {.redeliveries = 2};
    std::vector<std::string> seen;
    const pid actor = sim.engine().spawn<empties>(options, &seen);
    const std::string first = "a text that is too long to be kept in place";
    sim.send(actor, words{first});
    sim.send(actor, greet{"Ada Lovelace, countess of the same name"});
    sim.send(actor, std::make_unique<int>(1));
    sim.advance(1s);

    REQUIRE(seen.size() == 7);
    CHECK(std::vector(seen.begin(), seen.begin() + 3) == std::vector(3, first));
    CHECK(std::vector(seen.begin() + 3, seen.begin() + 6) ==
        std::vector<std::string>(3, "Ada Lovelace, countess of the same name"));
    CHECK(seen[6] == "whole");  // it cannot be copied, and is not given again
}

TEST_CASE("supervision: all that was in hand comes back in its order, each as often as it may",
    "[kernel][supervision]")
{
    quiet_log quiet;
    std::vector<std::vector<int>> lives;
    spawn_options options = decided({}, {.limit = restart_policy::always, .delay = 10ms});
    options.failing.redeliveries = 1;
    options.mailbox.by_priority = GENERATE(false, true);
    const bool in_a_batch = GENERATE(true, false);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(options, fails_with_many, in_a_batch, &lives);

    for (int i = 1; i <= 3; ++i)
        sim.send(actor, number{i});
    sim.advance(5ms);
    CHECK(lives == std::vector<std::vector<int>>{{1, 2, 3}});
    sim.send(actor, number{4});  // while it waits for its restart
    sim.advance(1s);

    CHECK(lives == std::vector<std::vector<int>>{{1, 2, 3}, {1, 2, 3, 4}, {4}});
    CHECK(events.dead.empty());
    CHECK(events.stopped.empty());
}

TEST_CASE("supervision: a request that is kept does not bring a failing message back for ever",
    "[kernel][supervision]")
{
    quiet_log quiet;
    int asked = 0;
    int failed = 0;
    std::vector<error_code> ended;
    spawn_options options = decided({}, {.limit = restart_policy::always});
    options.failing.redeliveries = 2;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(options, keeps_requests, &asked, &failed);

    sim.engine().ask(actor, twice{1}, 1h, [&](error_code code, int) { ended.push_back(code); });
    sim.send(actor, number{1});
    sim.advance(1s);

    CHECK(failed == 3);
    CHECK(asked == 3);  // it was in hand each time
    REQUIRE(ended.size() == 1);
    CHECK(ended[0] == errc::actor_failed);
    CHECK(events.dead.empty());
    CHECK(events.restarted.size() == 3);
    CHECK(events.stopped.empty());
}

TEST_CASE("supervision: what is in hand at the last crash is not given again", "[kernel][supervision]")
{
    quiet_log quiet;
    int lives = 0;
    std::optional<error_code> ended;
    const std::uint32_t restarts = GENERATE(0U, 1U);
    const bool becomes_dead_letter = GENERATE(false, true);
    spawn_options options = decided({}, {.limit = restarts});
    options.failing = {.redeliveries = 5, .becomes_dead_letter = becomes_dead_letter};
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(options, fails_with_three, &lives);

    sim.send(actor, number{1});
    sim.engine().ask(actor, twice{1}, 1h, [&](error_code code, int) { ended = code; });
    sim.send(actor, words{"never looked at"});
    sim.advance(1s);

    CHECK(lives == 1 + static_cast<int>(restarts));
    CHECK(events.ends_of(actor) == 1);
    CHECK(ended == make_error_code(errc::actor_failed));
    CHECK(events.dead_of(actor, errc::actor_failed) == (becomes_dead_letter ? 3U : 1U));
    CHECK(std::count_if(events.dead.begin(), events.dead.end(),
              [](const dead_letter& each) { return each.type == "support::words"; }) == 1);
    CHECK(events.dead.size() == (becomes_dead_letter ? 3U : 1U));
}

TEST_CASE("supervision: an actor that survives an exception is given nothing again", "[kernel][supervision]")
{
    quiet_log quiet;
    int seen = 0;
    std::vector<error_code> ended;
    const auto how = static_cast<survived>(GENERATE(range(0, static_cast<int>(survived::last))));
    const bool goes_on = GENERATE(true, false);
    CAPTURE(static_cast<int>(how), goes_on);
    spawn_options options = decided({}, {.limit = GENERATE(0U, 10U)});
    options.failing.redeliveries = 3;
    const bool restarts = options.restart.limit != 0;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(options, survives, how, goes_on, &seen);

    sim.engine().ask(actor, twice{1}, 1h, [&](error_code code, int) { ended.push_back(code); });
    sim.advance(1min);

    CHECK(seen == 1);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0] == errc::actor_failed);
    CHECK(events.dead.empty());
    CHECK(events.restarted.empty());
    CHECK(events.ends_of(actor) == (goes_on ? 0U : 1U));

    sim.send(actor, crash{});
    sim.advance(1min);
    CHECK(seen == 1);  // nor after a crash over something else
    if (goes_on)
        CHECK(events.restarted.size() == (restarts ? 4U : 0U));
}

TEST_CASE(
    "supervision: what a kept child escalates while its parent pauses is not lost", "[kernel][supervision]")
{
    struct family {
        static task<> child(context&)
        {
            co_await sleep_for(150ms);
            throw mishap("child");
        }
        static task<> parent(context& self, std::uint32_t strand)
        {
            if (self.restart_count() == 0) {
                spawn_options options = on(strand);
                options.decide = decider().otherwise(directive::escalate);
                self.spawn(options, child);
                co_await sleep_for(100ms);
                throw mishap("parent");
            }
            while (co_await self.receive()) {}
        }
    };
    quiet_log quiet;
    const std::chrono::milliseconds pause(GENERATE(0, 40, 200));
    const std::uint32_t strand = GENERATE(0U, 1U);
    CAPTURE(pause.count(), strand);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid parent = sim.engine().spawn(
        decided({}, {.limit = 10, .delay = pause, .keep_children = true}), &family::parent, strand);

    sim.advance(10s);

    std::vector<std::string> reasons;
    for (const actor_restarted& each : events.restarted)
        reasons.push_back(each.reason);
    CHECK(reasons == std::vector<std::string>{"parent", "child"});
    CHECK(sim.engine().figures().restarts == 2);
    CHECK(sim.engine().figures().live == 1);
    CHECK(events.ends_of(parent) == 0);
}
