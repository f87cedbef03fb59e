// SPDX-License-Identifier: MIT

#include <costar/actor/future.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>
#include <support/later.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// What became of a future, and when.
struct outcome {
    error_code code;
    int value = 0;
    std::chrono::nanoseconds after{};
};

task<outcome> outcome_of(context& self, future<int> asked)
{
    const auto begun = self.now();
    const auto answer = co_await as_result(std::move(asked));
    outcome seen{.code = answer ? error_code() : answer.error(), .after = self.now() - begun};
    if (answer)
        seen.value = *answer;
    co_return seen;
}

/// Notes what becomes of one future.
task<> asks(context& self, pid to, later asked, std::chrono::nanoseconds timeout, std::vector<outcome>* seen)
{
    seen->push_back(co_await outcome_of(self, self.ask_future(to, asked, timeout)));
}

/// What came of a future that was piped.
struct piped {
    std::vector<int> values;
    std::vector<failed_ask> failures;
    std::vector<pid> senders;
    int others = 0;
};

task<> hears(context& self, piped* heard)
{
    while (auto received = co_await self.receive()) {
        heard->senders.push_back(received.sender());
        received.match([&](int value) { heard->values.push_back(value); },
            [&](std::unique_ptr<int>& value) { heard->values.push_back(*value); },
            [&](failed_ask& failed) { heard->failures.push_back(failed); },
            [&](std::monostate&) { ++heard->others; }, [&](brittle&) { ++heard->others; });
    }
}

}  // namespace

TEST_CASE("future: is awaited later, as often as one likes", "[actor][future]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::vector<int> seen;

    sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to, std::vector<int>* seen) -> task<> {
            const auto answer = self.ask_future(to, later{7, 10ms});
            CHECK_FALSE(answer.ready());
            seen->push_back(co_await answer);
            CHECK(answer.ready());
            const int& again = co_await answer;
            const int& still = co_await answer;
            CHECK(&again == &still);
            seen->push_back(again);
        },
        to, &seen);
    sim.advance(1s);

    CHECK(seen == std::vector{7, 7});
}

TEST_CASE("future: its request is sent at once", "[actor][future]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::chrono::nanoseconds waited{};

    sim.engine().spawn(
        on(1),
        [](context& self, pid to, std::chrono::nanoseconds* waited) -> task<> {
            const auto slow = self.ask_future(to, later{1, 300ms});
            const auto quick = self.ask_future(to, later{2, 100ms});
            const auto begun = self.now();
            co_await sleep_for(200ms);
            CHECK(quick.ready());
            CHECK_FALSE(slow.ready());
            const int second = co_await quick;
            const int first = co_await slow;
            CHECK(second == 2);
            CHECK(first == 1);
            *waited = self.now() - begun;
        },
        to, &waited);
    sim.advance(1s);

    CHECK(waited == 300ms);
}

TEST_CASE("future: is awaited by several coroutines at a time", "[actor][future]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::vector<int> seen;

    sim.engine().spawn(
        on(1),
        [](context& self, pid to, std::vector<int>* seen) -> task<> {
            struct reads {
                static task<> value(const future<int>& from, std::vector<int>* seen)
                {
                    seen->push_back(co_await from);
                }
            };
            const auto answer = self.ask_future(to, later{3, 10ms});
            co_await when_all(
                reads::value(answer, seen), reads::value(answer, seen), reads::value(answer, seen));
        },
        to, &seen);
    sim.advance(1s);

    CHECK(seen == std::vector{3, 3, 3});
}

TEST_CASE("future: gives its value away once", "[actor][future]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    int seen = 0;

    sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to, int* seen) -> task<> {
            auto answer = self.ask_future(to, fetch{5});
            std::unique_ptr<int> value = co_await std::move(answer);
            CHECK_FALSE(answer);
            CHECK(answer.ready());
            const auto again = co_await as_result(std::move(answer));
            CHECK(again.error() == errc::cancelled);
            *seen = *value;
            co_await self.ask_future(to, knock{});
            *seen += *co_await self.ask_future(to, fetch{1});
        },
        to, &seen);
    sim.run_until_idle();

    CHECK(seen == 6);
}

