// SPDX-License-Identifier: MIT

#include <costar/kernel/event_stream.hpp>

#include <costar/testing/simulation.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>
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

TEST_CASE("event_stream: calls those who subscribed to the type, in order", "[kernel][event_stream]")
{
    event_stream events;
    std::vector<std::string> seen;
    const auto first =
        events.subscribe<int>([&](int value) { seen.push_back("first " + std::to_string(value)); });
    const auto second =
        events.subscribe<int>([&](int value) { seen.push_back("second " + std::to_string(value)); });
    const auto other = events.subscribe<std::string>([&](const std::string& text) { seen.push_back(text); });

    events.publish(1);
    events.publish(std::string("text"));
    events.publish(2.5);

    CHECK(seen == std::vector<std::string>{"first 1", "second 1", "text"});
}

TEST_CASE("event_stream: a subscription ends with its object", "[kernel][event_stream]")
{
    event_stream events;
    int calls = 0;
    CHECK_FALSE(events.has_subscribers());
    {
        auto first = events.subscribe<int>([&](int) { ++calls; });
        event_stream::subscription moved = std::move(first);
        events.publish(1);
        CHECK(events.has_subscribers());
        first = events.subscribe<int>([&](int) { calls += 10; });
        events.publish(1);
        moved = std::move(first);  // ends the one it held
        events.publish(1);
    }
    events.publish(1);

    CHECK(calls == 1 + 11 + 10);
    CHECK_FALSE(events.has_subscribers());
}

TEST_CASE("event_stream: a subscription can end and begin inside a call", "[kernel][event_stream]")
{
    event_stream events;
    std::vector<std::string> seen;
    std::optional<event_stream::subscription> first;
    std::optional<event_stream::subscription> second;
    std::optional<event_stream::subscription> third;
    first = events.subscribe<int>([&](int) {
        seen.push_back("first");
        first.reset();
        second.reset();  // is not called any more, not even for this event
        third = events.subscribe<int>([&](int) { seen.push_back("third"); });
    });
    second = events.subscribe<int>([&](int) { seen.push_back("second"); });

    events.publish(1);
    CHECK(seen == std::vector<std::string>{"first"});
    events.publish(2);

    CHECK(seen == std::vector<std::string>{"first", "third"});
}

TEST_CASE("event_stream: knows which types somebody listens to", "[kernel][event_stream]")
{
    event_stream events;
    auto number = events.subscribe<int>([](int) {});
    CHECK(events.has_subscribers<int>());
    CHECK_FALSE(events.has_subscribers<double>());
    CHECK(events.has_subscribers());

    auto text = events.subscribe<std::string>([](const std::string&) {});
    number.cancel();
    CHECK_FALSE(events.has_subscribers<int>());
    CHECK(events.has_subscribers<std::string>());
    text.cancel();
    CHECK_FALSE(events.has_subscribers<std::string>());
    CHECK_FALSE(events.has_subscribers());
}

TEST_CASE("event_stream: many are called in order, while some end and others begin", "[kernel][event_stream]")
{
    event_stream events;
    std::vector<int> seen;
    std::vector<event_stream::subscription> all;
    std::vector<event_stream::subscription> late;
    for (int i = 0; i < 100; ++i)
        all.push_back(events.subscribe<int>([&, i](int) {
            seen.push_back(i);
            if (i % 10 == 5) {
                for (int other = i - 1; other < i + 4; ++other)
                    all[static_cast<std::size_t>(other)].cancel();  // among them itself
                late.push_back(events.subscribe<int>([&, i](int) { seen.push_back(100 + i); }));
            }
        }));

    events.publish(1);
    std::vector<int> expected;
    for (int i = 0; i < 100; ++i)
        if (i % 10 < 6 || i % 10 == 9)
            expected.push_back(i);
    CHECK(seen == expected);

    seen.clear();
    events.publish(2);
    expected.clear();
    for (int i = 0; i < 100; ++i)
        if (i % 10 < 4 || i % 10 == 9)
            expected.push_back(i);
    for (int i = 5; i < 100; i += 10)
        expected.push_back(100 + i);
    CHECK(seen == expected);
}

