// SPDX-License-Identifier: MIT

#include <costar/ground/timer_wheel.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace {

using costar::machine::timer_node;
using costar::machine::timer_wheel;

constexpr std::uint64_t tick = std::uint64_t{1} << 20;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t year = 365 * 24 * 3600 * second;

struct test_timer : timer_node {
    test_timer()
    {
        fire = [](timer_node* self) {
            auto& timer = *static_cast<test_timer*>(self);
            ++timer.fired;
            if (timer.then) {
                timer.then();
            }
        };
    }

    int fired = 0;
    std::function<void()> then;
};

}  // namespace

TEST_CASE("timer_wheel: a timer fires when it is due and not a nanosecond before", "[ground][timer_wheel]")
{
    const std::uint64_t start = GENERATE(std::uint64_t{0}, 1, 12'345'678'901);
    const std::uint64_t wait =
        GENERATE(std::uint64_t{1}, tick - 1, tick, tick + 1, 100 * tick + 5, 5 * second, 30 * year);
    timer_wheel wheel(start);
    test_timer timer;

    wheel.arm(timer, start + wait);

    CHECK(wheel.advance(start + wait - 1) == 0);
    CHECK(timer.armed());
    CHECK(wheel.advance(start + wait) == 1);
    CHECK(timer.fired == 1);
    CHECK_FALSE(timer.armed());
    CHECK(wheel.next_due() == UINT64_MAX);
}

TEST_CASE("timer_wheel: a timer due in the past fires at the next advance", "[ground][timer_wheel]")
{
    timer_wheel wheel(second);
    test_timer timer;

    wheel.arm(timer, 5);

    CHECK(wheel.next_due() == 5);
    CHECK(wheel.advance(second) == 1);
}

TEST_CASE("timer_wheel: the end of time is a time", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer timer;
    wheel.arm(timer, UINT64_MAX);

    CHECK(wheel.advance(UINT64_MAX - 1) == 0);
    CHECK(wheel.advance(UINT64_MAX) == 1);
}

TEST_CASE("timer_wheel: a cancelled timer does not fire", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer timer;
    wheel.cancel(timer);
    wheel.arm(timer, 5 * second);

    wheel.cancel(timer);
    wheel.cancel(timer);

    CHECK(wheel.next_due() == UINT64_MAX);
    CHECK(wheel.advance(10 * second) == 0);
    CHECK(timer.fired == 0);
}

TEST_CASE("timer_wheel: an armed timer may be armed anew", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer timer;
    wheel.arm(timer, second);

    wheel.arm(timer, 2 * second);

    CHECK(wheel.advance(second) == 0);
    CHECK(wheel.advance(2 * second) == 1);
}

TEST_CASE("timer_wheel: a bound of the next time does not outlive its timer", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer timer;
    wheel.arm(timer, year);
    CHECK(wheel.next_due() <= year);
    CHECK(wheel.next_due() > 0);

    wheel.cancel(timer);

    CHECK(wheel.next_due() == UINT64_MAX);
}

TEST_CASE("timer_wheel: seven steps along the next times reach any timer", "[ground][timer_wheel]")
{
    timer_wheel wheel(123);
    test_timer timer;
    wheel.arm(timer, 500 * year + 77);

    int steps = 0;
    while (timer.fired == 0) {
        REQUIRE(wheel.next_due() <= 500 * year + 77);
        wheel.advance(wheel.next_due());
        ++steps;
    }

    CHECK(steps <= 8);
}

TEST_CASE("timer_wheel: a periodic timer keeps its period in one long step", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer timer;
    std::vector<std::uint64_t> times;
    timer.then = [&] {
        times.push_back(timer.due);
        wheel.arm(timer, timer.due + second);
    };
    test_timer between;
    between.then = [&] { times.push_back(between.due); };
    wheel.arm(timer, second);
    wheel.arm(between, 2 * second + 1);

    wheel.advance(3 * second);

    CHECK(times == std::vector{second, 2 * second, 2 * second + 1, 3 * second});
    CHECK(wheel.next_due() <= 4 * second);
}

TEST_CASE("timer_wheel: a callback that arms for a time that has passed waits for the next advance",
    "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer timer;
    timer.then = [&] { wheel.arm(timer, second); };
    wheel.arm(timer, second);

    CHECK(wheel.advance(5 * second) == 1);
    CHECK(timer.armed());
    CHECK(wheel.next_due() == second);
    CHECK(wheel.advance(5 * second) == 1);
    CHECK(timer.fired == 2);
    timer.then = nullptr;
    wheel.cancel(timer);
}

TEST_CASE("timer_wheel: a callback may cancel what is due at the same time", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    test_timer first;
    test_timer second_timer;
    first.then = [&] { wheel.cancel(second_timer); };
    wheel.arm(first, second);
    wheel.arm(second_timer, second);

    CHECK(wheel.advance(second) == 1);
    CHECK(second_timer.fired == 0);
    CHECK(wheel.next_due() == UINT64_MAX);
}

TEST_CASE("timer_wheel: a callback may destroy its timer", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    auto timer = std::make_unique<test_timer>();
    timer->then = [&] { std::exchange(timer, nullptr); };
    wheel.arm(*timer, second);

    CHECK(wheel.advance(second) == 1);
    CHECK(timer == nullptr);
}

TEST_CASE("timer_wheel: many timers of one slot fire in order", "[ground][timer_wheel]")
{
    timer_wheel wheel(0);
    std::vector<test_timer> timers(1000);
    std::vector<std::pair<std::uint64_t, std::size_t>> order;
    for (std::size_t i = 0; i < timers.size(); ++i) {
        timers[i].then = [&, i] { order.emplace_back(timers[i].due, i); };
        wheel.arm(timers[i], 90 * tick + i * 7919 % 500);
    }

    wheel.advance(90 * tick + 250);
    CHECK(order.size() == 502);
    wheel.advance(91 * tick);

    CHECK(order.size() == timers.size());
    CHECK(std::is_sorted(order.begin(), order.end()));
}

namespace {

// The wheel beside a sorted map of (due, arming number): the simplest thing that is right.
class modelled_wheel {
public:
    explicit modelled_wheel(std::uint64_t now) : now_(now), passed_(now), wheel_(now), timers_(20)
    {
        for (std::size_t i = 0; i < timers_.size(); ++i) {
            timers_[i].then = [this, i] { on_fire(i); };
        }
    }

    void arm(std::size_t at, std::uint64_t due)
    {
        forget(at);
        const bool is_late = is_advancing_ && due <= passed_;
        (is_late ? late_ : model_).emplace(std::pair(due, ++armed_count_), at);
        wheel_.arm(timers_[at], due);
    }

    void cancel(std::size_t at)
    {
        forget(at);
        wheel_.cancel(timers_[at]);
        RC_ASSERT(!timers_[at].armed());
    }

    // The wheel fires; each callback finds its timer to be the first of the model.
    void advance(std::uint64_t now)
    {
        now_ = now;
        is_advancing_ = true;
        fired_ = 0;
        const std::size_t fired = wheel_.advance(now);
        is_advancing_ = false;
        RC_ASSERT(fired == fired_);
        RC_ASSERT(model_.empty() || model_.begin()->first.first > now);
        model_.merge(late_);
        passed_ = now;
    }

    void check() const
    {
        const auto armed = std::count_if(
            timers_.begin(), timers_.end(), [](const test_timer& timer) { return timer.armed(); });
        RC_ASSERT(static_cast<std::size_t>(armed) == model_.size());
        const std::uint64_t first = model_.empty() ? UINT64_MAX : model_.begin()->first.first;
        const std::uint64_t next = wheel_.next_due();
        RC_ASSERT(next <= first);
        if (first / tick / 64 <= now_ / tick / 64) {
            RC_ASSERT(next == first);
        } else {
            RC_ASSERT(next > now_);
        }
    }

    std::uint64_t now() const { return now_; }
    std::uint64_t next_due() const { return wheel_.next_due(); }

    // What callbacks do: pairs of timer and delay; a delay of 0 cancels.
    std::vector<std::pair<std::size_t, std::uint64_t>> script;

private:
    using model = std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t>;

    void forget(std::size_t at)
    {
        const auto is_same = [at](const model::value_type& entry) { return entry.second == at; };
        std::erase_if(model_, is_same);
        std::erase_if(late_, is_same);
    }

    void on_fire(std::size_t at)
    {
        RC_ASSERT(is_advancing_);
        RC_ASSERT(!model_.empty());
        RC_ASSERT(model_.begin()->second == at);
        const std::uint64_t due = model_.begin()->first.first;
        RC_ASSERT(due == timers_[at].due);
        RC_ASSERT(due <= now_);
        RC_ASSERT(!timers_[at].armed());
        passed_ = std::max(passed_, due);
        model_.erase(model_.begin());
        ++fired_;
        for (int i = 0; i < 2 && !script.empty(); ++i) {
            auto [other, delay] = script.back();
            script.pop_back();
            delay == 0 ? cancel(other) : arm(other, due + delay - 1);
        }
    }

    std::uint64_t now_;
    std::uint64_t passed_;
    std::uint64_t armed_count_ = 0;
    std::size_t fired_ = 0;
    bool is_advancing_ = false;
    model model_;
    model late_;
    timer_wheel wheel_;
    std::vector<test_timer> timers_;
};

// Delays of all magnitudes, many of them equal, many at the edges of slots.
rc::Gen<std::uint64_t> delays()
{
    return rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, 4), rc::gen::inRange<std::uint64_t>(0, 3 * tick),
        rc::gen::map(rc::gen::inRange<std::uint64_t>(0, 200), [](auto n) { return n * tick; }),
        rc::gen::map(rc::gen::inRange<std::uint64_t>(0, 70), [](auto n) { return n * 64 * tick - n; }),
        rc::gen::inRange<std::uint64_t>(0, 10 * second), rc::gen::inRange<std::uint64_t>(0, 100 * year));
}

}  // namespace

