// SPDX-License-Identifier: MIT

#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <optional>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Asks the first of `others` to go on with the rest.
struct go_round {
    using reply = int;
    std::vector<pid> others;
};

/// Holds its mailbox while it asks the next one.
task<> holder(context& self)
{
    while (auto message = co_await self.receive()) {
        if (!message.is<go_round>())
            continue;
        auto others = message.get<go_round>().others;
        if (others.empty()) {
            message.respond(1);
            continue;
        }
        const pid next = others.front();
        others.erase(others.begin());
        message.respond(1 + co_await self.ask(next, go_round{std::move(others)}, 1min));
    }
}

/// Takes messages while it asks the next one.
task<> reentrant(context& self)
{
    while (auto message = co_await self.receive())
        self.spawn_task([](context& self, costar::message asked) -> task<> {
            auto others = asked.get<go_round>().others;
            if (others.empty()) {
                asked.respond(1);
                co_return;
            }
            const pid next = others.front();
            others.erase(others.begin());
            asked.respond(1 + co_await self.ask(next, go_round{std::move(others)}, 1min));
        }(self, std::move(message)));
}

/// Asks for a round, and notes what came of it.
task<> beginner(context& self, std::vector<pid> round, std::optional<int>* steps, std::string* failure)
{
    const pid first = round.front();
    round.erase(round.begin());
    try {
        *steps = co_await self.ask(first, go_round{std::move(round)}, 1min);
    } catch (const error& thrown) {
        *failure = thrown.what();
    }
}

task<> answers_seven(context&, message asked)
{
    co_await sleep_for(1ms);
    asked.respond(7);
}

/// Gives a request to a child, and asks meanwhile who has asked.
task<> delegates(context& self, std::optional<int>* heard, std::string* failure)
{
    auto asked = co_await self.receive();
    const pid asker = asked.sender();
    self.spawn(answers_seven, std::move(asked));
    try {
        *heard = co_await self.ask(asker, twice{1}, 1min);
    } catch (const error& thrown) {
        *failure = thrown.what();
    }
    static_cast<void>(co_await self.receive());  // its child lives as long as it does
}

/// Asks, and then answers what it is asked.
task<> asks_first(context& self, pid to, std::optional<int>* heard, std::string* failure)
{
    try {
        *heard = co_await self.ask(to, twice{1}, 1min);
    } catch (const error& thrown) {
        *failure = thrown.what();
    }
    while (auto message = co_await self.receive())
        message.match([](twice&) { return 8; });
}

/// In what a wait may be wrapped.
enum class wrapped {
    in_shield,
    in_shields,
    in_with_timeout,
    in_when_all,
    in_when_all_of_both,
    in_a_branch_that_is_left
};

task<> asks(context& self, pid to)
{
    static_cast<void>(co_await self.ask(to, twice{1}, 1min));
}

task<> asks_wrapped(context& self, pid to, wrapped how)
{
    switch (how) {
    case wrapped::in_shield:
        co_await shield(asks(self, to));
        break;
    case wrapped::in_shields:
        co_await shield(as_task(shield(as_task(with_timeout(30s, asks(self, to))))));
        break;
    case wrapped::in_with_timeout:
        co_await with_timeout(30s, asks(self, to));
        break;
    case wrapped::in_when_all:
        co_await when_all(asks(self, to));
        break;
    case wrapped::in_when_all_of_both:
        co_await when_all(asks(self, to), asks(self, to));
        break;
    case wrapped::in_a_branch_that_is_left:
        co_await when_all(
            [](context& self, pid to) -> task<> {
                co_await sleep_for(1us);
                co_await asks(self, to);
            }(self, to),
            [](context&) -> task<> { co_return; }(self));
        break;
    }
}

/// Asks when it is told to, and counts how that ended.
task<> asks_when_told(context& self, const pid* other, wrapped how, std::vector<std::string>* ends)
{
    while (auto message = co_await self.receive()) {
        if (message.is<twice>()) {
            message.respond(1);
            continue;
        }
        message.get<number>();
        try {
            co_await asks_wrapped(self, *other, how);
            ends->push_back("answered");
        } catch (const error& thrown) {
            ends->push_back(thrown.what());
        }
    }
}