namespace {

struct cause {
    int number;
};
struct effect {
    int number;
};
struct aftermath {
    int number;
};
struct lone {
    std::unique_ptr<int> number;
};

/// Publishes inside subscribers, two levels deep, while others listen to everything.
struct chain {
    explicit chain(event_stream& events)
        : subscriptions{keep<cause>(events, "first", "cause"), keep<effect>(events, "first", "effect"),
              events.subscribe<cause>([&events](const cause& c) {
                  events.publish(effect{c.number});
                  events.publish(effect{c.number + 1});
              }),
              events.subscribe<effect>([&events](const effect& e) { events.publish(aftermath{e.number}); }),
              keep<cause>(events, "last", "cause"), keep<effect>(events, "last", "effect"),
              keep<aftermath>(events, "last", "aftermath")}
    {}

    template <class Event>
    event_stream::subscription keep(event_stream& events, std::string who, std::string what)
    {
        return events.subscribe<Event>([this, who, what](const Event& event) {
            seen.push_back(who + ": " + what + " " + std::to_string(event.number));
        });
    }

    std::vector<std::string> seen;
    event_stream::subscription subscriptions[7];
};

}  // namespace

TEST_CASE("event_stream: what a subscriber publishes is told to all behind what caused it",
    "[kernel][event_stream]")
{
    event_stream events;
    chain listening(events);
    events.publish(cause{1});
    events.publish(cause{5});

    const auto told = [](int n) {
        const std::string one = std::to_string(n), two = std::to_string(n + 1);
        return std::vector<std::string>{"first: cause " + one, "last: cause " + one, "first: effect " + one,
            "last: effect " + one, "first: effect " + two, "last: effect " + two, "last: aftermath " + one,
            "last: aftermath " + two};
    };
    auto expected = told(1);
    const auto rest = told(5);
    expected.insert(expected.end(), rest.begin(), rest.end());
    CHECK(listening.seen == expected);
}

TEST_CASE("event_stream: actors and executors hear of what a subscriber publishes behind what caused it",
    "[kernel][event_stream]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    event_stream& events = sim.engine().events();
    boost::asio::io_context io;
    std::vector<std::string> seen;
    const auto causes = [&](const cause&) { events.publish(effect{1}); };
    const auto note_cause = [&](const cause&) { seen.push_back("cause"); };
    const auto note_effect = [&](const effect&) { seen.push_back("effect"); };
    const std::vector<std::string> expected{"cause", "effect"};

    SECTION("an actor")
    {
        const pid actor = sim.engine().spawn(
            on(GENERATE(0U, 1U)),
            [](context& self, std::vector<std::string>* seen) -> task<> {
                while (auto message = co_await self.receive())
                    message.match([&](cause&) { seen->push_back("cause"); },
                        [&](effect&) { seen->push_back("effect"); });
            },
            &seen);
        const auto first = events.subscribe<cause>(causes);
        const auto second = sim.engine().subscribe<cause>(actor);
        const auto third = sim.engine().subscribe<effect>(actor);
        events.publish(cause{1});
        sim.run_until_idle();
        CHECK(seen == expected);
    }
    SECTION("an executor")
    {
        const auto first = events.subscribe<cause>(causes);
        const auto second = events.subscribe<cause>(io.get_executor(), note_cause);
        const auto third = events.subscribe<effect>(io.get_executor(), note_effect);
        events.publish(cause{1});
        io.run();
        CHECK(seen == expected);
    }
    SECTION("a subscriber on an executor that publishes")
    {
        const auto first = events.subscribe<cause>(io.get_executor(), causes);
        const auto second = events.subscribe<cause>(note_cause);
        const auto third = events.subscribe<effect>(note_effect);
        events.publish(cause{1});
        CHECK(seen == std::vector<std::string>{"cause"});
        io.run();
        CHECK(seen == expected);
    }
    SECTION("what the runtime itself publishes for a subscriber")
    {
        const auto first = events.subscribe<cause>(
            [&](const cause&) { sim.send(pid(), number{1}); });  // a dead letter at once
        const auto second = events.subscribe<cause>(note_cause);
        const auto third =
            events.subscribe<dead_letter>([&](const dead_letter&) { seen.push_back("effect"); });
        events.publish(cause{1});
        sim.run_until_idle();
        CHECK(seen == expected);
    }
}

