// SPDX-License-Identifier: MIT

#include <costar/core/timer.hpp>

#include <costar/core/when.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace {

using costar::task;
using support::manual_strands;
using namespace std::chrono_literals;

task<> note_after(std::chrono::nanoseconds delay, int number, std::vector<int>& order)
{
    co_await costar::sleep_for(delay);
    order.push_back(number);
}

task<> note_end(
    manual_strands& strands, std::vector<std::chrono::nanoseconds>& ended, std::chrono::nanoseconds length)
{
    co_await costar::sleep_for(length);
    if (strands.now() == length)
        ended.push_back(length);
}

}  // namespace

TEST_CASE("timer: a sleep ends when its time is over and not before", "[core][timer]")
{
    manual_strands strands;
    auto sleeping = strands.start([]() -> task<> { co_await costar::sleep_for(5ms); }());

    strands.advance(5ms - 1ns);
    CHECK_FALSE(sleeping->has_ended());
    strands.advance(1ns);

    CHECK(sleeping->has_ended());
    CHECK(strands.now() == 5ms);
}

TEST_CASE("timer: sleeps end in the order of their times", "[core][timer]")
{
    manual_strands strands;
    std::vector<int> order;
    for (const int each : {3, 1, 2})
        strands.start(note_after(each * 1s, each, order));

    strands.advance(1min);

    CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE(
    "timer: a sleep is measured from when it begins, not from the beginning of the turn", "[core][timer]")
{
    manual_strands strands;
    auto sleeping = strands.start([](costar::manual_clock& clock) -> task<> {
        clock.advance(50ms);  // computes for long
        co_await costar::sleep_for(10ms);
    }(strands.clock()));

    strands.run();

    CHECK_FALSE(sleeping->has_ended());
    strands.advance(10ms);
    CHECK(sleeping->has_ended());
}

TEST_CASE("timer: a sleep of nothing gives others a turn and needs no time", "[core][timer]")
{
    manual_strands strands;
    std::vector<int> order;
    const auto delay = GENERATE(0ns, -5ns);
    strands.start(note_after(delay, 1, order));
    strands.start([](std::vector<int>& order) -> task<> {
        order.push_back(2);
        co_return;
    }(order));

    strands.run();

    CHECK(order == std::vector<int>{2, 1});
    CHECK(strands.now() == 0ns);
}

TEST_CASE("timer: the longest durations do not overflow", "[core][timer]")
{
    manual_strands strands;
    const auto forever = []() -> task<> { co_await costar::sleep_for(std::chrono::hours::max()); };
    const auto longest = []() -> task<> { co_await costar::sleep_for(std::chrono::nanoseconds::max()); };
    auto first = strands.start(forever());
    auto second = strands.start(longest());

    strands.advance(24h * 365);

    CHECK_FALSE(first->has_ended());
    CHECK_FALSE(second->has_ended());
    first->cancel();
    second->cancel();
    strands.run();
    CHECK(first->code() == costar::errc::cancelled);
    CHECK(strands.next_timer() == UINT64_MAX);
}

TEST_CASE("timer: durations that do not fit become the longest and the shortest", "[core][timer]")
{
    using costar::machine::as_nanoseconds;
    using std::chrono::nanoseconds;
    CHECK(as_nanoseconds(std::chrono::hours::max()) == nanoseconds::max());
    CHECK(as_nanoseconds(std::chrono::hours::min()) == nanoseconds::min());
    CHECK(as_nanoseconds(std::chrono::seconds(-10'000'000'000)) == nanoseconds::min());
    CHECK(as_nanoseconds(std::chrono::duration<double>(NAN)) == nanoseconds::min());
    CHECK(as_nanoseconds(-3s) == -3s);
}

TEST_CASE("timer: a cancelled sleep ends at once and leaves no timer", "[core][timer]")
{
    manual_strands strands;
    auto sleeping = strands.start([]() -> task<> { co_await costar::sleep_for(1h); }());
    strands.run();

    sleeping->cancel();
    strands.run();

    CHECK(sleeping->code() == costar::errc::cancelled);
    CHECK(strands.next_timer() == UINT64_MAX);
    CHECK(strands.now() == 0ns);
}

TEST_CASE("timer: a sleep in a scope that is cancelled does not begin", "[core][timer]")
{
    manual_strands strands;
    int caught = 0;
    auto unwilling = strands.start([](int& caught) -> task<> {
        for (int i = 0; i < 3; ++i) {
            try {
                co_await costar::sleep_for(1h);
            } catch (const costar::error&) {
                ++caught;
            }
        }
    }(caught));
    strands.run();

    unwilling->cancel();
    strands.run();

    CHECK(unwilling->has_ended());
    CHECK(caught == 3);
}

TEST_CASE("timer: a yield resumes behind what is ready, and is not cancelled", "[core][timer]")
{
    manual_strands strands;
    std::vector<int> order;
    const auto body = [](int number, std::vector<int>& order) -> task<> {
        order.push_back(number);
        co_await costar::yield();
        order.push_back(number);
    };
    auto first = strands.start(body(1, order));
    first->cancel();
    strands.start(body(2, order));

    strands.run();

    CHECK(order == std::vector<int>{1, 2, 1, 2});
    CHECK_FALSE(first->code());
}

TEST_CASE("timer: sleeps of any length end in order, whoever is cancelled in between", "[core][timer]")
{
    const auto holds = [](const std::vector<std::pair<unsigned, bool>>& plan) {
        manual_strands strands;
        std::vector<std::chrono::nanoseconds> ended;
        std::vector<std::shared_ptr<support::outcome<void>>> started;
        std::vector<std::chrono::nanoseconds> expected;
        for (const auto& [delay, cancelled] : plan) {
            const auto length = std::chrono::nanoseconds(std::uint64_t{delay} * 7919);
            started.push_back(strands.start(note_end(strands, ended, length)));
            strands.run();
            if (cancelled)
                started.back()->cancel();
            if (!cancelled || length == 0ns)
                expected.push_back(length);
            strands.run();
        }
        strands.advance(std::chrono::nanoseconds(std::uint64_t{UINT32_MAX} * 7919));
        std::sort(expected.begin(), expected.end());
        RC_ASSERT(ended == expected);
        RC_ASSERT(strands.next_timer() == UINT64_MAX);
    };

    CHECK(rc::check("sleeps end in order", holds));
}
