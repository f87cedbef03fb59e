// SPDX-License-Identifier: MIT

// Goal: no kind of work keeps another kind waiting, on a strand that shares somebody's io_context.
// Method: each kind floods the strand beside each other kind that does one step after the other; between two
// of these steps the flood may do no more than a bounded number of its own. Steps are counted, time is not.

#include <costar/actor/engine.hpp>

#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using costar::context;
using costar::engine;
using costar::pid;
using costar::task;
using namespace std::chrono_literals;

/// What one kind of work has done; it goes on as long as the engine lets it.
struct tally {
    std::uint64_t steps = 0;
    bool is_over = false;
};

struct round {};
struct question {
    using reply = int;
};

task<> sends_itself(context& self, tally* all)
{
    self.send(self.pid(), round{});
    while (auto received = co_await self.receive()) {
        ++all->steps;
        if (!all->is_over)
            self.send(self.pid(), round{});
    }
}

task<> is_born(context&, tally* all)
{
    ++all->steps;
    co_return;
}

task<> breeds(context& self, tally* all)
{
    while (!all->is_over) {
        for (int i = 0; i < 8; ++i)
            self.spawn(is_born, all);
        co_await costar::yield();
    }
}

task<> yields(context&, tally* all)
{
    for (; !all->is_over; ++all->steps)
        co_await costar::yield();
}

task<> answers(context& self)
{
    while (auto received = co_await self.receive())
        received.match([](question&) { return 1; });
}

task<> awaits_what_is_there(context& self, tally* all)
{
    const pid other = self.spawn(answers);
    auto ready = self.ask_future(other, question{});
    for (; !all->is_over; ++all->steps)
        co_await ready;
}

task<> sleeps(context&, tally* all)
{
    for (; !all->is_over; ++all->steps)
        co_await costar::sleep_for(1ns);
}

task<> keeps_asking(context& self, tally* all)
{
    const pid other = self.spawn(answers);
    for (; !all->is_over; ++all->steps)
        co_await self.ask(other, question{});
}

task<> reads_and_writes(context& self, tally* all)
{
    asio::local::stream_protocol::socket near(self.get_executor());
    asio::local::stream_protocol::socket far(self.get_executor());
    asio::local::connect_pair(near, far);
    char byte = 0;
    for (; !all->is_over; ++all->steps) {
        co_await near.async_write_some(asio::buffer(&byte, 1), costar::use_task);
        co_await far.async_read_some(asio::buffer(&byte, 1), costar::use_task);
    }
}

task<> keeps_offloading(context& self, tally* all)
{
    for (; !all->is_over; ++all->steps)
        co_await self.offload([] {});
}

/// A handler that posts itself again, from inside of the strand or from outside.
void posts(asio::io_context& io, engine& on, tally* all, bool is_foreign)
{
    asio::post(on.get_executor(), [&io, &on, all, is_foreign] {
        ++all->steps;
        if (all->is_over)
            return;
        if (is_foreign)
            asio::post(io, [&io, &on, all] { posts(io, on, all, true); });
        else
            posts(io, on, all, false);
    });
}

task<> counts(context& self, tally* all)
{
    while (co_await self.receive())
        ++all->steps;
}

/// A handler of the same context that is no part of the strand sends to an actor.
void sends_from_outside(asio::io_context& io, engine& on, pid to, tally* all)
{
    on.send(to, round{});
    if (!all->is_over)
        asio::post(io, [&io, &on, to, all] { sends_from_outside(io, on, to, all); });
}

struct kind {
    std::string name;
    std::function<void(asio::io_context&, engine&, tally*)> begin;
};