/// Asks its parent for something when it is told to stop.
struct asks_at_its_end {
    std::vector<std::string>* ends;
    pid whom = {};

    void operator()(number) {}
    task<> stopping(context& self)
    {
        try {
            static_cast<void>(co_await self.ask(whom ? whom : self.parent(), twice{1}, 1min));
        } catch (const error& thrown) {
            ends->push_back(thrown.what());
        }
    }
};

/// Waits shielded for somebody's end when it is told to.
task<> waits_for_end(context& self, const pid* other, std::vector<std::string>* ends)
{
    while (auto message = co_await self.receive()) {
        message.get<number>();
        try {
            co_await shield(self.wait(*other));
        } catch (const error& thrown) {
            ends->push_back(thrown.what());
        }
    }
}

/// Sends until there is no room when it is told to.
task<> sends_until_full(context& self, const pid* other, std::vector<std::string>* ends)
{
    while (auto message = co_await self.receive()) {
        if (!message.is<number>())
            continue;
        try {
            for (int i = 0; i < 3; ++i)
                co_await self.send_async(*other, words{"more"});
        } catch (const error& thrown) {
            ends->push_back(thrown.what());
        }
    }
}

bool names_a_circle(const std::string& text)
{
    return text.find("the actors would wait for each other") != std::string::npos;
}

spawn_options named(std::string name, std::uint32_t strand)
{
    spawn_options options = on(strand);
    options.name = std::move(name);
    return options;
}

}  // namespace

TEST_CASE("circle: actors that would wait for each other are named at once", "[kernel][circle]")
{
    quiet_log quiet;
    simulation sim(GENERATE(range(1U, 30U)));
    std::vector<pid> actors;
    const unsigned count = GENERATE(2U, 3U, 7U);
    for (unsigned i = 0; i < count; ++i)
        actors.push_back(sim.engine().spawn(named("a" + std::to_string(i), i % 2), holder));

    std::vector<pid> round(actors.begin() + 1, actors.end());
    round.push_back(actors[0]);
    std::optional<error_code> ended;
    sim.engine().ask(actors[0], go_round{round}, 1min, [&](error_code code, int) { ended = code; });
    std::vector<std::string> reasons;
    const auto kept = sim.engine().events().subscribe<supervision_decision>(
        [&](const supervision_decision& event) { reasons.push_back(event.reason); });
    sim.run_until_idle();

    CHECK(sim.now() == 0s);
    CHECK(ended == make_error_code(errc::actor_failed));  // each of them fails with the next
    CHECK(!reasons.empty());
    std::string circle = "a0";
    for (unsigned i = 1; i < count; ++i)
        circle += " -> a" + std::to_string(i);
    INFO(reasons.front());
    // The one that closed it is where the text begins.
    CHECK(reasons.front().find("the actors would wait for each other") != std::string::npos);
    CHECK(reasons.front().find("a" + std::to_string(count - 1) + " -> a0") != std::string::npos);
}

TEST_CASE("circle: a request that was refused is not handled later", "[kernel][circle]")
{
    struct asks_back {
        static task<> body(context& self, const pid* other, std::vector<int>* handled)
        {
            while (auto message = co_await self.receive()) {
                const int value = message.get<twice>().value;
                handled->push_back(value);
                static_cast<void>(co_await as_result(self.ask(*other, twice{value + 1}, 1min)));
                message.respond(value);
            }
        }
    };
    simulation sim(GENERATE(range(1U, 20U)));
    const std::uint32_t strand = GENERATE(0U, 1U);
    const std::uint32_t limit = GENERATE(0U, 2U);  // a mailbox that has one is kept by other means
    spawn_options first = on(0);
    first.mailbox.limit = limit;
    pid two;
    std::vector<int> by_one;
    std::vector<int> by_two;
    const pid one = sim.engine().spawn(first, &asks_back::body, &two, &by_one);
    two = sim.engine().spawn(on(strand), &asks_back::body, &one, &by_two);

    CHECK(sim.ask(one, twice{1}) == 1);
    sim.run_until_idle();

    CHECK(sim.now() == 0s);
    CHECK(by_one == std::vector{1});  // and not 3, which `two` asked in vain
    CHECK(by_two == std::vector{2});
    CHECK(sim.engine().station_at(0).find(one)->queued() == 0);
    CHECK(sim.engine().figures().dead_letters == 0);
    CHECK(sim.engine().figures().late_replies == 0);
    sim.send(one, number{5});  // the mailbox still takes what comes
    CHECK(sim.engine().station_at(0).find(one)->first == nullptr);
}