// Goal: whatever is armed and cancelled when, by whom, timers fire exactly when due, in the order of due
// time and then of arming. Method: random scripts, also for the callbacks, run on the wheel and on a sorted
// map.
TEST_CASE("timer_wheel: behaves as a sorted map", "[ground][timer_wheel]")
{
    const bool holds = rc::check("wheel equals its model", [] {
        modelled_wheel wheel(*delays());
        const auto steps = *rc::gen::container<std::vector<std::tuple<int, std::size_t, std::uint64_t>>>(
            rc::gen::tuple(rc::gen::inRange(0, 9), rc::gen::inRange<std::size_t>(0, 20), delays()));
        wheel.script = *rc::gen::container<std::vector<std::pair<std::size_t, std::uint64_t>>>(
            rc::gen::pair(rc::gen::inRange<std::size_t>(0, 20), delays()));

        for (auto [step, at, delay] : steps) {
            switch (step) {
            case 0:
            case 1:
            case 2:
            case 3:
                wheel.arm(at, wheel.now() + delay);
                break;
            case 4:
                wheel.cancel(at);
                break;
            case 5:
                wheel.arm(at, wheel.now() - std::min(delay, wheel.now()));
                break;
            case 6:
            case 7:
                wheel.advance(wheel.now() + delay);
                break;
            default:
                if (const auto next = wheel.next_due(); next != UINT64_MAX) {
                    wheel.advance(std::max(next, wheel.now()));
                }
            }
            wheel.check();
        }
    });
    CHECK(holds);
}