TEST_CASE("future: whoever still waits when the value is given away is cancelled", "[actor][future]")
{
    simulation sim(GENERATE(1U, 2U, 3U, 4U));
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::optional<error_code> left;
    int taken = 0;

    sim.engine().spawn(
        on(1),
        [](context& self, pid to, std::optional<error_code>* left, int* taken) -> task<> {
            struct reads {
                static task<> value(const future<int>& from, std::optional<error_code>* left)
                {
                    try {
                        const int value = co_await from;
                        CHECK(value == 4);
                        *left = error_code();
                    } catch (const error& thrown) {
                        *left = thrown.code();
                    }
                }
            };
            auto answer = self.ask_future(to, later{4, 10ms});
            self.spawn_task(reads::value(answer, left));
            co_await yield();
            co_await yield();
            *taken = co_await std::move(answer);
            co_await sleep_for(1s);
        },
        to, &left, &taken);
    sim.advance(2s);

    CHECK(taken == 4);
    REQUIRE(left);
    CHECK((*left == errc::cancelled || !*left));  // as the seed will have it, but not left behind
}

TEST_CASE("future: its deadline counts from the sending", "[actor][future]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::vector<outcome> seen;

    SECTION("and is the one that was given")
    {
        sim.engine().spawn(on(GENERATE(0U, 1U)), asks, to, later{1, 2s}, 500ms, &seen);
        sim.advance(499ms);
        CHECK(seen.empty());
        sim.advance(1ms);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::timed_out);
        CHECK(seen[0].after == 500ms);
        sim.advance(2s);
        CHECK(sim.engine().figures().late_replies == 1);
    }
    SECTION("and is five seconds when nothing is said")
    {
        sim.engine().spawn(on(1), asks, to, later{1, 1h}, context::default_timeout, &seen);
        sim.advance(1min);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].after == 5s);
    }
    SECTION("whenever it is awaited")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, std::vector<outcome>* seen) -> task<> {
                auto asked = self.ask_future(to, later{1, 1h}, 1s);
                co_await sleep_for(3s);
                CHECK(asked.ready());
                seen->push_back(co_await outcome_of(self, std::move(asked)));
            },
            to, &seen);
        sim.advance(4s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::timed_out);
        CHECK(seen[0].after == 0s);
    }
}

TEST_CASE("future: ends no later than the request that is being handled", "[actor][future]")
{
    struct middle {
        static task<> body(context& self, pid to, int how, std::vector<outcome>* seen)
        {
            while (auto received = co_await self.receive()) {
                if (how == 0) {
                    co_await asks(self, to, later{1, 1h}, 10s, seen);
                } else if (how == 1) {
                    self.spawn_task(asks(self, to, later{1, 1h}, 10s, seen));
                    co_await sleep_for(1s);
                } else {
                    std::optional<future<int>> made;
                    asio::post(
                        self.get_executor(), [&] { made.emplace(self.ask_future(to, later{1, 1h}, 10s)); });
                    co_await sleep_for(1ms);
                    seen->push_back(co_await outcome_of(self, std::move(*made)));
                }
                received.match([](twice&) { return 1; });
            }
        }
    };
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::vector<outcome> seen;
    const auto ask_middle = [&](int how) {
        const pid asked = sim.engine().spawn(on(1), &middle::body, to, how, &seen);
        sim.engine().ask(asked, twice{1}, 300ms, [](error_code, int) {});
        sim.advance(300ms);
    };

    SECTION("in the body")
    {
        ask_middle(0);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::timed_out);
        CHECK(seen[0].after == 300ms);
    }
    SECTION("but in a task beside the body it is on its own")
    {
        ask_middle(1);
        CHECK(seen.empty());
        sim.advance(10s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].after == 10s);
    }
    SECTION("and so it is in a handler of the strand")
    {
        ask_middle(2);
        CHECK(seen.empty());
        sim.advance(10s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].after == 10s - 1ms);
    }
}

TEST_CASE("future: ends at once where nobody can answer", "[actor][future]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<outcome> seen;
    const auto asker = on(GENERATE(0U, 1U));
    const pid to = sim.engine().spawn(on(0), answers_later);

    SECTION("the receiver is gone")
    {
        sim.stop(to);
        sim.engine().spawn(asker, asks, to, later{}, 1s, &seen);
        sim.run_until_idle();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::no_such_actor);
    }
    SECTION("the receiver ends meanwhile")
    {
        sim.engine().spawn(asker, asks, to, later{1, 1h}, 1s, &seen);
        sim.run_until_idle();
        sim.stop(to);
        sim.run_until_idle();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::actor_stopped);
    }
    SECTION("the receiver lets go of it")
    {
        sim.engine().spawn(asker, asks, to, later{1, 0ms, true}, 1s, &seen);
        sim.run_until_idle();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::unanswered);
    }
    SECTION("the receiver crashes over it")
    {
        std::optional<error_code> failed;
        sim.engine().spawn(
            asker,
            [](context& self, pid to, std::optional<error_code>* failed) -> task<> {
                *failed = (co_await as_result(self.ask_future(to, crash_asked{}))).error();
            },
            to, &failed);
        sim.run_until_idle();
        CHECK(failed == errc::actor_failed);
    }
    CHECK(sim.now() == 0s);
}