TEST_CASE("circle: who asks itself is told", "[kernel][circle]")
{
    quiet_log quiet;
    simulation sim;
    const pid actor = sim.engine().spawn(named("ouroboros", 0), holder);
    std::vector<std::string> reasons;
    const auto kept = sim.engine().events().subscribe<supervision_decision>(
        [&](const supervision_decision& event) { reasons.push_back(event.reason); });
    sim.engine().ask(actor, go_round{{actor}}, 1min, [](error_code, int) {});
    sim.run_until_idle();
    CHECK(reasons.size() == 1);
    CHECK(reasons[0].find("ouroboros -> ouroboros") != std::string::npos);
}

TEST_CASE("circle: two that ask each other at the same time are told", "[kernel][circle]")
{
    quiet_log quiet;
    simulation sim(GENERATE(range(1U, 50U)));
    const pid one = sim.engine().spawn(named("one", 0), holder);
    const pid two = sim.engine().spawn(named("two", 1), holder);
    int ended = 0;
    sim.engine().ask(one, go_round{{two}}, 1min, [&](error_code, int) { ++ended; });
    sim.engine().ask(two, go_round{{one}}, 1min, [&](error_code, int) { ++ended; });
    sim.run_until_idle();
    CHECK(ended == 2);  // with an answer or an error, by the order, and without waiting
    CHECK(sim.now() == 0s);
}

TEST_CASE("circle: a long line is none", "[kernel][circle]")
{
    simulation sim(GENERATE(range(1U, 10U)));
    std::vector<pid> actors;
    for (unsigned i = 0; i < 20; ++i)
        actors.push_back(sim.engine().spawn(on(i % 2), holder));
    int sum = 0;
    for (int i = 0; i < 5; ++i)
        sim.engine().ask(actors[0], go_round{{actors.begin() + 1, actors.end()}}, 1min,
            [&](error_code, int steps) { sum += steps; });
    sim.run_until_idle();
    CHECK(sum == 5 * 20);
}

TEST_CASE("circle: actors that take messages while they ask are none", "[kernel][circle]")
{
    simulation sim(GENERATE(range(1U, 10U)));
    const pid one = sim.engine().spawn(on(0), reentrant);
    const pid two = sim.engine().spawn(on(1), holder);
    CHECK(sim.ask(one, go_round{{two, one, one}}) == 4);
}

TEST_CASE("circle: a request that was passed on is none", "[kernel][circle]")
{
    simulation sim(GENERATE(range(1U, 10U)));
    std::optional<int> steps;
    std::string failure;
    // `relay` passes on what it is asked and then asks the one who had asked.
    const pid answering = sim.engine().spawn(on(0), [](context& self) -> task<> {
        auto message = co_await self.receive();
        co_await sleep_for(1s);
        message.match([](go_round&) { return 1; });
    });
    const pid relay = sim.engine().spawn(
        on(1),
        [](context& self, pid answering) -> task<> {
            auto message = co_await self.receive();
            const pid asker = message.sender();
            self.forward(answering, std::move(message));
            CHECK_THROWS_AS(
                co_await self.ask(asker, twice{}, 10s), error);  // it does not answer, but it ends
        },
        answering);
    sim.engine().spawn(on(0), beginner, std::vector{relay}, &steps, &failure);
    sim.advance(5s);
    CHECK(steps == 1);
    CHECK(failure.empty());
}

