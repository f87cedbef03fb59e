// SPDX-License-Identifier: MIT

#include <costar/core/with_timeout.hpp>

#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "delayed_tasks.hpp"

#include <exception>
#include <stdexcept>

namespace {

using costar::as_task;
using costar::errc;
using costar::task;
using costar::with_timeout;
using support::fail_after;
using support::gives_anyway;
using support::later;
using support::lingering;
using support::manual_strands;
using support::pause;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("with_timeout: it passes what comes in time, and ends what does not", "[core][with_timeout]")
{
    manual_strands strands;

    SECTION("a value in time")
    {
        CHECK(strands.run(as_task(with_timeout(2ms, later(1ms, 7)))) == 7);
        CHECK(strands.next_timer() == UINT64_MAX);
    }
    SECTION("an exception in time")
    {
        CHECK_THROWS_AS(strands.run(as_task(with_timeout(2ms, fail_after(1ms)))), std::runtime_error);
    }
    SECTION("too late")
    {
        bool ended = false;
        auto late = strands.start(as_task(with_timeout(1ms, lingering(1h, ended))));
        strands.advance(1ms);
        CHECK(late->code() == errc::timed_out);
        CHECK(ended);
        CHECK(strands.now() == 1ms);
    }
    SECTION("a value though the time is over")
    {
        CHECK(strands.run(as_task(with_timeout(1ms, gives_anyway(1h, 3)))) == 3);
        CHECK(strands.now() == 1ms);
    }
    SECTION("an error of its own when the time is over")
    {
        const auto fails = []() -> task<> {
            static_cast<void>(co_await costar::as_result(pause(1h)));
            throw std::runtime_error("failed");
        };
        CHECK_THROWS_AS(strands.run(as_task(with_timeout(1ms, fails()))), std::runtime_error);
    }
    SECTION("a result in place of an error")
    {
        const auto late = strands.run(as_task(with_timeout(1ms, costar::as_result(pause(1h)))));
        CHECK(late.error() == errc::timed_out);
    }
    SECTION("cancelled from outside")
    {
        auto cancelled = strands.start(as_task(with_timeout(1h, later(2h, 1))));
        strands.run();
        cancelled->cancel();
        strands.run();
        CHECK(cancelled->code() == errc::cancelled);
        CHECK(strands.next_timer() == UINT64_MAX);
    }
    SECTION("the inner of two")
    {
        auto inner = strands.start(as_task(with_timeout(1h, with_timeout(1ms, pause(1h)))));
        strands.advance(1ms);
        CHECK(inner->code() == errc::timed_out);
        CHECK(strands.now() == 1ms);
    }
    SECTION("the outer of two")
    {
        auto outer = strands.start(as_task(with_timeout(1ms, with_timeout(1h, pause(2h)))));
        strands.advance(1ms);
        CHECK(outer->code() == errc::timed_out);
    }
}

TEST_CASE("shield: what is shielded goes on when its task is cancelled, and the task after it is not",
    "[core][with_timeout]")
{
    manual_strands strands;
    bool cleaned = false;
    bool went_on = false;
    auto started = strands.start([](bool& cleaned, bool& went_on) -> task<> {
        co_await costar::shield([](bool& cleaned) -> task<> {
            co_await costar::sleep_for(1s);
            co_await costar::sleep_for(1s);
            cleaned = true;
        }(cleaned));
        co_await costar::sleep_for(1ms);
        went_on = true;
    }(cleaned, went_on));
    strands.run();

    started->cancel();
    strands.advance(1s);
    CHECK_FALSE(started->has_ended());
    strands.advance(1s);

    CHECK(cleaned);
    CHECK_FALSE(went_on);
    CHECK(started->code() == errc::cancelled);
}

TEST_CASE("shield: clean-up in a task that is cancelled already can wait, and returns its value",
    "[core][with_timeout]")
{
    manual_strands strands;
    int value = 0;
    auto started = strands.start([](int& value) -> task<> {
        std::exception_ptr failure;
        try {
            co_await costar::sleep_for(1h);
        } catch (...) {
            failure = std::current_exception();
        }
        value = co_await costar::shield(later(1ms, 6));
        std::rethrow_exception(failure);
    }(value));
    strands.run();

    started->cancel();
    strands.advance(1ms);

    CHECK(value == 6);
    CHECK(started->code() == errc::cancelled);
}
