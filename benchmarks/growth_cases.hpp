// SPDX-License-Identifier: MIT

// What it costs to do one more of something when there are many of it already: the cases that bench_growth
// measures in time and test/actor/growth.test.cpp in steps.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/core/result.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace costar::growth {

/// How a cost may grow with the number of other things: with which power of it.
constexpr double constant = 0;
constexpr double linear = 1;

/// Told when the work of a case begins and how many operations it was.
class meter {
public:
    virtual ~meter() = default;
    virtual void begin() = 0;
    virtual void end(std::string_view operation, std::size_t count, double documented = constant) = 0;
};

/// What a case works with: an engine on this thread, and how many there are.
struct place {
    meter& costs;
    std::size_t n;
    costar::engine& engine;
    bool done = false;
};

/// What is measured once costs little next to n of what is measured each.
inline std::size_t some(std::size_t n)
{
    return std::min<std::size_t>(n, 1000);
}

struct number {
    std::size_t value = 0;
};

struct question {
    using reply = std::size_t;
    std::size_t value = 0;
    std::uint64_t hash_key() const noexcept { return value; }
};

/// A message of one of eight levels.
struct urgent {
    std::size_t value = 0;
    int priority() const noexcept { return static_cast<int>(value % 8); }
};

struct gate {};

inline spawn_options on(std::uint32_t strand, std::uint32_t mailbox_limit = 0)
{
    return {.placement = placement::chosen, .strand = strand, .mailbox = {.limit = mailbox_limit}};
}

inline task<> idle(context& self)
{
    while (auto message = co_await self.receive())
        message.match([](question& m) { return m.value; }, [](number&) {}, [](gate&) {});
}

/// Takes nothing until the gate is open.
inline task<> closed(context& self)
{
    co_await self.receive<gate>();
}

inline std::vector<pid> spawn_many(
    context& self, std::size_t n, const spawn_options& options, task<> (*body)(context&) = idle)
{
    std::vector<pid> all;
    for (std::size_t i = 0; i < n; ++i)
        all.push_back(self.spawn(options, body));
    return all;
}

inline task<> end_each(context& self, const std::vector<pid>& all)
{
    for (const pid each : all)
        self.stop(each);
    for (const pid each : all)
        co_await self.wait(each);
}

// Ends
// ----------------------------------------------------------------------------------------------------------

inline task<> children(context& self, place* at, std::uint32_t strand, std::string_view what)
{
    const std::vector<pid> all = spawn_many(self, at->n, on(strand));
    co_await self.ask(all.back(), touch{});
    at->costs.begin();
    co_await end_each(self, all);
    at->costs.end(what, at->n);
    at->done = true;
}

inline task<> supervised_children(context& self, place* at)
{
    self.supervise(one_for_one());
    co_await children(self, at, 1, "a supervised child on another strand ends");
}

inline task<> watching(context& self, place* at)
{
    const std::vector<pid> all = spawn_many(self, at->n, on(0));
    at->costs.begin();
    for (const pid each : all)
        self.watch(each);
    at->costs.end("watch one more actor", at->n);
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; i += 2)
        self.unwatch(all[i]);
    at->costs.end("unwatch one of many", at->n / 2);
    for (std::size_t i = 0; i < at->n; i += 2)
        self.watch(all[i]);
    at->costs.begin();
    co_await end_each(self, all);
    at->costs.end("one of many watched actors ends, the news wait", at->n);
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        co_await self.receive<terminated>();
    at->costs.end("receive the news of one of many ends", at->n);
    at->done = true;
}

/// Lets others run until `count` have begun.
inline task<> all_begin(const std::size_t& begun, std::size_t count)
{
    while (begun != count)
        co_await yield();
}

inline task<> watch_one(context& self, pid target, std::size_t* begun)
{
    ++*begun;
    self.watch(target);
    co_await self.receive<gate>();
}

inline task<> watched(context& self, place* at)
{
    const pid target = self.spawn(on(0), idle);
    std::vector<pid> all;
    std::size_t begun = 0;
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        all.push_back(self.spawn(on(0), watch_one, target, &begun));
    co_await all_begin(begun, at->n);
    at->costs.end("one more actor is spawned and watches the same one", at->n);
    at->costs.begin();
    co_await end_each(self, all);
    at->costs.end("one of many watchers of one actor ends", at->n);
    at->done = true;
}

inline task<> wait_for(context& self, pid target, std::size_t* begun)
{
    ++*begun;
    co_await as_result(self.wait(target));
}

inline task<> waiting_for_end(context& self, place* at)
{
    const pid target = self.spawn(on(0), idle);
    std::vector<pid> all;
    std::size_t begun = 0;
    for (std::size_t i = 0; i < at->n; ++i)
        all.push_back(self.spawn(on(0), wait_for, target, &begun));
    co_await all_begin(begun, at->n);
    at->costs.begin();
    co_await end_each(self, all);
    at->costs.end("one of many that wait for an end gives up", at->n);
    at->done = true;
}

