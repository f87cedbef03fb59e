// SPDX-License-Identifier: MIT

#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <algorithm>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

struct look_at {
    pid who;
};
struct look_away {
    pid who;
};
struct tie {
    pid who;
};
struct untie {
    pid who;
};

/// Watches and ties as it is told, and keeps what it hears.
task<> observer(context& self, std::vector<terminated>* heard)
{
    while (auto message = co_await self.receive())
        message.match([&](look_at& m) { self.watch(m.who); }, [&](look_away& m) { self.unwatch(m.who); },
            [&](tie& m) { self.link(m.who); }, [&](untie& m) { self.unlink(m.who); },
            [&](terminated& m) { heard->push_back(m); }, [](crash&) { throw std::runtime_error("told to"); });
}

}  // namespace

TEST_CASE("watch: an end is told once, with its reason", "[kernel][watch]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<terminated> heard;
    const std::uint32_t strand = GENERATE(0U, 1U);
    const pid watcher = sim.engine().spawn(on(0), observer, &heard);
    const pid stopped = sim.engine().spawn(on(strand), helper);
    const pid crashed = sim.engine().spawn(on(strand), helper);
    const pid returned = sim.engine().spawn(on(strand), [](context&) -> task<> { co_await sleep_for(1s); });
    for (const pid each : {stopped, crashed, returned, stopped})
        sim.send(watcher, look_at{each});
    sim.run_until_idle();
    CHECK(heard.empty());

    sim.stop(stopped);
    sim.send(crashed, crash{});
    sim.advance(2s);
    CHECK(heard.size() == 3);
    CHECK(std::count(heard.begin(), heard.end(), terminated{stopped, errc::actor_stopped}) == 1);
    CHECK(std::count(heard.begin(), heard.end(), terminated{crashed, errc::actor_failed}) == 1);
    CHECK(std::count(heard.begin(), heard.end(), terminated{returned, errc::actor_stopped}) == 1);
}

TEST_CASE("watch: the end of an actor that is gone is told at once", "[kernel][watch]")
{
    simulation sim;
    std::vector<terminated> heard;
    const pid watcher = sim.engine().spawn(on(0), observer, &heard);
    const pid gone = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.run_until_idle();
    sim.stop(gone);
    sim.send(watcher, look_at{gone});
    sim.send(watcher, look_at{pid()});
    sim.run_until_idle();
    CHECK(heard.size() == 2);
    CHECK(std::count(heard.begin(), heard.end(), terminated{gone, errc::no_such_actor}) == 1);
    CHECK(std::count(heard.begin(), heard.end(), terminated{pid(), errc::no_such_actor}) == 1);

    sim.send(watcher, look_at{gone});  // it is asked anew
    sim.send(watcher, look_at{watcher});
    sim.run_until_idle();
    CHECK(heard.size() == 3);
}

TEST_CASE("watch: who looks away hears nothing", "[kernel][watch]")
{
    simulation sim(GENERATE(range(1U, 10U)));
    std::vector<terminated> heard;
    const pid watcher = sim.engine().spawn(on(0), observer, &heard);
    const pid other = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.send(watcher, look_at{other});
    sim.run_until_idle();
    sim.send(watcher, look_away{other});
    sim.engine().stop(other);
    sim.run_until_idle();
    CHECK(heard.size() <= 1);  // the end may have come first
    if (!heard.empty())
        return;
    sim.send(watcher, look_away{other});
    sim.run_until_idle();
    CHECK(heard.empty());
}

TEST_CASE("watch: news that wait are withdrawn too", "[kernel][watch]")
{
    simulation sim;
    std::vector<terminated> heard;
    const pid other = sim.engine().spawn(on(0), helper);
    const pid third = sim.engine().spawn(on(0), helper);
    sim.engine().spawn(
        on(0),
        [](context& self, pid other, pid third, std::vector<terminated>* heard) -> task<> {
            self.watch(other);
            self.watch(third);
            co_await self.stop(other);
            co_await self.stop(third);
            self.unwatch(other);
            while (auto message = co_await self.receive(1s)) {
                message.match([&](terminated& m) { heard->push_back(m); });
            }
        },
        other, third, &heard);
    sim.advance(2s);
    CHECK(heard == std::vector{terminated{third, errc::actor_stopped}});
}

