// SPDX-License-Identifier: MIT

#include <costar/kernel/ask.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <map>
#include <optional>
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

/// What an actor saw of its requests.
struct outcome {
    error_code code;
    int value = 0;
    std::chrono::nanoseconds after{};
};

task<> asks(context& self, pid to, std::chrono::nanoseconds timeout, std::vector<outcome>* seen)
{
    const auto begun = self.now();
    const auto answer = co_await as_result(self.ask(to, twice{21}, timeout));
    outcome result{.code = answer ? error_code() : answer.error(), .after = self.now() - begun};
    if (answer)
        result.value = *answer;
    seen->push_back(result);
}

/// Passes a request on with a question of its own.
task<> asks_further(
    context& self, pid to, std::chrono::nanoseconds timeout, bool in_task, std::vector<outcome>* seen)
{
    while (auto message = co_await self.receive()) {
        const bool keeps = message.is<twice>();
        if (!keeps)
            message = costar::message();  // lets go of it before it asks
        if (in_task)
            self.spawn_task(asks(self, to, timeout, seen));
        else
            co_await asks(self, to, timeout, seen);
        if (keeps)
            message.match([](twice&) { return 1; });
    }
}

/// Keeps a request for good, and asks something each second, as often as it is told to.
task<> keeps_and_asks(context& self, pid to, std::size_t count, std::vector<outcome>* seen)
{
    message kept;
    while (seen->size() < count) {
        auto received = co_await self.receive(1s);
        if (received.timed_out())
            co_await asks(self, to, 10s, seen);
        else if (!received)
            co_return;
        else
            kept = std::move(received);
        if (kept)
            kept.mark_handled();
    }
}

/// Holds up its strand before it asks.
task<> computes_and_asks(context& self, pid to, manual_clock* clock, std::vector<outcome>* seen)
{
    clock->advance(10s);
    co_await asks(self, to, 5s, seen);
}

task<> awaits_stop(context& self, pid target, bool in_line, std::chrono::nanoseconds* ended)
{
    if (in_line)
        co_await self.poison(target);
    else
        co_await self.stop(target);
    *ended = self.now();
}

task<> ends_slowly(context& self)
{
    while (co_await self.receive()) {}
    co_await shield(sleep_for(3s));
}

task<> stops_parent(context& self)
{
    static_cast<void>(co_await self.receive());
    co_await self.stop(self.parent());
}

task<> has_rebel(context& self, pid* child)
{
    *child = self.spawn(stops_parent);
    while (co_await self.receive()) {}
}

/// Answers each request when its turn comes in a list.
task<> answers_late(context& self, const std::vector<int>* delays)
{
    for (std::size_t i = 0; auto message = co_await self.receive(); ++i) {
        struct later {
            static task<> answer(costar::message request, int delay)
            {
                co_await sleep_for(std::chrono::milliseconds(delay));
                request.match([](twice& m) { return m.value; });
            }
        };
        self.spawn_task(later::answer(std::move(message), (*delays)[i % delays->size()]));
    }
}

/// Asks one after the other and notes what came.
task<> asks_in_turn(context& self, pid to, int count, int limit, std::map<int, int>* seen)
{
    for (int i = 0; i < count; ++i) {
        const auto answer = co_await as_result(self.ask(to, twice{i}, std::chrono::milliseconds(limit)));
        (*seen)[i] = answer ? *answer : -1;
    }
}

}  // namespace

TEST_CASE("ask: is answered, on the same strand and on another", "[kernel][ask]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), helper);
    std::vector<outcome> seen;

    sim.engine().spawn(on(GENERATE(0U, 1U)), asks, to, 1s, &seen);
    sim.run_until_idle();

    REQUIRE(seen.size() == 1);
    CHECK_FALSE(seen[0].code);
    CHECK(seen[0].value == 42);
}