TEST_CASE("circle: a wait that something else can end is none", "[kernel][circle]")
{
    simulation sim(GENERATE(range(1U, 10U)));
    int answers = 0;
    const pid other = sim.engine().spawn(on(1), [](context& self) -> task<> {
        auto message = co_await self.receive();
        CHECK_THROWS_AS(co_await self.ask(message.sender(), twice{1}, 1s), error);
        message.match([](go_round&) { return 5; });
    });
    sim.engine().spawn(
        on(0),
        [](context& self, pid other, int* answers) -> task<> {
            const auto first = co_await when_any(
                [](context& self, pid other) -> task<int> {
                    co_return co_await self.ask(other, go_round{}, 1min);
                }(self, other),
                [](context&) -> task<int> {
                    co_await sleep_for(10s);
                    co_return 0;
                }(self));
            *answers = std::visit([](int value) { return value; }, first);
        },
        other, &answers);
    sim.advance(20s);
    CHECK(answers == 5);
}

TEST_CASE("circle: a deadline that passes says who asked whom, and from where", "[kernel][circle]")
{
    simulation sim;
    std::string failure;
    const pid silent = sim.engine().spawn(named("silent", 1), slow, std::chrono::nanoseconds(1h));
    sim.engine().spawn(
        named("asker", 0),
        [](context& self, pid to, std::string* failure) -> task<> {
            try {
                co_await
                    [](context& self, pid to) -> task<> { co_await self.ask(to, twice{}, 200ms); }(self, to);
            } catch (const error& thrown) {
                *failure = thrown.what();
            }
        },
        silent, &failure);
    sim.run_until_idle();
    const std::string dumped = sim.dump();
    CHECK(dumped.find("asked at circle.test.cpp:") != std::string::npos);
    sim.advance(1s);
    CHECK(failure.find(
              "asker asked silent (" + silent.to_string() + ") within 200 ms, at circle.test.cpp:") == 0);
    CHECK(failure.find(" < circle.test.cpp:") != std::string::npos);
}

TEST_CASE("circle: a request that was given to a child is none", "[kernel][circle]")
{
    std::optional<int> heard_by_one;
    std::optional<int> heard_by_two;
    std::string failure;
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(range(1U, 10U)));
    const pid one = sim.engine().spawn(on(0), delegates, &heard_by_one, &failure);
    sim.engine().spawn(on(strand), asks_first, one, &heard_by_two, &failure);

    sim.advance(1s);

    CHECK(heard_by_one == 8);
    CHECK(heard_by_two == 7);
    CHECK(failure.empty());
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("circle: a wait is found in whatever it is wrapped", "[kernel][circle]")
{
    const wrapped how = GENERATE(wrapped::in_shield, wrapped::in_shields, wrapped::in_with_timeout,
        wrapped::in_when_all, wrapped::in_when_all_of_both, wrapped::in_a_branch_that_is_left);
    // Of two answers one may be on its way from another strand when the circle closes.
    const std::uint32_t strand = how == wrapped::in_when_all_of_both ? 0U : GENERATE(0U, 1U);
    simulation sim(GENERATE(range(1U, 6U)));
    std::vector<std::string> ends;
    pid two;
    const pid one = sim.engine().spawn(named("one", 0), asks_when_told, &two, how, &ends);
    two = sim.engine().spawn(named("two", strand), asks_when_told, &one, how, &ends);
    sim.run_until_idle();

    sim.send(one, number{1});
    sim.send(two, number{1});
    sim.advance(1us);

    INFO(sim.dump());
    CHECK(ends.size() == 2);  // one is refused, and then answers the other one
    int circles = 0;
    for (const std::string& each : ends)
        circles += names_a_circle(each) ? 1 : 0;
    CHECK(circles <= 1);  // none where one was done before the other one began
}