// Mailboxes
// -----------------------------------------------------------------------------------------------------

inline task<> stashing(context& self, place* at)
{
    for (std::size_t i = 0; i < at->n; ++i)
        self.send(self.pid(), number{i});
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        self.stash(co_await self.receive());
    at->costs.end("stash one of many that wait", at->n);
    at->costs.begin();
    self.unstash();
    at->costs.end("unstash, each of many", at->n);
    at->costs.begin();
    for (std::size_t i = 0; i < some(at->n); ++i) {
        self.stash(co_await self.receive());
        self.unstash(1);
    }
    at->costs.end("stash and unstash one while many wait", some(at->n));
    at->done = true;
}

inline task<> by_type(context& self, place* at)
{
    for (std::size_t i = 0; i < at->n; ++i)
        self.send(self.pid(), number{i});
    const std::size_t count = std::min<std::size_t>(at->n, 100);
    at->costs.begin();
    for (std::size_t i = 0; i < count; ++i) {
        self.send(self.pid(), gate{});
        co_await self.receive<gate>();
    }
    at->costs.end("receive a type behind many others", count, linear);
    at->done = true;
}

inline task<> levels(context& self, place* at)
{
    const auto limit = static_cast<std::uint32_t>(at->n);
    const pid target =
        self.spawn({.placement = placement::chosen,
                       .strand = 0,
                       .mailbox = {.limit = limit, .when_full = overflow::drop_oldest, .by_priority = true}},
            closed);
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        self.send(target, urgent{i});
    at->costs.end("send by priority", at->n);
    at->costs.begin();
    for (std::size_t i = 0; i < some(at->n); ++i)
        self.send(target, urgent{i});
    at->costs.end("send by priority, the oldest of many is dropped", some(at->n));
    at->done = true;
    co_return;
}

inline task<> send_one(context& self, pid target, std::size_t* begun)
{
    ++*begun;
    co_await as_result(self.send_async(target, number{}));
}

inline task<> senders(context& self, place* at)
{
    const pid target = self.spawn(on(0, 1), closed);
    self.send(target, number{});
    std::vector<pid> all;
    std::size_t begun = 0;
    for (std::size_t i = 0; i < at->n; ++i)
        all.push_back(self.spawn(on(0), send_one, target, &begun));
    co_await all_begin(begun, at->n);
    at->costs.begin();
    co_await end_each(self, all);
    at->costs.end("one of many that wait for room gives up", at->n);
    at->done = true;
}

inline task<> hoarder(context& self)
{
    std::vector<message> held;
    while (auto received = co_await self.receive()) {
        if (received.is<question>())
            received.respond(held.size());
        else
            held.push_back(std::move(received));
    }
}

inline task<> holding(context& self, place* at)
{
    spawn_options options = on(0);
    options.failing.redeliveries = 1;
    const pid target = self.spawn(options, hoarder);
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        self.send(target, number{i});
    co_await self.ask(target, question{});
    at->costs.end("keep one more message that may be given again", at->n);
    at->costs.begin();
    co_await self.stop(target);
    at->costs.end("let go of one of many that may be given again", at->n);
    at->done = true;
}

// Events
// --------------------------------------------------------------------------------------------------------

struct told {
    std::size_t value;
};
struct untold {
    std::size_t value;
};

inline task<> subscribers(context& self, place* at)
{
    event_stream& events = self.engine().events();
    std::vector<event_stream::subscription> all;
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        all.push_back(events.subscribe<told>([](const told&) {}));
    at->costs.end("subscribe one more", at->n);
    at->costs.begin();
    for (std::size_t i = 0; i < 1000; ++i)
        events.publish(untold{i});
    at->costs.end("publish what nobody subscribed to", 1000);
    at->costs.begin();
    for (std::size_t i = 0; i < 10; ++i)
        events.publish(told{i});
    at->costs.end("publish to all of many", 10, linear);
    at->costs.begin();
    co_await end_each(self, spawn_many(self, 1000, on(0)));
    at->costs.end("an actor is spawned and ends, many subscribed to something else", 1000);
    at->costs.begin();
    for (auto& each : all)
        each.cancel();
    at->costs.end("one of many cancels its subscription", at->n);
    at->done = true;
}

// Routers
// -------------------------------------------------------------------------------------------------------

inline task<> ask_router(
    context& self, place* at, routing strategy, std::string_view what, double documented = constant)
{
    const pid pool = spawn_pool(self, "", at->n, {.strategy = strategy}, idle);
    co_await self.ask(pool, touch{});
    const std::size_t count = documented == linear ? 3 : 1000;
    for (const pid each : co_await self.ask(pool, get_routees{}))
        co_await self.ask(each, touch{});  // it has begun
    co_await self.ask(pool, question{0});  // and there is memory for all that are asked at once
    at->costs.begin();
    for (std::size_t i = 0; i < count; ++i)
        co_await self.ask(pool, question{i});
    at->costs.end(what, count, documented);
}