TEST_CASE("ask: ends at its deadline, and drops an answer that comes late", "[kernel][ask]")
{
    simulation sim;
    event_record events(sim.engine());
    const pid to = sim.engine().spawn(on(0), slow, 2s);
    std::vector<outcome> seen;
    sim.engine().spawn(on(GENERATE(0U, 1U)), asks, to, 500ms, &seen);

    sim.advance(499ms);
    CHECK(seen.empty());
    sim.advance(1ms);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].code == errc::timed_out);
    CHECK(seen[0].after == 500ms);
    CHECK(sim.engine().figures().late_replies == 0);
    sim.advance(2s);

    CHECK(sim.engine().figures().late_replies == 1);
    CHECK(events.dead.empty());
    CHECK(seen.size() == 1);
}

TEST_CASE("ask: waits five seconds when nothing is said", "[kernel][ask]")
{
    simulation sim;
    const pid to = sim.engine().spawn(slow, 1h);
    std::vector<outcome> seen;
    sim.engine().spawn(asks, to, context::default_timeout, &seen);

    sim.advance(1h);

    REQUIRE(seen.size() == 1);
    CHECK(seen[0].code == errc::timed_out);
    CHECK(seen[0].after == 5s);
}

TEST_CASE("ask: its deadline counts from the sending, however long the asker has computed", "[kernel][ask]")
{
    struct takes_a_second {
        static task<> body(context& self)
        {
            while (auto message = co_await self.receive()) {
                co_await sleep_for(1s);
                message.match([](twice& m) { return 2 * m.value; });
            }
        }
    };
    manual_clock clock(1);
    engine one(scheduler::manual{}, {.strands = 1, .clock = &clock});
    strand_context& strand = one.station_at(0).home();
    std::vector<outcome> seen;
    one.spawn(computes_and_asks, one.spawn(&takes_a_second::body), &clock, &seen);

    while (strand.step()) {}
    CHECK(seen.empty());
    clock.advance(1s);
    while (strand.step()) {}

    REQUIRE(seen.size() == 1);
    CHECK(seen[0].value == 42);
}

TEST_CASE("ask: ends no later than the request that is being handled", "[kernel][ask]")
{
    simulation sim;
    const auto strand = GENERATE(0U, 1U);
    const pid last = sim.engine().spawn(on(0), slow, 1h);
    std::vector<outcome> seen;
    const auto ask_middle = [&](bool in_task) {
        const pid middle = sim.engine().spawn(on(strand), asks_further, last, 10s, in_task, &seen);
        sim.engine().ask(middle, twice{1}, 300ms, [](error_code, int) {});
        sim.advance(100ms);
        return middle;
    };

    SECTION("in the body")
    {
        ask_middle(false);
        sim.advance(200ms);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::timed_out);
        CHECK(seen[0].after == 300ms);
    }
    SECTION("but in a task beside the body it is on its own")
    {
        ask_middle(true);
        sim.advance(9s);
        CHECK(seen.empty());
        sim.advance(1s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].after == 10s);
    }
    SECTION("and not when that message is gone")
    {
        const pid middle = sim.engine().spawn(on(strand), asks_further, last, 10s, false, &seen);
        sim.engine().ask(middle, knock{}, 300ms, [](error_code) {});
        sim.advance(1s);
        CHECK(seen.empty());
        sim.advance(9s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].after == 10s);
    }
}

TEST_CASE("ask: a request that is kept past its deadline does not shorten what comes later", "[kernel][ask]")
{
    std::vector<outcome> seen;
    std::optional<error_code> ended;
    const std::chrono::nanoseconds pause = GENERATE(0ms, 100ms);
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(strand), slow, pause);
    const pid keeper = sim.engine().spawn(on(0), keeps_and_asks, to, 5, &seen);

    sim.engine().ask(keeper, twice{1}, 500ms, [&](error_code code, int) { ended = code; });
    sim.advance(20s);

    CHECK(ended == make_error_code(errc::timed_out));
    REQUIRE(seen.size() == 5);
    for (const outcome& each : seen) {
        CHECK(!each.code);
        CHECK(each.value == 42);
        CHECK(each.after == pause);
    }
}

