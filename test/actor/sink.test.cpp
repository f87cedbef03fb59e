// SPDX-License-Identifier: MIT

#include <costar/actor/sink.hpp>

#include <costar/actor/stream.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// How far a producer has come.
struct progress {
    int begun = 0;
    int put = 0;
    int given_up = 0;
    int ended = 0;
};

struct list {
    using reply = stream<int>;
};

struct counts_end {
    explicit counts_end(progress* all) : all(all) {}
    counts_end(const counts_end&) = delete;
    ~counts_end() { ++all->ended; }
    progress* all;
};

task<> puts(context&, sink<int> out, int count, progress* all)
{
    const counts_end guard(all);
    ++all->begun;
    for (int i = 0; i < count; ++i) {
        co_await out.put(i);
        ++all->put;
    }
}

/// Gives every put three milliseconds.
task<> puts_impatiently(context&, sink<int> out, int count, progress* all)
{
    for (int i = 0; i < count;) {
        const auto first = co_await when_any(out.put(i), sleep_for(3ms));
        if (first.index() == 0)
            ++i;
        else
            ++all->given_up;
    }
}

using producer = task<> (*)(context&, sink<int>, int, progress*);

task<> lists(context& self, producer body, int count, progress* all)
{
    while (auto received = co_await self.receive())
        received.match([&](list&) { return make_stream<int>(self, body, count, all); });
}

/// Reads a value for each number it is sent.
task<> reads_when_told(context& self, pid to, std::uint32_t window, pid* source, std::vector<int>* seen)
{
    auto values = co_await self.ask(to, list{});
    *source = values.producer();
    if (window != 16)
        values.window(window);
    while (co_await self.receive<number>())
        seen->push_back((co_await values.next(self)).value());
}

task<> reads_slowly(context& self, pid to, std::vector<int>* seen)
{
    auto values = co_await self.ask(to, list{});
    while (auto value = co_await values.next(self)) {
        seen->push_back(*value);
        co_await sleep_for(2ms);
    }
}

}  // namespace

TEST_CASE(
    "sink: a producer begins with the first question, and makes no more than was asked for", "[actor][sink]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    progress all;
    std::vector<int> seen;
    pid source;
    const std::uint32_t window = GENERATE(1U, 4U, 16U);
    const pid to = sim.engine().spawn(on(0), lists, producer(puts), 1000, &all);
    const pid reader = sim.engine().spawn(on(GENERATE(0U, 1U)), reads_when_told, to, window, &source, &seen);
    sim.run_until_idle();
    CHECK(all.begun == 0);

    for (int read = 1; read <= 50; ++read) {
        sim.send(reader, number{});
        sim.run_until_idle();
        const std::uint32_t questions = sim.engine().station_at(0).find(source)->handled;
        CHECK(all.put == static_cast<int>(questions * window));
        CHECK(all.put <= read + 2 * static_cast<int>(window));
    }
    sim.stop(reader);
    sim.run_until_idle();

    CHECK(seen.size() == 50);
    CHECK(all.ended == 1);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("sink: a put that is cancelled has put nothing", "[actor][sink]")
{
    simulation sim(GENERATE(1U, 2U, 3U, 4U, 5U));
    progress all;
    std::vector<int> seen;
    const pid to = sim.engine().spawn(on(0), lists, producer(puts_impatiently), 40, &all);

    sim.engine().spawn(on(1), reads_slowly, to, &seen);
    sim.advance(1s);

    REQUIRE(seen.size() == 40);
    for (int i = 0; i < 40; ++i)
        CHECK(seen[static_cast<std::size_t>(i)] == i);
    CHECK(all.given_up > 0);
    CHECK(sim.engine().figures().live == 1);
}
