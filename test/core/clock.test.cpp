// SPDX-License-Identifier: MIT

#include <costar/core/clock.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

using namespace std::chrono_literals;

namespace {

class own_time final : public costar::machine::strand_time {
public:
    explicit own_time(costar::clock& clock) : strand_time(clock) {}
    using strand_time::fire_due;
    using strand_time::is_timer_due;

    /// What is announced now, 0 for nothing.
    std::uint64_t announced()
    {
        std::uint64_t told = 0;
        announce_timer([&](std::uint64_t due) { told = due; });
        return told;
    }
};

}  // namespace

TEST_CASE("manual_clock: time moves only when told, and never back", "[core][clock]")
{
    costar::manual_clock clock(5);
    CHECK(clock.now() == 5);

    clock.advance(1us);
    CHECK(clock.now() == 1005);
    clock.advance(-1us);
    clock.set(1000);
    CHECK(clock.now() == 1005);
    clock.set(2000);

    CHECK(clock.now() == 2000);
}

TEST_CASE("manual_clock: the date moves with the time, and is set without it", "[core][clock]")
{
    costar::manual_clock clock(5'000);
    const std::chrono::sys_days first = costar::manual_clock::first_day;
    CHECK(clock.wall() == first);
    CHECK(std::chrono::weekday(first) == std::chrono::Monday);

    clock.advance(36h);
    CHECK(clock.wall() == first + 36h);
    clock.set_wall(first - 1h);
    clock.advance(90min);

    CHECK(clock.wall() == first + 30min);
    CHECK(clock.now() == 5'000 + std::uint64_t{37 * 3600 + 1800} * 1'000'000'000);
}

TEST_CASE("clock: the date is the system's where a clock has none of its own", "[core][clock]")
{
    class counting final : public costar::clock {
    public:
        std::uint64_t now() noexcept override { return ++now_; }

    private:
        std::uint64_t now_ = 0;
    };
    counting clock;
    costar::real_clock real;

    const auto before = std::chrono::system_clock::now();
    const auto date = clock.wall();
    const auto real_date = real.wall();
    const auto after = std::chrono::system_clock::now();

    CHECK((before - 1h < date && date < after + 1h));  // the system's date may be set in between
    CHECK((before - 1h < real_date && real_date < after + 1h));
}

TEST_CASE("real_clock: time does not go back", "[core][clock]")
{
    costar::real_clock clock;

    const auto first = clock.now();
    const auto second = clock.now();

    CHECK(first <= second);
}

TEST_CASE("real_clock: a coarse time is never ahead", "[core][clock]")
{
    costar::real_clock clock;

    for (int i = 0; i < 1000; ++i) {
        const auto coarse = clock.coarse();
        CHECK(coarse <= clock.now());
        CHECK(clock.now() - coarse < 1'000'000'000);
    }
}

TEST_CASE("random_source: the same seed gives the same numbers", "[core][clock]")
{
    costar::random_source first(42);
    costar::random_source second(42);
    costar::random_source other(43);

    bool differs = false;
    for (int i = 0; i < 100; ++i) {
        const auto drawn = first.next();
        CHECK(drawn == second.next());
        differs = differs || drawn != other.next();
    }
    CHECK(differs);
}

TEST_CASE("random_source: the numbers are those of the published generators", "[core][clock]")
{
    // splitmix64 of 0 gives the state e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f f88bb8a8724c81ec;
    // the first output is rotl(state[1] * 5, 7) * 9.
    costar::random_source source(0);
    const std::uint64_t scaled = 0x6e789e6aa1b965f4U * 5;

    CHECK(source.next() == ((scaled << 7) | (scaled >> 57)) * 9);
}

TEST_CASE("random_source: below stays below its bound and reaches every number", "[core][clock]")
{
    const bool holds = rc::check("below(n) < n", [](std::uint64_t seed, std::uint64_t bound) {
        costar::random_source source(seed);
        const auto drawn = source.below(bound);
        RC_ASSERT((bound == 0 ? drawn == 0 : drawn < bound));
    });
    CHECK(holds);

    costar::random_source source(1);
    std::vector<int> counts(7);
    for (int i = 0; i < 7000; ++i) {
        ++counts[source.below(7)];
    }
    for (int count : counts) {
        CHECK(count > 800);
        CHECK(count < 1200);
    }
}

TEST_CASE("strand_time: its timers fire at the time that was read, not at that of the clock", "[core][clock]")
{
    costar::manual_clock clock(1000);
    own_time time(clock);
    costar::machine::timer_node timer;
    timer.fire = [](costar::machine::timer_node*) {};
    time.arm(timer, 2000);

    clock.set(2000);
    CHECK_FALSE(time.is_timer_due());
    time.read_clock();
    REQUIRE(time.is_timer_due());
    time.fire_due(1);

    CHECK_FALSE(timer.armed());
    CHECK_FALSE(time.is_timer_due());
    CHECK(time.next_timer() == UINT64_MAX);
}

TEST_CASE("strand_time: the next timer is announced when it is another than before", "[core][clock]")
{
    costar::manual_clock clock(1000);
    own_time time(clock);
    costar::machine::timer_node timer;
    CHECK(time.announced() == 0);

    time.arm(timer, 2000);
    CHECK(time.announced() == 2000);
    CHECK(time.announced() == 0);
    time.forget_announcement();
    CHECK(time.announced() == 2000);
    time.disarm(timer);

    CHECK(time.announced() == UINT64_MAX);
}