TEST_CASE("ask: fails at once where nobody can answer", "[kernel][ask]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<outcome> seen;
    const auto asker = on(GENERATE(0U, 1U));

    SECTION("the receiver is gone")
    {
        const pid to = sim.engine().spawn(on(0), helper);
        sim.stop(to);
        sim.engine().spawn(asker, asks, to, 1s, &seen);
        sim.run_until_idle();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::no_such_actor);
    }
    SECTION("the receiver ends meanwhile")
    {
        const pid to = sim.engine().spawn(on(0), slow, 1h);
        sim.send(to, number{});
        sim.engine().spawn(asker, asks, to, 1s, &seen);
        sim.run_until_idle();
        sim.stop(to);
        sim.run_until_idle();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::actor_stopped);
    }
    SECTION("the receiver takes no such message")
    {
        std::vector<int> numbers;
        const pid to = sim.engine().spawn(on(0), recorder, &numbers);
        sim.engine().spawn(asker, asks, to, 1s, &seen);
        sim.run_until_idle();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::not_understood);
    }
    CHECK(sim.now() == 0s);
}

TEST_CASE("ask: one that is not awaited is not sent", "[kernel][ask]")
{
    simulation sim;
    std::vector<int> numbers;
    const pid to = sim.engine().spawn(recorder, &numbers);
    struct drops {
        static task<> body(context& self, pid to)
        {
            auto request = self.ask(to, greet{"nobody"});
            static_cast<void>(request);
            co_return;
        }
    };

    sim.engine().spawn(&drops::body, to);
    sim.run_until_idle();

    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("ask: several at once", "[kernel][ask]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), helper);
    const pid never = sim.engine().spawn(on(1), slow, 1h);
    std::string text;
    struct both {
        static task<> body(context& self, pid to, pid never, std::string* text)
        {
            const auto [number, words] =
                co_await when_all(self.ask(to, twice{2}), self.ask(to, greet{"you"}));
            const auto first = co_await when_any(self.ask(never, twice{2}, 1min), self.ask(to, twice{3}));
            *text = std::to_string(number) + " " + words + " " + std::to_string(first.index());
        }
    };

    sim.engine().spawn(on(1), &both::body, to, never, &text);
    sim.run_until_idle();

    CHECK(text == "4 hello, you 1");
    CHECK(sim.now() == 0s);
    sim.advance(2h);
    CHECK(sim.engine().figures().late_replies == 1);
}

TEST_CASE("ask: every request ends once, with its own answer or none", "[kernel][ask]")
{
    CHECK(rc::check("answers in any order and at any time", [](std::uint64_t seed) {
        const auto delays = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 30)));
        const auto limit = *rc::gen::inRange(1, 20);
        constexpr int count = 20;
        simulation sim(seed);
        std::map<int, int> seen[3];

        const pid to = sim.engine().spawn(on(0), answers_late, &delays);
        for (std::uint32_t i = 0; i < 3; ++i)
            sim.engine().spawn(on(i % 2), asks_in_turn, to, count, limit, &seen[i]);
        sim.advance(10s);

        std::uint64_t late = 0;
        for (const auto& each : seen) {
            RC_ASSERT(each.size() == std::size_t{count});
            for (const auto& [asked, answered] : each) {
                RC_ASSERT(answered == asked || answered == -1);
                late += answered == -1;
            }
        }
        RC_ASSERT(sim.engine().figures().late_replies == late);
    }));
}

