// SPDX-License-Identifier: MIT

// Goal: no coroutine keeps a strand for itself by awaiting what is there already. Method: an actor awaits one
// thing again and again, for each thing that can be awaited, and is resumed one time after the other: it may
// do no more in one resumption than its share.

#include <costar/actor/engine.hpp>
#include <costar/actor/future.hpp>
#include <costar/actor/future_set.hpp>
#include <costar/actor/offload.hpp>
#include <costar/actor/stream.hpp>
#include <costar/core/clock.hpp>
#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>
#include <costar/kernel/send_async.hpp>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using costar::as_result;
using costar::context;
using costar::errc;
using costar::future;
using costar::pid;
using costar::sleep_for;
using costar::task;
using costar::use_task;
using costar::when_all;
using costar::when_any;
using costar::with_timeout;
using support::number;
using support::twice;
using namespace std::chrono_literals;

constexpr int share = 64;
constexpr int rounds = 1000;

/// What the actor that waits has at hand.
struct tools {
    pid other;
    pid gone;
    future<int> ended;
    future<int> open;
    costar::stream<int> values;
    asio::steady_timer* timer = nullptr;
};

using wait = task<> (*)(context& self, tools& with);

task<> puts_ones(context&, costar::sink<int> out, int* count)
{
    for (;;) {
        co_await out.put(1);
        ++*count;
    }
}

task<> ready()
{
    co_return;
}

/// Awaits the same thing a thousand times.
task<> loops(context& self, tools* with, wait once, int* count)
{
    with->ended = self.ask_future(with->other, twice{1});
    co_await with->ended;
    for (*count = 0; *count < rounds; ++*count)
        co_await once(self, *with);
    *with = {};
    *count = -1;
}

task<> stops_and_loops(context& self, tools* with, wait once, int* count)
{
    with->open = self.ask_future(pid(self.pid()), twice{1}, 1h);
    self.stop();
    for (*count = 0; *count < rounds; ++*count)
        co_await once(self, *with);
    *with = {};
    *count = -1;
}

/// The most that was awaited in one resumption.
template <class Body>
int most_at_once(Body body, wait once, int messages = 0)
{
    costar::manual_clock clock{1'000'000'000};
    asio::io_context io;
    int count = 0;
    asio::steady_timer timer(io, 1h);
    tools with;
    with.timer = &timer;
    costar::engine engine(costar::machine::scheduler::manual{},
        {.strands = 1, .clock = &clock, .dead_letter_lines = 0, .offload_threads = 1, .offload_queue = 0});
    costar::machine::strand_context& home = engine.station_at(0).home();
    with.other = engine.spawn(support::helper);
    with.gone = engine.spawn([](context&) -> task<> { co_return; });
    while (home.step()) {}
    const pid waiting = engine.spawn(body, &with, once, &count);
    for (int i = 0; i < messages; ++i)
        engine.send(waiting, number{i});
    int most = 0;
    for (int steps = 0; count >= 0 && steps < 1'000'000; ++steps) {
        const int before = count;
        if (!home.step())
            clock.set(std::max(clock.now(), home.next_timer()));
        if (count > before)
            most = std::max(most, count - before);
    }
    CHECK(count == -1);
    return most;
}

struct what {
    const char* name;
    wait once;
};

}  // namespace

