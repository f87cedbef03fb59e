// SPDX-License-Identifier: MIT

#include <costar/core/when.hpp>

#include <costar/core/result.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "delayed_tasks.hpp"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace {

using costar::errc;
using costar::task;
using costar::when_all;
using costar::when_any;
using costar::with_timeout;
using support::fail_after;
using support::later;
using support::lingering;
using support::manual_strands;
using support::pause;
using support::tracked;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("when_all: it gives all values in order after the last has come", "[core][when]")
{
    manual_strands strands;
    const auto body = []() -> task<> {
        auto [text, none, number] = co_await when_all(
            later<std::string>(3ms, "three"), pause(1ms), later(2ms, std::make_unique<int>(2)));
        CHECK(text == "three");
        CHECK(*number == 2);
        static_assert(std::is_same_v<decltype(none), std::monostate>);
    };

    strands.run(body());

    CHECK(strands.now() == 3ms);
}

TEST_CASE("when_all: of nothing it ends at once", "[core][when]")
{
    manual_strands strands;
    const auto body = []() -> task<std::size_t> {
        static_cast<void>(co_await when_all());
        const std::vector<int> none = co_await when_all(std::vector<task<int>>());
        co_return none.size();
    };

    CHECK(strands.run(body()) == 0);
}

TEST_CASE("when_all: a vector of tasks gives a vector of values", "[core][when]")
{
    manual_strands strands;
    const auto values = []() -> task<std::vector<int>> {
        std::vector<task<int>> tasks;
        for (int i = 0; i < 100; ++i)
            tasks.push_back(later((100 - i) * 1ms, i));
        co_return co_await when_all(std::move(tasks));
    };
    const auto none = []() -> task<> {
        std::vector<task<>> tasks;
        tasks.push_back(pause(1ms));
        tasks.push_back(pause(2ms));
        co_await when_all(std::move(tasks));
    };

    const std::vector<int> all = strands.run(values());
    strands.run(none());

    REQUIRE(all.size() == 100);
    CHECK(all[42] == 42);
    CHECK(strands.now() == 102ms);
}

TEST_CASE("when_all: references stay references", "[core][when]")
{
    manual_strands strands;
    int first = 1;
    int second = 2;
    const auto refer = [](int& object) -> task<int&> { co_return object; };
    const auto body = [](auto refer, int& first, int& second) -> task<> {
        auto [a, b] = co_await when_all(refer(first), refer(second));
        a.get() = 10;
        auto any = co_await when_any(refer(second), costar::sleep_for(1s));
        std::get<0>(any).get() = 20;
        co_await with_timeout(1s, refer(first)) += 1;
    };

    strands.run(body(refer, first, second));

    CHECK(first == 11);
    CHECK(second == 20);
}

TEST_CASE(
    "when_all: the first exception passes after the others were cancelled and have ended", "[core][when]")
{
    manual_strands strands;
    bool ended = false;
    auto started = strands.start([](bool& ended) -> task<> {
        CHECK_THROWS_AS(
            co_await when_all(lingering(1h, ended), fail_after(1ms), fail_after(2ms)), std::runtime_error);
        CHECK(ended);
    }(ended));

    strands.advance(1ms);

    CHECK(started->has_ended());
    started->get();
    CHECK(strands.next_timer() == UINT64_MAX);
}

TEST_CASE("when_all: as_result keeps the outcome of each branch", "[core][when]")
{
    manual_strands strands;
    const auto body = []() -> task<> {
        auto [value, late] = co_await when_all(
            costar::as_result(later(1ms, 1)), costar::as_result(with_timeout(1ms, pause(1h))));
        CHECK(value.value() == 1);
        CHECK(late.error() == errc::timed_out);
    };

    strands.run(body());
}