TEST_CASE("future: its error says who asked whom", "[actor][future]")
{
    simulation sim;
    const pid to = sim.engine().spawn("oracle", answers_later);
    std::string said;

    const pid asker = sim.engine().spawn(
        "seeker",
        [](context& self, pid to, std::string* said) -> task<> {
            try {
                static_cast<void>(co_await self.ask_future(to, later{1, 1h}, 1s));
            } catch (const error& thrown) {
                *said = thrown.what();
            }
        },
        to, &said);
    sim.advance(2s);

    CHECK(said.find("seeker asked oracle (" + to.to_string() + ")") != std::string::npos);
    static_cast<void>(asker);
}

TEST_CASE("future: one that would close a circle of questions is refused", "[actor][future]")
{
    struct in_circle {
        static task<> body(context& self, const pid* other, bool by_future, std::vector<std::string>* refused)
        {
            while (auto received = co_await self.receive()) {
                try {
                    if (by_future) {
                        const auto answer = self.ask_future(*other, twice{1}, 24h);
                        static_cast<void>(co_await answer);
                    } else {
                        static_cast<void>(co_await self.ask(*other, twice{1}, 24h));
                    }
                } catch (const error& thrown) {
                    if (thrown.code() == errc::request_circle)
                        refused->push_back(thrown.what());
                }
                received.match([](twice& m) { return m.value; });
            }
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<std::string> refused;
    pid ada;
    // On one strand the last question is found to close the circle when it is asked, and on another one when
    // it arrives; the future must be awaited by then.
    const std::uint32_t strand = GENERATE(0U, 1U);
    const pid bob = sim.engine().spawn("bob", on(0), &in_circle::body, &ada, true, &refused);
    ada = sim.engine().spawn("ada", on(strand), &in_circle::body, &bob, strand == 1, &refused);

    CHECK(sim.ask(bob, twice{3}) == 3);

    CHECK(sim.now() == 0s);
    CAPTURE(strand, sim.seed(), refused);
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].find("ada") != std::string::npos);
    CHECK(refused[0].find("bob") != std::string::npos);
}

TEST_CASE("future: its request carries headers", "[actor][future]")
{
    struct looks {
        static task<> body(context& self)
        {
            while (auto received = co_await self.receive()) {
                const std::string trace(received.headers().find("trace").value_or("none"));
                received.match([&](greet& m) { return m.who + " " + trace; });
            }
        }
    };
    simulation sim;
    const pid to = sim.engine().spawn(on(0), &looks::body);
    std::vector<std::string> seen;

    sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to, std::vector<std::string>* seen) -> task<> {
            seen->push_back(co_await self.ask_future(to, greet{"with"}, {{"trace", "7"}}));
            seen->push_back(co_await self.ask_future(to, greet{"without"}));
        },
        to, &seen);
    sim.run_until_idle();

    CHECK(seen == std::vector<std::string>{"with 7", "without none"});
}

TEST_CASE("future: one that is cancelled or dropped forgets its request", "[actor][future]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::vector<outcome> seen;

    SECTION("cancelled while others wait")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, std::vector<outcome>* seen) -> task<> {
                struct cancels {
                    static task<> soon(future<int>& asked)
                    {
                        co_await sleep_for(100ms);
                        asked.cancel();
                        asked.cancel();
                    }
                };
                auto asked = self.ask_future(to, later{1, 1s});
                self.spawn_task(cancels::soon(asked));
                const auto begun = self.now();
                co_await asked.wait();
                CHECK(self.now() - begun == 100ms);
                seen->push_back(co_await outcome_of(self, std::move(asked)));
            },
            to, &seen);
        sim.advance(200ms);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::cancelled);
        sim.advance(2s);
        CHECK(sim.engine().figures().late_replies == 1);
    }
    SECTION("cancelled when the value is there: that changes nothing")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, std::vector<outcome>* seen) -> task<> {
                auto asked = self.ask_future(to, later{1, 1s});
                co_await asked.wait();
                asked.cancel();
                seen->push_back(co_await outcome_of(self, std::move(asked)));
            },
            to, &seen);
        sim.advance(2s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].value == 1);
        CHECK(sim.engine().figures().late_replies == 0);
    }
    SECTION("dropped")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to) -> task<> {
                static_cast<void>(self.ask_future(to, later{1, 1s}));
                co_return;
            },
            to);
        sim.run_until_idle();
        CHECK(sim.engine().station_at(1).home().next_timer() == UINT64_MAX);  // nor is its deadline left
        sim.advance(2s);
        CHECK(sim.engine().figures().late_replies == 1);
    }
    SECTION("dropped with the actor that asked")
    {
        const pid asker = sim.engine().spawn(on(1), asks, to, later{1, 1s}, 10s, &seen);
        sim.run_until_idle();
        sim.stop(asker);
        sim.advance(2s);
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].code == errc::cancelled);
        CHECK(sim.engine().figures().late_replies == 1);
    }
    SECTION("an empty one has nothing to forget")
    {
        future<int> none;
        none.cancel();
        none.pipe_to(to);
        CHECK(none.ready());
        CHECK_FALSE(none);
    }
}