const std::vector<kind>& kinds()
{
    const auto actor = [](task<> (*body)(context&, tally*)) {
        return [body](asio::io_context&, engine& on, tally* all) { on.spawn(body, all); };
    };
    static const std::vector<kind> all{
        {"messages to itself", actor(sends_itself)},
        {"births", actor(breeds)},
        {"yields", actor(yields)},
        {"ready futures", actor(awaits_what_is_there)},
        {"timers", actor(sleeps)},
        {"requests", actor(keeps_asking)},
        {"sockets", actor(reads_and_writes)},
        {"offload", actor(keeps_offloading)},
        {"posts from inside", [](auto& io, engine& on, tally* all) { posts(io, on, all, false); }},
        {"posts from outside", [](auto& io, engine& on, tally* all) { posts(io, on, all, true); }},
        {"messages from outside",
            [](auto& io, engine& on, tally* all) { sends_from_outside(io, on, on.spawn(counts, all), all); }},
    };
    return all;
}

/// The most steps that the flood took between two of the other's.
std::uint64_t longest_wait(const kind& flood, const kind& other)
{
    constexpr std::uint64_t wanted = 40;
    constexpr std::uint64_t too_many = 100'000;
    asio::io_context io(1);
    tally many;
    tally few;
    std::uint64_t longest = 0;
    {
        // A turn is the share of the strand before others on the context have theirs; a short one has few
        // steps.
        engine on(io.get_executor(), {.turn = {.turn = 20us}, .dead_letter_lines = 0});
        for (int i = 0; i < 30; ++i)
            flood.begin(io, on, &many);
        for (int i = 0; i < 200; ++i)
            io.run_one_for(10ms);
        other.begin(io, on, &few);
        std::uint64_t steps = few.steps;
        for (std::uint64_t since = many.steps; steps < wanted && longest < too_many;) {
            io.run_one_for(10ms);
            longest = std::max(longest, many.steps - since);
            if (few.steps != steps) {
                steps = few.steps;
                since = many.steps;
            }
        }
        many.is_over = few.is_over = true;
        on.async_shutdown(1s, [](const auto&...) {});
        io.run_for(200ms);
    }
    return longest;
}

}  // namespace

TEST_CASE(
    "fairness: no kind of work waits for more than a bounded number of steps of another", "[actor][fairness]")
{
    const support::quiet_log quiet;
    const auto flood = static_cast<std::size_t>(GENERATE(range(0, 11)));
    REQUIRE(kinds().size() == 11);

    for (const kind& other : kinds()) {
        if (other.name == "offload")
            continue;  // its steps wait for a thread, which the system runs when it likes
        const std::uint64_t longest = longest_wait(kinds()[flood], other);
        CAPTURE(kinds()[flood].name, other.name);
        CHECK(longest <= 20'000);
    }
}

namespace {

struct local_note {};
struct far_note {};

task<> sends_many(context& self, pid to, int count, bool* is_over)
{
    for (int i = 0; i < count; ++i)
        self.send(to, local_note{});
    *is_over = true;
    co_return;
}

task<> counts_notes(context& self, int* handled)
{
    while (auto received = co_await self.receive())
        ++*handled;
}

task<> answers_questions(context& self)
{
    while (auto received = co_await self.receive())
        received.match([](question) { return 7; });
}

}  // namespace

TEST_CASE(
    "fairness: borne messages behind a long mailbox of the strand's own keep nobody waiting for all of it",
    "[actor][fairness]")
{
    asio::io_context io(1);
    engine on(io.get_executor(), {.turn = {.backlog = 16}, .dead_letter_lines = 0});
    int handled = 0;
    bool is_filled = false;
    int answer = 0;
    const pid busy = on.spawn(counts_notes, &handled);
    const pid idle = on.spawn(answers_questions);
    on.spawn(sends_many, busy, 20'000, &is_filled);
    while (!is_filled)
        io.run_one();
    std::thread other([&] {
        for (int i = 0; i < 100; ++i)
            on.send(busy, far_note{});
        on.ask(idle, question{},
            asio::bind_executor(io, [&](costar::error_code, int value) { answer = value; }));
    });
    other.join();
    while (answer == 0 && io.run_one() > 0)
        ;

    CHECK(answer == 7);
    CHECK(handled < 10'000);
    on.async_shutdown(1s, [](const auto&...) {});
    io.run();
}
