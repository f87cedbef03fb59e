// SPDX-License-Identifier: MIT

#include <costar/rpc/flow_window.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>

#include <support/catch.hpp>

using costar::machine::flow_window;

namespace {

constexpr std::size_t least = 256 * 1024;
constexpr std::size_t most = 8 * 1024 * 1024;
constexpr std::uint64_t second = 1'000'000'000;

/// A way with a bandwidth and a delay, and a sender that always has something to say.
struct way {
    double bytes_per_ns;
    std::uint64_t delay;

    flow_window window{least, most};
    std::deque<std::pair<std::uint64_t, flow_window::sent>> under_way{};  // when they come back
    std::uint64_t now = 0;
    double busy_until = 0;
    std::uint64_t arrived = 0;
    std::size_t smallest = SIZE_MAX;  // that the window was
    std::size_t largest_queue = 0;

    void run(std::uint64_t time, std::size_t message = 65'536)
    {
        const std::uint64_t end = now + time;
        while (now < end) {
            while (window.has_room()) {
                busy_until = std::max(busy_until, static_cast<double>(now)) +
                    static_cast<double>(message) / bytes_per_ns;
                under_way.emplace_back(
                    static_cast<std::uint64_t>(busy_until) + delay, window.send(message, now));
            }
            const auto [comes, what] = under_way.front();
            under_way.pop_front();
            now = comes;
            arrived += what.bytes;
            window.acknowledge(what, now);
            smallest = std::min(smallest, window.size());
        }
    }

    /// Of what the way could carry.
    double used(std::uint64_t time, std::uint64_t bytes) const
    {
        return static_cast<double>(bytes) / (bytes_per_ns * static_cast<double>(time));
    }
};

}  // namespace

TEST_CASE("flow_window: it is small where the way is short", "[rpc][flow_window]")
{
    way near{1.0, 50'000};  // a gigabyte a second, 50 us
    near.run(3 * second);
    CHECK(near.used(3 * second, near.arrived) > 0.95);
    CHECK(near.window.size() <= 2 * least);
}

TEST_CASE("flow_window: it grows to what a far peer takes", "[rpc][flow_window]")
{
    way far{0.05, 50'000'000};  // 50 MB a second, 50 ms: 2.5 MB
    far.run(2 * second);
    const std::uint64_t before = far.arrived;
    far.run(5 * second);
    CHECK(far.used(5 * second, far.arrived - before) > 0.95);
    CHECK(far.window.size() < 3 * 2'500'000);
    // A fixed window would have carried as much in a round trip as it holds.
    CHECK(far.used(50'000'000, least) < 0.2);
}

TEST_CASE("flow_window: it is seldom small where the way is very long", "[rpc][flow_window]")
{
    way satellite{0.001, 2 * second};  // a megabyte a second, 2 s
    satellite.window = flow_window(128 * 1024, most);
    satellite.run(200 * second);
    const std::uint64_t before = satellite.arrived;
    satellite.run(500 * second);
    CHECK(satellite.used(500 * second, satellite.arrived - before) > 0.85);
}

TEST_CASE("flow_window: it never leaves its bounds", "[rpc][flow_window]")
{
    way fast{10.0, 100'000'000};
    fast.run(3 * second);
    CHECK(fast.window.size() == most);
    way slow{0.0001, 1'000'000};
    slow.run(30 * second);
    CHECK(slow.window.size() <= 2 * least);  // what stands in the queue counts as delay
}

TEST_CASE(
    "flow_window: it finds the delay again when the way has grown longer or shorter", "[rpc][flow_window]")
{
    way changing{0.05, 10'000'000};
    changing.run(5 * second);
    const std::size_t before = changing.window.size();
    changing.delay = 60'000'000;
    changing.run(30 * second);
    const std::uint64_t arrived = changing.arrived;
    changing.run(20 * second);
    CHECK(changing.window.size() > 3 * before);
    CHECK(changing.used(20 * second, changing.arrived - arrived) > 0.9);
    changing.delay = 10'000'000;
    changing.run(40 * second);
    CHECK(changing.window.size() < 2 * before);
}

TEST_CASE("flow_window: it is the smallest one from time to time", "[rpc][flow_window]")
{
    way far{0.05, 50'000'000};
    far.run(5 * second);
    far.smallest = SIZE_MAX;
    far.run(4 * second);
    CHECK(far.smallest > 3'000'000);
    far.run(3 * second);
    CHECK(far.smallest == least);
    CHECK(far.window.size() > 3'000'000);
}

TEST_CASE("flow_window: whatever comes back when, all is accounted for", "[rpc][flow_window]")
{
    CHECK(rc::check("all that was acknowledged leaves nothing", [](std::vector<std::uint32_t> steps) {
        flow_window window(least, most);
        std::deque<flow_window::sent> out;
        std::uint64_t now = 0;
        for (const std::uint32_t step : steps) {
            now += step % 1'000'000'007;
            if (step % 3 != 0 || out.empty()) {
                out.push_back(window.send(step % 100'000, now));
            } else {
                const std::size_t which = step % out.size();
                window.acknowledge(out[which], now);
                out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
            }
            RC_ASSERT(window.size() >= least && window.size() <= most);
        }
        for (const auto& each : out)
            window.acknowledge(each, now);
        RC_ASSERT(window.under_way() == 0U);
        RC_ASSERT(window.has_room());
    }));
}