TEST_CASE("watch: a restart is no end", "[kernel][watch]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<terminated> heard;
    spawn_options options = on(1);
    options.restart.limit = 1;
    const pid watcher = sim.engine().spawn(on(0), observer, &heard);
    const pid other = sim.engine().spawn(options, helper);
    sim.send(watcher, look_at{other});
    sim.run_until_idle();
    sim.send(other, crash{});
    sim.run_until_idle();
    CHECK(heard.empty());
    sim.send(other, crash{});
    sim.run_until_idle();
    CHECK(heard == std::vector{terminated{other, errc::actor_failed}});
}

TEST_CASE("watch: comes before the messages that wait", "[kernel][watch]")
{
    simulation sim(GENERATE(range(1U, 10U)));
    std::vector<std::string> seen;
    const pid other = sim.engine().spawn(on(1), helper);
    const pid watcher = sim.engine().spawn(
        on(0),
        [](context& self, pid other, std::vector<std::string>* seen) -> task<> {
            self.watch(other);
            co_await sleep_for(1s);
            while (auto message = co_await self.receive())
                message.match([&](number&) { seen->push_back("number"); },
                    [&](terminated&) { seen->push_back("terminated"); });
        },
        other, &seen);
    sim.run_until_idle();
    sim.send(watcher, number{});
    sim.send(watcher, number{});
    sim.stop(other);
    sim.advance(2s);
    CHECK(seen == std::vector<std::string>{"terminated", "number", "number"});
}

TEST_CASE("watch: a watcher that ends leaves nothing behind", "[kernel][watch]")
{
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    const pid other = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.run_until_idle();
    for (int i = 0; i < 100; ++i) {
        std::vector<terminated> heard;
        const pid watcher = sim.engine().spawn(on(0), observer, &heard);
        sim.send(watcher, look_at{other});
        sim.send(watcher, tie{other});
        sim.run_until_idle();
        sim.stop(watcher);
    }
    sim.run_until_idle();
    CHECK(sim.engine().station_at(other.strand()).find(other)->rare()->watchers.empty());
    sim.stop(other);
    CHECK(events.dead.empty());
}

TEST_CASE("watch: many hear of an end in the order of their watches", "[kernel][watch]")
{
    simulation sim;
    std::vector<int> told;
    const pid other = sim.engine().spawn(on(0), helper);
    std::vector<pid> watchers;
    for (int i = 0; i < 100; ++i) {
        watchers.push_back(sim.engine().spawn(
            on(0),
            [](context& self, pid other, int number, std::vector<int>* told) -> task<> {
                self.watch(other);
                if (co_await self.receive<terminated>())
                    told->push_back(number);
            },
            other, i, &told));
        sim.run_until_idle();
    }
    for (std::size_t i = 0; i < 100; ++i)
        if (i % 3 != 0)
            sim.stop(watchers[i]);
    sim.engine().station_at(0).home().enter([&] {
        auto& station = sim.engine().station_at(0);
        std::vector<int> order;
        for (const end_watcher& each : station.find(other)->rare()->watchers)
            order.push_back(
                static_cast<int>(std::find(watchers.begin(), watchers.end(), each.who) - watchers.begin()));
        CHECK(order.size() == 34);
        CHECK(std::is_sorted(order.begin(), order.end()));
    });
    sim.stop(other);
    sim.run_until_idle();
    CHECK(told.size() == 34);
}

