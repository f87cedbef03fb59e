// SPDX-License-Identifier: MIT

#include <costar/actor/sink.hpp>

#include <costar/actor/stream.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <optional>
#include <stdexcept>
#include <utility>
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

struct numbers_wanted {
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

task<> gives_numbers(context& self, producer body, int count, progress* all)
{
    while (auto received = co_await self.receive())
        received.match([&](numbers_wanted&) { return make_stream<int>(self, body, count, all); });
}

/// Reads a value for each number it is sent.
task<> reads_when_told(context& self, pid to, std::uint32_t window, pid* source, std::vector<int>* seen)
{
    auto values = co_await self.ask(to, numbers_wanted{});
    *source = values.producer();
    if (window != 16)
        values.window(window);
    while (co_await self.receive<number>())
        seen->push_back((co_await values.next(self)).value());
}

task<> reads_slowly(context& self, pid to, std::vector<int>* seen)
{
    auto values = co_await self.ask(to, numbers_wanted{});
    while (auto value = co_await values.next(self)) {
        seen->push_back(*value);
        co_await sleep_for(2ms);
    }
}

/// Puts until it is told not to, and notes why that was.
task<> pumps(sink<int> out, progress* all, std::vector<error_code>* ends)
{
    const counts_end guard(all);
    for (int attempt = 0; attempt < 2; ++attempt)
        try {
            for (;; ++all->put)
                co_await out.put(all->put);
        } catch (const error& thrown) {
            ends->push_back(thrown.code());
        }
}

/// Leaves a task behind that puts, and another one that does not hear of a cancellation.
task<> leaves_tasks(context& self, sink<int> out, bool crashes, progress* all, std::vector<error_code>* ends)
{
    ++all->begun;
    self.spawn_task(pumps(out, all, ends));
    co_await sleep_for(1ms);
    self.spawn_task([](sink<int> out, std::vector<error_code>* ends) -> task<> {
        co_await shield(sleep_for(1h));
        try {
            co_await shield([](sink<int> out) -> task<> { co_await out.put(0); }(std::move(out)));
        } catch (const error& thrown) {
            ends->push_back(thrown.code());
        }
    }(out, ends));
    if (crashes)
        throw std::runtime_error("told to");
}

task<> lists_with_tasks(context& self, bool crashes, progress* all, std::vector<error_code>* ends)
{
    while (auto received = co_await self.receive())
        received.match(
            [&](numbers_wanted&) { return make_stream<int>(self, leaves_tasks, crashes, all, ends); });
}

/// Has two tasks put at the same time.
task<> puts_twice(context&, sink<int> out, int count, progress* all)
{
    try {
        co_await when_all(
            [](sink<int> out, int count) -> task<> {
                for (int i = 0; i < count; ++i)
                    co_await out.put(i);
            }(out, count),
            [](sink<int> out) -> task<> {
                co_await sleep_for(1ms);
                co_await out.put(-1);
            }(out));
    } catch (const std::logic_error&) {
        ++all->given_up;
        throw;
    }
}

/// Reads what there is to read, and how that ended.
task<> reads_all(context& self, pid to, std::chrono::milliseconds pause, std::vector<int>* seen,
    std::optional<error_code>* failed)
{
    try {
        auto values = co_await self.ask(to, numbers_wanted{});
        while (auto value = co_await values.next(self)) {
            seen->push_back(*value);
            if (pause > 0ms)
                co_await sleep_for(pause);
        }
        *failed = error_code();
    } catch (const error& thrown) {
        *failed = thrown.code();
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
    const pid to = sim.engine().spawn(on(0), gives_numbers, producer(puts), 1000, &all);
    const pid reader = sim.engine().spawn(on(GENERATE(0U, 1U)), reads_when_told, to, window, &source, &seen);
    sim.run_until_idle();
    CHECK(all.begun == 0);

    for (int read = 1; read <= 50; ++read) {
        sim.send(reader, number{});
        sim.run_until_idle();
        CHECK(all.put % static_cast<int>(window) == 0);
        CHECK(all.put >= read);
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
    const pid to = sim.engine().spawn(on(0), gives_numbers, producer(puts_impatiently), 40, &all);

    sim.engine().spawn(on(1), reads_slowly, to, &seen);
    sim.advance(1s);

    REQUIRE(seen.size() == 40);
    for (int i = 0; i < 40; ++i)
        CHECK(seen[static_cast<std::size_t>(i)] == i);
    CHECK(all.given_up > 0);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("sink: tasks that a producer leaves behind are cancelled when they put", "[actor][sink]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U, 4U, 5U));
    progress all;
    std::vector<int> seen;
    std::vector<error_code> ends;
    std::optional<error_code> failed;
    const bool crashes = GENERATE(false, true);
    const auto pause = GENERATE(1ms, 10ms);
    const pid to = sim.engine().spawn(on(0), lists_with_tasks, crashes, &all, &ends);

    sim.engine().spawn(on(GENERATE(0U, 1U)), reads_all, to, pause, &seen, &failed);
    sim.advance(2h);

    CHECK(failed == (crashes ? make_error_code(errc::actor_failed) : error_code()));
    CHECK(all.ended == 1);
    CHECK(ends == std::vector(3, make_error_code(errc::cancelled)));
    for (std::size_t i = 0; i < seen.size(); ++i)
        CHECK(seen[i] == static_cast<int>(i));
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("sink: a task that puts is destroyed with the engine", "[actor][sink]")
{
    progress all;
    std::vector<int> seen;
    std::vector<error_code> ends;
    std::optional<error_code> failed;
    {
        simulation sim;
        const pid to = sim.engine().spawn(on(0), lists_with_tasks, false, &all, &ends);
        sim.engine().spawn(on(1), reads_all, to, 1h, &seen, &failed);
        sim.advance(10ms);
        CHECK(all.put > 0);
    }
    CHECK(all.ended == 1);
}

TEST_CASE("sink: a second put is refused while one waits", "[actor][sink]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    progress all;
    std::vector<int> seen;
    std::optional<error_code> failed;
    const pid to = sim.engine().spawn(on(0), gives_numbers, producer(puts_twice), 1000, &all);

    sim.engine().spawn(on(1), reads_all, to, 10ms, &seen, &failed);
    sim.advance(1min);

    CHECK(all.given_up == 1);
    CHECK(failed == make_error_code(errc::actor_failed));
    CHECK(sim.engine().figures().live == 1);
}