TEST_CASE("when: they can be nested and awaited together with anything", "[core][when]")
{
    manual_strands strands;
    const auto body = []() -> task<int> {
        auto [first, all, timed] = co_await when_all(when_any(later(1ms, 1), later(2ms, 20)),
            when_all(later(3ms, 300), pause(1ms)), with_timeout(1s, later(4ms, 4000)));
        std::vector<task<int>> tasks;
        tasks.push_back(later(1ms, 50'000));
        auto last = co_await with_timeout(1s, when_all(std::move(tasks)));
        co_return std::get<0>(first) + std::get<0>(all) + timed + last.front();
    };

    CHECK(strands.run(body()) == 54301);
    CHECK(strands.now() == 5ms);
}

TEST_CASE("when: groups that are destroyed where they wait leave nothing behind", "[core][when]")
{
    int alive = 0;
    {
        manual_strands strands;
        const auto branch = [](tracked, std::chrono::nanoseconds delay) -> task<> {
            co_await costar::sleep_for(delay);
        };
        const auto body = [](auto branch, int& alive) -> task<> {
            const tracked local(alive);
            std::vector<task<>> tasks;
            tasks.push_back(branch(tracked(alive), 1h));
            co_await when_all(when_any(branch(tracked(alive), 1h), branch(tracked(alive), 2h)),
                when_all(std::move(tasks)), costar::shield(branch(tracked(alive), 1h)),
                with_timeout(1h, branch(tracked(alive), 3h)), branch(tracked(alive), 0h));
        };
        strands.start(body(branch, alive));
        strands.run();
        REQUIRE(alive > 5);
    }

    CHECK(alive == 0);
}

namespace {

/// A task with many suspensions of all kinds; notes how far it came.
task<int> winding(int& alive, int& steps)
{
    const tracked local(alive);
    const auto step = [](int& alive, int& steps) -> task<> {
        const tracked local(alive);
        co_await costar::sleep_for(1ms);
        ++steps;
        co_await costar::yield();
        ++steps;
    };
    co_await step(alive, steps);
    co_await when_all(step(alive, steps), step(alive, steps), with_timeout(1s, step(alive, steps)));
    auto first = co_await when_any(step(alive, steps), pause(1h));
    static_cast<void>(first);
    co_await with_timeout(5ms, when_any(step(alive, steps), when_all(step(alive, steps), pause(3ms))));
    co_await costar::shield(step(alive, steps));
    std::vector<task<>> tasks;
    tasks.push_back(step(alive, steps));
    tasks.push_back(step(alive, steps));
    co_await when_all(std::move(tasks));
    co_await costar::sleep_for(1ms);
    co_return steps;
}

/// Cancels `winding` after so many turns of at most one coroutine each. True when it ended before.
bool cancel_after(int turns)
{
    int alive = 0;
    int steps = 0;
    bool ended_before = false;
    {
        manual_strands strands;
        auto started = strands.start(winding(alive, steps));
        while (turns-- > 0 && !started->has_ended()) {
            if (!strands[0].step() && !strands[0].has_work())
                strands.clock().set(strands.next_timer());
        }
        ended_before = started->has_ended();
        started->cancel();
        strands.advance(1ms);  // a shield may need it
        strands.advance(1ms);
        CHECK(started->has_ended());
        if (ended_before)
            CHECK(started->get() > 10);
        else if (started->code())
            CHECK(started->code() == errc::cancelled);
        CHECK(alive == 0);
        CHECK(strands.next_timer() == UINT64_MAX);
    }
    return ended_before;
}

}  // namespace

TEST_CASE("when: a task can be cancelled wherever it waits", "[core][when]")
{
    // Goal: no way of stopping leaves a frame, a timer or a task that hangs. Method: cancel after each single
    // step in turn, until the task ends by itself before its turn comes.
    int turns = 0;
    while (!cancel_after(turns))
        ++turns;

    CHECK(turns > 40);
}

TEST_CASE("when: a task can be destroyed wherever it waits", "[core][when]")
{
    // Goal: an engine may end at any moment. Method: as above, but the strand ends instead.
    for (int turns = 0;; ++turns) {
        int alive = 0;
        int steps = 0;
        bool ended = false;
        {
            manual_strands strands;
            auto started = strands.start(winding(alive, steps));
            for (int i = 0; i < turns && !started->has_ended(); ++i)
                if (!strands[0].step() && !strands[0].has_work())
                    strands.clock().set(strands.next_timer());
            ended = started->has_ended();
        }
        CHECK(alive == 0);
        if (ended)
            break;
    }
}