TEST_CASE("circle: what asks an actor that waits for its end is refused", "[kernel][circle]")
{
    const std::uint32_t strand = GENERATE(0U, 1U);
    const int way = GENERATE(0, 1, 2, 3);
    quiet_log quiet;
    simulation sim(GENERATE(range(1U, 6U)));
    std::vector<std::string> ends;
    const pid parent = sim.engine().spawn(
        named("parent", 0),
        [](context& self, std::uint32_t strand, int way, std::vector<std::string>* ends) -> task<> {
            spawn_options options = on(strand);
            options.name = "child";
            const pid child = self.spawn<asks_at_its_end>(options, ends, self.pid());
            while (auto message = co_await self.receive()) {
                if (!message.is<number>())
                    continue;
                message.get<number>();
                if (way == 1)
                    co_await self.stop(child);
                if (way == 2)
                    co_await shield(self.stop(child));
            }
            if (way == 3)
                co_await self.end_children();
        },
        strand, way, &ends);
    sim.run_until_idle();

    if (way == 1 || way == 2)
        sim.send(parent, number{1});
    sim.run_until_idle();
    sim.engine().stop(parent);
    sim.advance(0ns);

    INFO(sim.dump());
    CHECK(sim.now() == 0s);
    CHECK(sim.engine().figures().live == 0);
    REQUIRE(ends.size() <= 1);
    if (!ends.empty())
        CHECK(names_a_circle(ends[0]));
}

TEST_CASE("circle: a descendant may ask as little as a child", "[kernel][circle]")
{
    simulation sim(GENERATE(range(1U, 6U)));
    std::vector<std::string> ends;
    const pid top = sim.engine().spawn(
        on(0),
        [](context& self, std::vector<std::string>* ends) -> task<> {
            self.spawn(
                on(0),
                [](context& self, pid top, std::vector<std::string>* ends) -> task<> {
                    self.spawn<asks_at_its_end>(on(0), ends, top);
                    while (co_await self.receive()) {}
                },
                self.pid(), ends);
            while (co_await self.receive()) {}
        },
        &ends);
    sim.run_until_idle();
    sim.engine().stop(top);
    sim.advance(0ns);
    INFO(sim.dump());
    CHECK(sim.engine().figures().live == 0);
    REQUIRE(ends.size() == 1);
    CHECK(names_a_circle(ends[0]));
}

TEST_CASE("circle: actors that wait for each other's end are told", "[kernel][circle]")
{
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(range(1U, 6U)));
    std::vector<std::string> ends;
    pid two;
    const pid one = sim.engine().spawn(named("one", 0), waits_for_end, &two, &ends);
    two = sim.engine().spawn(named("two", strand), waits_for_end, &one, &ends);
    sim.run_until_idle();
    sim.send(one, number{1});
    sim.send(two, number{1});
    sim.run_until_idle();
    REQUIRE(ends.size() == 1);
    CHECK(names_a_circle(ends[0]));
    sim.engine().stop(one);
    sim.engine().stop(two);
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("circle: actors that wait for room at each other are told", "[kernel][circle]")
{
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(range(1U, 6U)));
    std::vector<std::string> ends;
    spawn_options first = on(0);
    first.mailbox = {.limit = 1, .when_full = overflow::wait};
    spawn_options second = first;
    second.strand = strand;
    pid two;
    const pid one = sim.engine().spawn(first, sends_until_full, &two, &ends);
    two = sim.engine().spawn(second, sends_until_full, &one, &ends);
    sim.run_until_idle();
    sim.send(one, number{1});
    sim.send(two, number{1});
    sim.run_until_idle();
    INFO(sim.dump());
    CHECK(sim.engine().station_at(0).find(one)->queued() == 0);
    CHECK(ends.size() <= 1);
    for (const std::string& each : ends)
        CHECK(names_a_circle(each));
}