TEST_CASE("future: a wait that is cancelled leaves the request as it is", "[actor][future]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), answers_later);
    int seen = 0;

    sim.engine().spawn(
        on(1),
        [](context& self, pid to, int* seen) -> task<> {
            const auto asked = self.ask_future(to, later{9, 500ms});
            const auto first = co_await when_any(asked.wait(), sleep_for(100ms));
            CHECK(first.index() == 1);
            const auto timed = co_await as_result(with_timeout(100ms, asked.wait()));
            CHECK(timed.error() == errc::timed_out);
            CHECK_FALSE(asked.ready());
            *seen = co_await asked;
        },
        to, &seen);
    sim.advance(1s);

    CHECK(seen == 9);
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("future: nothing is sent for an actor that is told to stop", "[actor][future]")
{
    simulation sim;
    std::vector<int> numbers;
    const pid to = sim.engine().spawn(on(0), recorder, &numbers);
    std::optional<error_code> failed;
    const pid asker = sim.engine().spawn(
        on(1),
        [](context& self, pid to, std::optional<error_code>* failed) -> task<> {
            while (co_await self.receive()) {}
            auto asked = self.ask_future(to, later{});
            CHECK(asked.ready());
            *failed = (co_await as_result(std::move(asked))).error();
        },
        to, &failed);

    sim.stop(asker);
    sim.run_until_idle();

    CHECK(failed == errc::cancelled);
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("future: is piped to actors, the value or the error", "[actor][future]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), answers_later);
    piped heard[2];
    const pid one = sim.engine().spawn(on(0), hears, &heard[0]);
    const pid two = sim.engine().spawn(on(1), hears, &heard[1]);

    SECTION("to several, and it is still awaited")
    {
        int seen = 0;
        const pid asker = sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one, pid two, int* seen) -> task<> {
                auto asked = self.ask_future(to, later{5, 1s});
                asked.pipe_to(one, two);
                *seen = co_await asked;
                asked.pipe_to(one);  // it is there already
            },
            to, one, two, &seen);
        sim.advance(2s);
        CHECK(seen == 5);
        CHECK(heard[0].values == std::vector{5, 5});
        CHECK(heard[1].values == std::vector{5});
        CHECK(heard[0].senders == std::vector{asker, asker});
    }
    SECTION("the error")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one) -> task<> {
                auto asked = self.ask_future(to, later{5, 1h}, 1s);
                asked.pipe_to(one);
                co_await asked.wait();
                std::move(asked).pipe_to(one);
            },
            to, one);
        sim.advance(2s);
        REQUIRE(heard[0].failures.size() == 2);
        for (const failed_ask& each : heard[0].failures) {
            CHECK(each.reason == errc::timed_out);
            CHECK(each.who == to);
            CHECK(each.request_name().find("later") != std::string::npos);
        }
    }
    SECTION("what was piped comes though the future is dropped and its actor gone")
    {
        const bool fails = GENERATE(false, true);
        const pid asker = sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one, pid two, bool fails) -> task<> {
                self.ask_future(to, later{5, 1s, fails}).pipe_to(one, two);
                co_return;
            },
            to, one, two, fails);
        sim.run_until_idle();
        CHECK(sim.engine().figures().live == 3);
        sim.advance(1s);
        for (const piped& each : heard) {
            CHECK(each.values.size() == (fails ? 0 : 1));
            CHECK(each.failures.size() == (fails ? 1 : 0));
            CHECK(each.senders == std::vector{asker});
        }
        CHECK(sim.engine().figures().late_replies == 0);
        CHECK(sim.engine().station_at(1).home().next_timer() == UINT64_MAX);
    }
    SECTION("a cancelled one")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one) -> task<> {
                auto asked = self.ask_future(to, later{5, 1s});
                asked.pipe_to(one);
                asked.cancel();
                co_return;
            },
            to, one);
        sim.advance(2s);
        REQUIRE(heard[0].failures.size() == 1);
        CHECK(heard[0].failures[0].reason == errc::cancelled);
    }
    SECTION("a value that cannot be copied is given away")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one, pid two) -> task<> {
                self.ask_future(to, fetch{6}).pipe_to(one);
                auto asked = self.ask_future(to, fetch{7});
                co_await asked.wait();
                std::move(asked).pipe_to(two);
                CHECK_FALSE(asked);
            },
            to, one, two);
        sim.run_until_idle();
        CHECK(heard[0].values == std::vector{6});
        CHECK(heard[1].values == std::vector{7});
    }
    SECTION("no value at all, and one whose copy throws")
    {
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one, pid two) -> task<> {
                self.ask_future(to, knock{}).pipe_to(one, two);
                self.ask_future(to, get_brittle{}).pipe_to(one, two);
                co_return;
            },
            to, one, two);
        sim.run_until_idle();
        CHECK(heard[0].others == 1);
        REQUIRE(heard[0].failures.size() == 1);
        CHECK(heard[0].failures[0].reason == errc::wrong_reply);
        CHECK(heard[1].others == 2);  // the last one gets the value itself
    }
    SECTION("to nobody that is there: a dead letter")
    {
        sim.stop(one);
        sim.engine().spawn(
            on(1),
            [](context& self, pid to, pid one) -> task<> {
                self.ask_future(to, later{5, 1s}).pipe_to(one);
                co_return;
            },
            to, one);
        sim.advance(1s);
        CHECK(sim.engine().figures().dead_letters == 1);
    }
}