TEST_CASE("watch: news that wait are known, however many wait", "[kernel][watch]")
{
    simulation sim;
    const auto count = static_cast<std::size_t>(GENERATE(3, 16, 17, 60));
    std::vector<pid> others;
    for (std::size_t i = 0; i < count; ++i)
        others.push_back(sim.engine().spawn(on(0), helper));
    std::vector<pid> heard;
    sim.engine().spawn(
        on(0),
        [](context& self, std::vector<pid> others, std::vector<pid>* heard) -> task<> {
            self.send(self.pid(), number{1});
            for (const pid each : others)
                self.watch(each);
            for (const pid each : others)
                co_await self.stop(each);
            for (const pid each : others)
                self.watch(each);  // asked anew, but the news wait already
            for (std::size_t i = 0; i < others.size(); i += 2)
                self.unwatch(others[i]);
            self.unwatch(pid(7, 7, 7, 7));
            for (std::size_t i = 0; i < others.size(); i += 4)
                self.watch(others[i]);  // and these do not any more
            while (auto message = co_await self.receive(1s)) {
                if (message.timed_out())
                    co_return;
                message.match([&](terminated& m) { heard->push_back(m.who); },
                    [&](number&) { heard->push_back(self.pid()); });
            }
        },
        others, &heard);
    sim.advance(2s);

    std::vector<pid> expected;
    for (std::size_t i = 1; i < count; i += 2)
        expected.push_back(others[i]);
    for (std::size_t i = 0; i < count; i += 4)
        expected.push_back(others[i]);
    REQUIRE(heard.size() == expected.size() + 1);
    heard.pop_back();  // the number, behind all news
    CHECK(heard == expected);
}

TEST_CASE("watch: a crash goes along a link, an end does not", "[kernel][watch]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    std::vector<terminated> heard;
    const std::uint32_t strand = GENERATE(0U, 1U);
    const bool from_the_other_side = GENERATE(true, false);
    const pid one = sim.engine().spawn(on(0), observer, &heard);
    const pid two = sim.engine().spawn(on(strand), observer, &heard);
    const pid three = sim.engine().spawn(on(0), observer, &heard);
    const pid four = sim.engine().spawn(on(1), observer, &heard);
    sim.send(one, tie{two});
    sim.send(two, tie{three});
    sim.send(three, tie{four});
    sim.run_until_idle();
    sim.stop(four);
    CHECK(events.stopped.size() == 1);

    sim.send(from_the_other_side ? three : one, crash{});
    sim.run_until_idle();
    CHECK(events.stopped.size() == 4);
    CHECK(std::all_of(events.stopped.begin() + 1, events.stopped.end(),
        [](const actor_stopped& each) { return each.reason == errc::actor_failed; }));
}

TEST_CASE("watch: what is untied does not crash together", "[kernel][watch]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<terminated> heard;
    const pid one = sim.engine().spawn(on(0), observer, &heard);
    const pid two = sim.engine().spawn(on(1), observer, &heard);
    sim.send(one, tie{two});
    sim.run_until_idle();
    sim.send(two, untie{one});
    sim.run_until_idle();
    sim.send(one, crash{});
    sim.run_until_idle();
    CHECK(events.stopped.size() == 1);

    sim.send(two, tie{one});  // it is gone: a crash
    sim.run_until_idle();
    CHECK(events.ends_of(two) == 1);
}

TEST_CASE("watch: news that nobody receives any more are no dead letters", "[kernel][watch]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid watched = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    const pid watcher = sim.engine().spawn(
        on(0),
        [](context& self, pid watched) -> task<> {
            self.watch(watched);
            co_await sleep_for(1h);
        },
        watched);
    sim.run_until_idle();
    sim.stop(watched);
    sim.run_until_idle();
    REQUIRE(sim.engine().station_at(0).find(watcher)->queued() == 1);

    sim.send(watcher, number{1});
    sim.run_until_idle();
    sim.stop(watcher);
    sim.run_until_idle();

    CHECK(events.dead_of(watcher, errc::actor_stopped) == 1);  // the number alone
    CHECK(sim.engine().figures().dead_letters == 1);
}

