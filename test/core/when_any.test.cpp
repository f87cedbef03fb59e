// SPDX-License-Identifier: MIT

#include <costar/core/when_any.hpp>

#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "delayed_tasks.hpp"

#include <stdexcept>
#include <string>
#include <variant>

namespace {

using costar::task;
using costar::when_any;
using support::fail_after;
using support::gives_anyway;
using support::later;
using support::lingering;
using support::manual_strands;
using support::pause;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("when_any: the first to end wins, and the losers have ended before its value is there",
    "[core][when_any]")
{
    manual_strands strands;
    bool ended = false;
    const auto body = [](bool& ended) -> task<std::string> {
        auto first = co_await when_any(lingering(1h, ended), later<std::string>(1ms, "won"), later(2ms, 2));
        CHECK(ended);
        CHECK(first.index() == 1);
        co_return std::get<1>(first);
    };

    CHECK(strands.run(body(ended)) == "won");
    CHECK(strands.now() == 1ms);
    CHECK(strands.next_timer() == UINT64_MAX);
}

TEST_CASE("when_any: an exception wins as well as a value", "[core][when_any]")
{
    manual_strands strands;
    const auto body = []() -> task<> { co_await when_any(fail_after(1ms), later(2ms, 2)); };

    CHECK_THROWS_AS(strands.run(body()), std::runtime_error);
    CHECK(strands.now() == 1ms);
}

TEST_CASE("when_any: one that ends without waiting wins at once", "[core][when_any]")
{
    manual_strands strands;
    const auto now = []() -> task<int> { co_return 5; };
    const auto body = [](auto now) -> task<int> {
        auto first = co_await when_any(now(), pause(1h));
        co_return std::get<0>(first);
    };

    CHECK(strands.run(body(now)) == 5);
    CHECK(strands.now() == 0ns);
}

TEST_CASE("when_any: what others had completed by then is kept", "[core][when_any]")
{
    manual_strands strands;
    const auto body = []() -> task<> {
        auto both = co_await when_any(later(1ms, 1), later<std::string>(1ms, "two"), later(2ms, 3));
        CHECK(both.index() == 0);
        REQUIRE(both.completed<0>() != nullptr);
        CHECK(*both.completed<0>() == 1);
        REQUIRE(both.completed<1>() != nullptr);
        CHECK(*both.completed<1>() == "two");
        CHECK(both.completed<2>() == nullptr);

        auto failed = co_await when_any(fail_after(1ms), later(1ms, 2));
        CHECK(failed.index() == 1);
        CHECK_THROWS_AS(failed.completed<0>(), std::runtime_error);

        auto late = co_await when_any(later(1ms, 1), gives_anyway(1h, 2));
        CHECK(late.index() == 0);
        CHECK(*late.completed<1>() == 2);
    };

    strands.run(body());
}

TEST_CASE("when_any: a branch that can be awaited again makes way for one that cannot", "[core][when_any]")
{
    manual_strands strands;
    const auto body = []() -> task<> {
        auto value = co_await when_any(costar::sleep_for(1ms), later(1ms, 2));
        CHECK(value.index() == 1);
        CHECK(value.completed<0>() == nullptr);
        CHECK_THROWS_AS(co_await when_any(costar::sleep_for(1ms), fail_after(1ms)), std::runtime_error);

        // What was cut short makes nobody wait, whatever it ends with.
        CHECK((co_await when_any(gives_anyway(1h, 1), costar::sleep_for(1ms))).index() == 1);
        CHECK((co_await when_any(costar::as_result(pause(1h)), costar::sleep_for(1ms))).index() == 1);
        const auto fails_when_cancelled = []() -> task<> {
            if (!co_await costar::as_result(pause(1h)))
                throw std::runtime_error("cancelled");
        };
        CHECK((co_await when_any(fails_when_cancelled(), costar::sleep_for(1ms))).index() == 1);

        // Nor does what has not begun.
        const auto at_once = []() -> task<int> { co_return 1; };
        CHECK((co_await when_any(costar::yield(), at_once())).index() == 1);
        CHECK((co_await when_any(at_once(), at_once())).index() == 0);
    };

    strands.run(body());
}