TEST_CASE("budget: what is there at once can be awaited as often as the share allows", "[testing][budget]")
{
    const what each = GENERATE(what{"a future", [](context&, tools& with) -> task<> { co_await with.ended; }},
        what{"the end of a future", [](context&, tools& with) -> task<> { co_await with.ended.wait(); }},
        what{"an empty future", [](context&, tools&) -> task<> { co_await future<int>().wait(); }},
        what{"no futures",
            [](context&, tools&) -> task<> { co_await costar::all_of(std::vector<future<int>>()); }},
        what{"a send that finds room",
            [](context& self, tools& with) -> task<> { co_await self.send_async(with.other, number{1}); }},
        what{"its own end", [](context& self, tools&) -> task<> { co_await self.wait(self.pid()); }},
        what{"the end of one that is gone",
            [](context& self, tools& with) -> task<> { co_await self.wait(with.gone); }},
        what{"an answer of one that is gone",
            [](context& self, tools& with) -> task<> {
                CHECK_FALSE(co_await as_result(self.ask(with.gone, twice{1})));
            }},
        what{"an answer",
            [](context& self, tools& with) -> task<> {
                CHECK(co_await self.ask(with.other, twice{1}) == 2);
            }},
        what{"no children", [](context& self, tools&) -> task<> { co_await self.end_children(); }},
        what{"no branches", [](context&, tools&) -> task<> { co_await when_all(); }},
        what{"no tasks", [](context&, tools&) -> task<> { co_await when_all(std::vector<task<>>()); }},
        what{"a branch", [](context&, tools&) -> task<> { co_await when_all(ready()); }},
        what{"the first of two", [](context&, tools&) -> task<> { co_await when_any(ready(), ready()); }},
        what{"a deadline", [](context&, tools&) -> task<> { co_await with_timeout(1h, ready()); }},
        what{"a shield", [](context&, tools&) -> task<> { co_await costar::shield(ready()); }},
        what{"no pause", [](context&, tools&) -> task<> { co_await sleep_for(0s); }},
        what{"a yield", [](context&, tools&) -> task<> { co_await costar::yield(); }},
        what{"helper threads that are full",
            [](context& self, tools&) -> task<> {
                const auto none = [](context& self) -> task<> { co_await self.offload([] {}); };
                static_cast<void>(co_await as_result(when_all(none(self), none(self))));
            }},
        what{"a value of a stream", [](context& self, tools& with) -> task<> {
                 if (!with.values.producer()) {
                     static int ignored = 0;
                     with.values = costar::make_stream<int>(self, puts_ones, &ignored);
                     with.values.window(10'000);
                 }
                 const auto next = co_await with.values.next(self);
                 CHECK(next);
             }});

    INFO(each.name);
    CHECK(most_at_once(loops, each.once) <= share);
}

TEST_CASE("budget: messages that wait are received as often as the share allows", "[testing][budget]")
{
    const what each = GENERATE(what{"any",
                                   [](context& self, tools&) -> task<> {
                                       const auto received = co_await self.receive();
                                       CHECK(received.is<number>());
                                   }},
        what{"any in time",
            [](context& self, tools&) -> task<> {
                const auto received = co_await self.receive(1h);
                CHECK(received.is<number>());
            }},
        what{"one of a type",
            [](context& self, tools&) -> task<> {
                const auto received = co_await self.receive<number>();
                CHECK(received);
            }},
        what{"in a branch", [](context& self, tools&) -> task<> {
                 const auto first = co_await when_any(self.receive<number>(), sleep_for(1h));
                 CHECK(first.index() == 0);
             }});

    INFO(each.name);
    CHECK(most_at_once(loops, each.once, rounds) <= share);
}

TEST_CASE("budget: a batch counts as its messages do", "[testing][budget]")
{
    const auto by_tens = [](context& self, tools*, wait, int* count) -> task<> {
        for (*count = 0; *count < rounds; *count += 10) {
            const auto batch = co_await self.receive_batch(10);
            CHECK(batch.size() == 10);
        }
        *count = -1;
    };

    CHECK(most_at_once(by_tens, nullptr, rounds) <= share + 10);
}

TEST_CASE("budget: a producer that has room puts as often as the share allows", "[testing][budget]")
{
    costar::manual_clock clock{1'000'000'000};
    costar::engine engine(
        costar::machine::scheduler::manual{}, {.strands = 1, .clock = &clock, .dead_letter_lines = 0});
    costar::machine::strand_context& home = engine.station_at(0).home();
    int count = 0;
    engine.spawn(
        [](context& self, int* count) -> task<> {
            auto values = costar::make_stream<int>(self, puts_ones, count);
            values.window(10'000);
            while (co_await values.next(self)) {}
        },
        &count);

    for (int steps = 0; count < rounds && steps < 1000; ++steps) {
        const int before = count;
        home.step();
        CHECK(count - before <= share);
    }

    CHECK(count >= rounds);
}

/// The first time it is time to stop, then the wait has been cancelled.
static bool gave_nothing(const costar::result<costar::message>& received)
{
    return !received || !*received;
}

TEST_CASE("budget: in an actor that was stopped waits end as often as the share allows", "[testing][budget]")
{
    const what each = GENERATE(
        what{"a pause", [](context&, tools&) -> task<> { CHECK_FALSE(co_await as_result(sleep_for(1h))); }},
        what{"no pause", [](context&, tools&) -> task<> { CHECK_FALSE(co_await as_result(sleep_for(0s))); }},
        what{"a message",
            [](context& self, tools&) -> task<> { CHECK(gave_nothing(co_await as_result(self.receive()))); }},
        what{"a message of a type",
            [](context& self, tools&) -> task<> {
                CHECK(gave_nothing(co_await as_result(self.receive<number>())));
            }},
        what{"a message in time",
            [](context& self, tools&) -> task<> {
                CHECK(gave_nothing(co_await as_result(self.receive(1s))));
            }},
        what{"an answer",
            [](context& self, tools& with) -> task<> {
                CHECK_FALSE(co_await as_result(self.ask(with.other, twice{1})));
            }},
        what{"a future",
            [](context&, tools& with) -> task<> { CHECK_FALSE(co_await as_result(with.open.wait())); }},
        what{"an end",
            [](context& self, tools& with) -> task<> {
                CHECK_FALSE(co_await as_result(self.wait(with.other)));
            }},
        what{"an operation",
            [](context&, tools& with) -> task<> {
                CHECK_FALSE(co_await as_result(with.timer->async_wait(use_task)));
            }},
        what{"a function",
            [](context& self, tools&) -> task<> { CHECK_FALSE(co_await as_result(self.offload([] {}))); }},
        what{"branches", [](context&, tools&) -> task<> {
                 CHECK((co_await as_result(when_all(sleep_for(1h), sleep_for(1h)))).has_error());
             }});

    INFO(each.name);
    CHECK(most_at_once(stops_and_loops, each.once) <= share);
}