TEST_CASE("watch: news that wait are not told twice", "[kernel][watch]")
{
    std::vector<terminated> heard;
    pid first;
    pid second;
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(1U, 2U, 3U));
    struct watcher {
        static task<> gone(context&) { co_return; }
        static task<> body(
            context& self, std::uint32_t strand, pid* first, pid* second, std::vector<terminated>* heard)
        {
            *first = self.spawn(on(strand), gone);
            self.watch(*first);
            co_await sleep_for(1ms);  // the news are there now
            self.watch(*first);
            co_await sleep_for(1ms);
            *second = self.spawn(on(strand), gone);
            self.watch(*second);
            co_await sleep_for(1ms);
            self.watch(*second);
            co_await sleep_for(1ms);
            self.unwatch(*second);
            while (auto message = co_await self.receive())
                message.match([&](terminated& m) { heard->push_back(m); });
        }
    };
    sim.engine().spawn(on(0), &watcher::body, strand, &first, &second, &heard);

    sim.advance(1s);

    CHECK(heard == std::vector{terminated{first, errc::actor_stopped}});
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("watch: who watches again with the news at hand hears them once", "[kernel][watch]")
{
    std::vector<terminated> heard;
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(1U, 2U, 3U));
    const auto watcher = [](context& self, std::uint32_t strand, std::vector<terminated>* heard) -> task<> {
        const pid brief = self.spawn(on(strand), [](context&) -> task<> { co_return; });
        self.watch(brief);
        co_await sleep_for(1ms);  // the news are there now
        self.watch(brief);        // and are received before another strand could answer
        while (auto message = co_await self.receive())
            message.match([&](terminated& m) { heard->push_back(m); });
    };
    sim.engine().spawn(on(0), watcher, strand, &heard);

    sim.advance(1s);

    CHECK(heard.size() == 1);
}

TEST_CASE("watch: news that a branch of when_any has received are not taken back", "[kernel][watch]")
{
    struct branch {
        static task<> looks_away(context& self, pid who)
        {
            co_await sleep_for(2ms);
            self.unwatch(who);
        }
        static task<> body(context& self, pid who, bool at_once, std::vector<terminated>* heard)
        {
            self.watch(who);
            self.spawn_task(looks_away(self, who));
            if (at_once)
                co_await sleep_for(1500us);  // the news wait
            auto first = co_await when_any(self.receive<terminated>(), gives_way_slowly());
            heard->push_back(std::get<0>(first).get<terminated>());
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    const bool at_once = GENERATE(false, true);
    std::vector<terminated> heard;
    const pid who = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.engine().spawn(on(0), branch::body, who, at_once, &heard);
    sim.advance(1ms);
    sim.stop(who);
    sim.advance(1s);

    CHECK(heard == std::vector{terminated{who, errc::actor_stopped}});
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE(
    "watch: news that wake a branch of when_any are withdrawn by an unwatch in the other", "[kernel][watch]")
{
    struct watcher {
        static task<int> stops(context& self, pid target, bool changes_mind)
        {
            co_await self.stop(target);
            self.unwatch(target);
            if (changes_mind)
                self.watch(target);
            co_return 1;
        }
        static task<> body(context& self, pid target, bool is_first, bool changes_mind, int* seen)
        {
            self.watch(target);
            bool has_received = false;
            if (is_first) {
                auto ended = co_await when_any(self.receive(), stops(self, target, changes_mind));
                has_received = ended.index() == 0;
            } else {
                auto ended = co_await when_any(stops(self, target, changes_mind), self.receive(1s));
                has_received = ended.index() == 1;
            }
            *seen += has_received;
            while (auto message = co_await self.receive(1s)) {
                if (message.timed_out())
                    break;
                ++*seen;
            }
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U, 4U, 5U));
    const pid target = sim.engine().spawn(on(0), [](context& self) -> task<> {
        while (co_await self.receive()) {}
    });
    const bool changes_mind = GENERATE(false, true);
    int seen = 0;
    sim.engine().spawn(on(0), &watcher::body, target, GENERATE(true, false), changes_mind, &seen);
    sim.advance(5s);

    if (changes_mind)
        CHECK(seen == 1);
    else
        CHECK(seen == 0);
    CHECK(sim.engine().figures().live == 0);
}