TEST_CASE("future: leaves nothing behind", "[actor][future]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    piped heard;
    const pid listener = sim.engine().spawn(on(0), hears, &heard);
    struct uses_them {
        static task<> body(context& self, pid to, pid listener)
        {
            std::vector<future<int>> asked;
            for (int i = 0; i < 20; ++i)
                asked.push_back(self.ask_future(to, later{i, i * 1ms}, 10ms));
            asked[0].pipe_to(listener, listener);
            asked[19].pipe_to(listener);
            asked[3].cancel();
            static_cast<void>(co_await n_of(3, std::move(asked)));
        }
    };
    const auto blocks = [&] {
        return sim.engine().station_at(0).home().arena().live_blocks() +
            sim.engine().station_at(1).home().arena().live_blocks();
    };
    sim.engine().spawn(on(1), &uses_them::body, to, listener);
    sim.advance(1s);
    const std::size_t before = blocks();

    for (int i = 0; i < 10; ++i)
        sim.engine().spawn(on(1), &uses_them::body, to, listener);
    sim.advance(1s);

    CHECK(blocks() == before);
    CHECK(heard.values.size() == 22);
    CHECK(heard.failures.size() == 11);
}

TEST_CASE("future: is destroyed with the engine, wherever it is", "[actor][future]")
{
    auto sim = std::make_unique<simulation>();
    const pid to = sim->engine().spawn(on(0), slow, 1h);
    struct waits {
        static task<> for_one(context& self, pid to)
        {
            auto asked = self.ask_future(to, twice{1}, 24h);
            asked.pipe_to(to);
            self.ask_future(to, twice{1}, 24h).pipe_to(to);
            co_await asked;
        }
        static task<> for_several(context& self, pid to)
        {
            std::vector<future<int>> asked;
            asked.push_back(self.ask_future(to, twice{1}, 24h));
            asked.push_back(self.ask_future(to, twice{1}, 24h));
            asked[0].pipe_to(to);
            co_await all_of(std::move(asked));
        }
        static task<> to_take(context& self, pid to)
        {
            static_cast<void>(co_await self.ask_future(to, twice{1}, 24h));
        }
    };
    for (const std::uint32_t strand : {0U, 1U}) {
        sim->engine().spawn(on(strand), &waits::for_one, to);
        sim->engine().spawn(on(strand), &waits::for_several, to);
        sim->engine().spawn(on(strand), &waits::to_take, to);
    }
    sim->run_until_idle();
    CHECK(sim->engine().figures().live == 7);

    sim.reset();
}