inline task<> routers(context& self, place* at)
{
    at->costs.begin();
    const pid pool = spawn_pool(self, "", at->n, idle);
    co_await self.ask(pool, touch{});
    at->costs.end("a router spawns one more routee", at->n);
    for (const pid each : co_await self.ask(pool, get_routees{}))
        co_await self.ask(each, touch{});  // it has begun, and its whole end is counted
    at->costs.begin();
    co_await self.ask(pool, resize_pool{0});
    at->costs.end("a router lets one of many routees go", at->n);
    co_await ask_router(self, at, routing::round_robin, "ask one of many routees, round robin");
    co_await ask_router(self, at, routing::random, "ask one of many routees, random");
    co_await ask_router(self, at, routing::least_loaded, "ask one of many routees, least loaded");
    co_await ask_router(self, at, routing::consistent_hash, "ask one of many routees, consistent hash");
    co_await ask_router(self, at, routing::broadcast, "ask all of many routees", linear);
    at->done = true;
}

// Names and times
// -----------------------------------------------------------------------------------------------

inline task<> names(context& self, place* at)
{
    std::vector<pid> all;
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        all.push_back(self.spawn("actor-" + std::to_string(i), idle));
    at->costs.end("spawn one more actor with a name", at->n);
    at->costs.begin();
    std::size_t found = 0;
    for (std::size_t i = 0; i < at->n; ++i)
        found += self.engine().find("actor-" + std::to_string(i)).has_value() ? 1 : 0;
    at->costs.end("find one of many names", found);
    at->costs.begin();
    co_await end_each(self, all);
    at->costs.end("one of many actors with names ends", at->n);
    at->done = true;
}

inline task<> timers(context& self, place* at)
{
    std::vector<schedule> all;
    at->costs.begin();
    for (std::size_t i = 0; i < at->n; ++i)
        all.push_back(
            self.send_after(std::chrono::minutes(1) + std::chrono::microseconds(i * 7919 % 1'000'003),
                self.pid(), number{i}));
    at->costs.end("send_after, one more", at->n);
    at->costs.begin();
    for (schedule& each : all)
        each.cancel();
    at->costs.end("one of many that are to be sent is cancelled", at->n);
    at->done = true;
    co_return;
}

// Crowds
// --------------------------------------------------------------------------------------------------------

inline task<> crowd(context& self, place* at)
{
    at->costs.begin();
    const std::vector<pid> all = spawn_many(self, at->n, on(0));
    const pid target = all.back();
    co_await self.ask(all.front(), question{});
    co_await self.ask(target, question{});
    at->costs.end("spawn one more actor", at->n);
    at->costs.begin();
    for (std::size_t i = 0; i < 1000; ++i)
        co_await self.ask(target, question{});
    at->costs.end("ask one of many actors, hogs are looked for", 1000);
    at->costs.begin();
    for (std::size_t i = 0; i < 3; ++i)
        static_cast<void>(self.children());
    at->costs.end("list all children", 3, linear);
    at->done = true;
}

/// A case, and up to how many of its things `bench_growth` goes: some keep a kilobyte for each.
struct study {
    task<> (*body)(context&, place*);
    std::size_t most = 1'000'000;
    bool looks_for_hogs = false;
};

inline task<> near_children(context& self, place* at)
{
    return children(self, at, 0, "a child ends");
}
inline task<> distant_children(context& self, place* at)
{
    return children(self, at, 1, "a child on another strand ends");
}

inline constexpr study all_studies[] = {{near_children}, {distant_children}, {supervised_children},
    {watching}, {watched}, {waiting_for_end}, {stashing}, {by_type}, {levels}, {senders}, {holding},
    {subscribers}, {routers, 100'000}, {names}, {timers}, {crowd, 1'000'000, true}};

/// Runs a case with n of its things, on this thread alone.
inline void run(const study& what, meter& costs, std::size_t n, costar::clock* clock = nullptr)
{
    asio::io_context io;
    engine_options options{.clock = clock, .ask_timeout = std::chrono::hours(1), .dead_letter_lines = 0};
    if (what.looks_for_hogs)
        options.turn.hog_limit = std::chrono::hours(1);
    costar::engine engine({io.get_executor(), io.get_executor()}, options);
    place at{costs, n, engine};
    spawn_options first = on(0);
    first.mailbox.stash_limit = UINT32_MAX;
    engine.spawn(first, what.body, &at);
    while (!at.done && io.run_one() != 0) {}
}

}  // namespace costar::growth