TEST_CASE("event_stream: who subscribes while something is told does not hear of what was published before",
    "[kernel][event_stream]")
{
    event_stream events;
    std::vector<int> seen;
    event_stream::subscription late;
    event_stream::subscription cancelled =
        events.subscribe<effect>([&](const effect&) { seen.push_back(-1); });
    const auto first = events.subscribe<cause>([&](const cause&) {
        events.publish(effect{1});
        late = events.subscribe<effect>([&](const effect& e) { seen.push_back(e.number); });
        events.publish(effect{2});
        cancelled.cancel();
    });
    events.publish(cause{1});

    CHECK(seen == std::vector{2});
}

TEST_CASE("event_stream: only what can be copied waits for its turn, and only in its own stream",
    "[kernel][event_stream]")
{
    event_stream events;
    event_stream others;
    std::vector<std::string> seen;
    const auto first = events.subscribe<cause>([&](const cause&) {
        events.publish(lone{std::make_unique<int>(1)});
        others.publish(effect{1});
    });
    const auto second = events.subscribe<lone>([&](const lone&) { seen.push_back("lone"); });
    const auto third = others.subscribe<effect>([&](const effect&) {
        seen.push_back("effect");
        events.publish(aftermath{1});  // of the stream that is telling on this thread
    });
    const auto fourth = events.subscribe<cause>([&](const cause&) { seen.push_back("cause"); });
    const auto fifth = events.subscribe<aftermath>([&](const aftermath&) { seen.push_back("aftermath"); });
    events.publish(cause{1});

    CHECK(seen == std::vector<std::string>{"lone", "effect", "cause", "aftermath"});
}

TEST_CASE("event_stream: a long chain of events needs no stack", "[kernel][event_stream]")
{
    event_stream events;
    int last = 0;
    const auto one = events.subscribe<cause>([&](const cause& c) {
        last = c.number;
        if (c.number < 1'000'000)
            events.publish(cause{c.number + 1});
    });
    events.publish(cause{0});

    CHECK(last == 1'000'000);
}

TEST_CASE("event_stream: a subscription may outlive the stream", "[kernel][event_stream]")
{
    event_stream::subscription kept;
    {
        event_stream events;
        kept = events.subscribe<int>([](int) {});
    }
    kept.cancel();
    CHECK_NOTHROW(kept.cancel());
}

TEST_CASE(
    "event_stream: what a subscriber throws is logged, and the others are called", "[kernel][event_stream]")
{
    std::vector<std::string> lines;
    set_log_sink([&](log_level level, std::string_view line) {
        CHECK(level == log_level::error);
        lines.emplace_back(line);
    });
    event_stream events;
    int calls = 0;
    const auto first = events.subscribe<int>([](int) { throw std::runtime_error("clumsy"); });
    const auto second = events.subscribe<int>([](int) { throw 7; });
    const auto third = events.subscribe<int>([&](int) { ++calls; });

    events.publish(1);
    set_log_sink({});

    CHECK(calls == 1);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("clumsy") != std::string::npos);
}

TEST_CASE("event_stream: a subscriber that throws harms no actor", "[kernel][event_stream]")
{
    quiet_log quiet;
    simulation sim;
    const auto fail = [](const auto&) { throw std::runtime_error("clumsy"); };
    const auto started = sim.engine().events().subscribe<actor_started>(fail);
    const auto stopped = sim.engine().events().subscribe<actor_stopped>(fail);
    const auto restarted = sim.engine().events().subscribe<actor_restarted>(fail);
    const auto limits = sim.engine().events().subscribe<restart_limit_reached>(fail);
    const auto dead = sim.engine().events().subscribe<dead_letter>(fail);
    const auto duplicates = sim.engine().events().subscribe<duplicate_name>(fail);

    for (const std::uint32_t strand : {0U, 1U}) {
        spawn_options options = on(strand);
        options.restart.limit = 1;
        options.name = "actor";
        const pid actor = sim.engine().spawn(options, helper);
        CHECK(sim.ask(actor, twice{1}) == 2);
        CHECK_THROWS_AS(sim.engine().spawn("actor", helper), name_in_use);
        sim.send(actor, words{"unknown"});
        sim.send(actor, crash{});
        sim.send(actor, crash{});
        sim.run_until_idle();
        CHECK(sim.engine().figures().live == 0);
    }
    CHECK(sim.engine().figures().dead_letters == 2);
}