TEST_CASE("circle: an actor that can go on by one of its waits is in none", "[kernel][circle]")
{
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(range(1U, 6U)));
    std::vector<std::string> ends;
    pid two;
    const pid third = sim.engine().spawn(on(1), slow, std::chrono::nanoseconds(1s));
    // While it asks `two`, a task of it asks `third`, and then answers what `two` has asked it.
    const pid one = sim.engine().spawn(
        on(0),
        [](context& self, const pid* two, pid third, std::vector<std::string>* ends) -> task<> {
            auto first = co_await self.receive();
            static_cast<void>(first.is<number>() && (first.get<number>(), true));
            self.spawn_task([](context& self, pid third) -> task<> {
                static_cast<void>(co_await self.ask(third, twice{1}, 1min));
                auto asked = co_await self.receive();
                asked.match([](twice&) { return 2; });
            }(self, third));
            try {
                co_await asks(self, *two);
                ends->push_back("answered");
            } catch (const error& thrown) {
                ends->push_back(thrown.what());
            }
        },
        &two, third, &ends);
    two = sim.engine().spawn(
        on(strand),
        [](context& self, pid one) -> task<> {
            while (auto message = co_await self.receive()) {
                static_cast<void>(co_await self.ask(one, twice{1}, 1min));
                message.match([](twice&) { return 3; });
            }
        },
        one);
    sim.send(one, number{1});
    sim.advance(5s);
    INFO(sim.dump());
    CHECK(ends == std::vector<std::string>{"answered"});
}

TEST_CASE("circle: a dump shows every wait", "[kernel][circle]")
{
    simulation sim;
    const auto ends_late = [](context& self) -> task<> {
        while (co_await self.receive()) {}
        co_await shield(sleep_for(1h));
    };
    const pid other = sim.engine().spawn(named("other", 1), ends_late);
    sim.engine().spawn(
        named("shields", 0),
        [](context& self, pid other) -> task<> {
            while (co_await self.receive()) {}
            co_await shield(as_task(when_all(as_task(self.wait(other)), as_task(sleep_for(1h)))));
        },
        other);
    sim.engine().spawn(
        named("beside", 0),
        [](context& self, pid other) -> task<> {
            self.spawn_task(
                [](context& self, pid other) -> task<> { co_await self.wait(other); }(self, other));
            self.spawn_task([](context&) -> task<> { co_await shield(sleep_for(1h)); }(self));
            while (co_await self.receive<number>()) {}
        },
        other);
    sim.engine().spawn(named("ends_children", 0), [](context& self) -> task<> {
        self.spawn(named("late_1", 1), [](context& self) -> task<> {
            while (co_await self.receive()) {}
            co_await shield(sleep_for(1h));
        });
        while (co_await self.receive()) {}
        co_await self.end_children();
    });
    sim.engine().spawn(named("closes", 0), [](context& self) -> task<> {
        self.spawn(named("late_2", 0), [](context& self) -> task<> {
            while (co_await self.receive()) {}
            co_await shield(sleep_for(1h));
        });
        self.spawn_task([](context&) -> task<> { co_await shield(sleep_for(1h)); }(self));
        while (co_await self.receive()) {}
    });
    sim.run_until_idle();
    const auto line_of = [&](const std::string& name) {
        const std::string all = sim.dump();
        const auto at = all.find(" " + name + " ");
        return all.substr(at, all.find('\n', at) - at);
    };
    const auto has = [](const std::string& line, const std::string& part) {
        INFO(line);
        CHECK(line.find(part) != std::string::npos);
    };
    has(line_of("beside"), "waits for a message of type support::number");
    has(line_of("beside"), "a task waits for the end of other (" + other.to_string() + ")");
    has(line_of("beside"), "a task waits for a timer");

    for (const char* each : {"shields", "ends_children", "closes"})
        sim.engine().stop(*sim.engine().find(each));
    sim.run_until_idle();

    has(line_of("shields"), "waits for a timer, the end of other (" + other.to_string() + ")");
    has(line_of("ends_children"), "waits for its children and tasks to end, waits for its children to end: ");
    has(line_of("ends_children"), sim.engine().find("late_1")->to_string());
    has(line_of("closes"), "is ending, waits for its children to end: ");
    has(line_of("closes"), sim.engine().find("late_2")->to_string());
    has(line_of("closes"), "a task waits for a timer");
    has(line_of("late_2"), "waits for a timer");
}