TEST_CASE("ask: a token is good for one answer, whoever waits next", "[kernel][ask]")
{
    // The bookkeeping against a model: tokens are given, answered, forgotten and answered again in any order.
    struct waiter : reply_waiter {
        waiter() : reply_waiter(count) {}
        static void count(reply_waiter& self, const message_type*, void* value, errc failure) noexcept
        {
            auto& mine = static_cast<waiter&>(self);
            ++mine.calls;
            mine.value = failure == errc{} ? *static_cast<int*>(value) : -1;
        }
        int calls = 0;
        int value = 0;
    };
    CHECK(rc::check("expect, answer, forget", [](const std::vector<std::uint8_t>& choices) {
        simulation sim;
        station& post = sim.engine().station_at(0);
        std::vector<std::unique_ptr<waiter>> waiters;
        std::vector<std::uint64_t> tokens;
        std::vector<int> expected;  // calls
        std::vector<bool> open;
        std::uint64_t late = 0;
        post.home().enter([&] {
            for (const std::uint8_t choice : choices) {
                if (choice % 3 == 0 || tokens.empty()) {
                    waiters.push_back(std::make_unique<waiter>());
                    tokens.push_back(post.expect(*waiters.back()));
                    expected.push_back(0);
                    open.push_back(true);
                    continue;
                }
                const std::size_t which = choice / 3 % tokens.size();
                if (choice % 3 == 1) {
                    post.answer(tokens[which], static_cast<int>(which));
                    expected[which] += open[which];
                    late += !open[which];
                } else {
                    post.forget(tokens[which]);
                }
                open[which] = false;
            }
            for (std::size_t i = 0; i < tokens.size(); ++i)
                post.forget(tokens[i]);
        });
        for (std::size_t i = 0; i < waiters.size(); ++i) {
            RC_ASSERT(waiters[i]->calls == expected[i]);
            RC_ASSERT(waiters[i]->calls == 0 || waiters[i]->value == static_cast<int>(i));
            for (std::size_t j = 0; j < i; ++j)
                RC_ASSERT(tokens[i] != tokens[j]);
        }
        RC_ASSERT(sim.engine().figures().late_replies == late);
    }));
}

TEST_CASE("ask: a stop can be awaited from another actor", "[kernel][ask]")
{
    simulation sim;
    const auto in_line = GENERATE(false, true);
    const auto awaiter = on(GENERATE(0U, 1U));
    std::chrono::nanoseconds ended{};

    SECTION("of one that takes its time")
    {
        const pid target = sim.engine().spawn(on(0), ends_slowly);
        sim.run_until_idle();
        sim.engine().spawn(awaiter, awaits_stop, target, in_line, &ended);
        sim.advance(2s);
        CHECK(ended == 0s);
        sim.advance(1s);
        CHECK(ended == 1s + 3s);  // virtual time begins at one second
    }
    SECTION("of one that is gone")
    {
        const pid target = sim.engine().spawn(on(0), helper);
        sim.stop(target);
        sim.engine().spawn(awaiter, awaits_stop, target, in_line, &ended);
        sim.run_until_idle();
        CHECK(ended == 1s);
    }
    SECTION("and the awaiting one may be stopped meanwhile")
    {
        const pid target = sim.engine().spawn(on(0), ends_slowly);
        sim.run_until_idle();
        const pid waiting = sim.engine().spawn(awaiter, awaits_stop, target, in_line, &ended);
        sim.run_until_idle();
        sim.stop(waiting);
        sim.advance(5s);
        CHECK(ended == 0s);
        CHECK(sim.engine().figures().live == 0);
    }
}

TEST_CASE("ask: a child may stop its parent and wait for it", "[kernel][ask]")
{
    simulation sim;
    event_record events(sim.engine());
    pid child;
    const pid parent = sim.engine().spawn(has_rebel, &child);
    sim.run_until_idle();

    sim.send(child, number{});
    sim.run_until_idle();

    CHECK(events.end_of(child) == 0);
    CHECK(events.end_of(parent) == 1);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("ask: a failure names who asked whom, and from where", "[kernel][ask]")
{
    struct seeker {
        static task<> body(context& self, pid to, bool is_cancelled, std::string* said)
        {
            if (is_cancelled)
                self.stop();
            try {
                static_cast<void>(co_await self.ask(to, twice{1}, 50ms));
            } catch (const error& failed) {
                *said = failed.what();
            }
        }
    };
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U));
    const pid mute = sim.engine().spawn("mute", [](context&) -> task<> { co_await sleep_for(1h); });
    std::string said;
    SECTION("in time")
    {
        sim.engine().spawn("seeker", &seeker::body, mute, false, &said);
        sim.advance(1s);
        CHECK(said.find("seeker asked mute (" + mute.to_string() + ") within 50 ms, at ask.test.cpp:") !=
            std::string::npos);
    }
    SECTION("in a scope that was cancelled")
    {
        sim.engine().spawn("seeker", &seeker::body, mute, true, &said);
        sim.advance(1s);
        CHECK(
            said.find("seeker asked mute (" + mute.to_string() + "), at ask.test.cpp:") != std::string::npos);
    }
    sim.stop(mute);
}