TEST_CASE("event_stream: an actor gets events as messages", "[kernel][event_stream]")
{
    simulation sim;
    probe listener = sim.make_probe();
    auto subscription = sim.engine().subscribe<actor_stopped>(listener.pid());
    const pid actor = sim.engine().spawn("ada", helper);

    sim.stop(actor);
    const auto event = listener.expect<actor_stopped>();
    CHECK(event.who == actor);
    CHECK(event.name == "ada");
    CHECK(event.reason == errc::cancelled);
    subscription.cancel();
    sim.stop(sim.engine().spawn(helper));

    listener.expect_none();
}

TEST_CASE("event_stream: a subscriber hears what it wants, where it wants", "[kernel][event_stream]")
{
    asio::io_context io;
    event_stream stream;
    std::vector<int> wanted;
    std::vector<int> later;
    auto some = stream.subscribe<number>([](const number& event) { return event.value > 1; },
        [&](const number& event) { wanted.push_back(event.value); });
    auto elsewhere = stream.subscribe<number>(
        io.get_executor(), [&](const number& event) { later.push_back(event.value); });
    for (int i = 1; i <= 3; ++i)
        stream.publish(number{i});
    CHECK(wanted == std::vector{2, 3});
    CHECK(later.empty());
    io.run();
    CHECK(later == std::vector{1, 2, 3});

    io.restart();
    stream.publish(number{4});
    elsewhere.cancel();
    stream.publish(number{5});
    io.run();
    CHECK(later == std::vector{1, 2, 3, 4});  // what was published before is delivered
}

TEST_CASE("event_stream: events say when they happened", "[kernel][event_stream]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    spawn_options options = on(0);
    options.restart.limit = 1;
    sim.advance(10s);
    const auto begin = sim.engine().station_at(0).home().read_wall();
    const pid actor = sim.engine().spawn(options, helper);
    sim.run_until_idle();
    sim.advance(5s);
    sim.send(actor, crash{});
    sim.run_until_idle();
    sim.advance(2s);
    sim.send(actor, crash{});
    sim.run_until_idle();

    REQUIRE(events.started.size() == 1);
    CHECK(events.started[0].at == begin);
    REQUIRE(events.restarted.size() == 1);
    CHECK(events.restarted[0].at == begin + 5s);
    REQUIRE(events.limits.size() == 1);
    CHECK(events.limits[0].at == begin + 7s);
    REQUIRE(events.stopped.size() == 1);
    CHECK(events.stopped[0].at == begin + 7s);
}

TEST_CASE("event_stream: a dead letter brings the message", "[kernel][event_stream]")
{
    simulation sim;
    event_record events(sim.engine());
    const pid gone = sim.engine().spawn(on(1), helper);
    sim.stop(gone);
    sim.run_until_idle();

    sim.send(gone, words{"is anybody there?"});
    sim.send(gone, number{7});
    sim.run_until_idle();

    REQUIRE(events.dead.size() == 2);
    REQUIRE(events.dead[0].message != nullptr);
    REQUIRE(events.dead[0].message->get_if<words>() != nullptr);
    CHECK(events.dead[0].message->get_if<words>()->text == "is anybody there?");
    CHECK(events.dead[0].message->get_if<number>() == nullptr);
    CHECK(*events.dead[1].message->get_if<number>() == number{7});
}

TEST_CASE("event_stream: what a subscriber holds may end subscriptions of its own", "[kernel][event_stream]")
{
    event_stream events;
    auto inner = std::make_shared<event_stream::subscription>(events.subscribe<int>([](int) {}));
    event_stream::subscription outer = events.subscribe<int>([held = std::move(inner)](int) {});
    outer.cancel();  // and with it what it held
    CHECK_FALSE(events.has_subscribers());
}

TEST_CASE("event_stream: a dead letter leaves what cannot be copied to its strand", "[kernel][event_stream]")
{
    simulation sim;
    event_record events(sim.engine());
    const pid gone = sim.engine().spawn(helper);
    sim.stop(gone);
    sim.send(gone, std::make_unique<int>(1));
    sim.run_until_idle();
    REQUIRE(events.dead.size() == 1);
    CHECK(events.dead[0].message == nullptr);
}
