// SPDX-License-Identifier: MIT

#include <costar/actor/schedule.hpp>

#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>
#include <support/manual_strand.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using support::crash;
using support::crash_asked;
using support::event_record;
using support::helper;
using support::number;
using support::on;
using support::quiet_log;
using support::tracked;
using support::twice;

namespace {

using deed = std::function<void(context&)>;

/// Has an actor do something in its turn.
struct act {
    deed what;
};

/// A message that cannot be copied.
struct letter {
    std::unique_ptr<int> text;
};

/// A message that can be moved and not be copied a third time.
struct brittle {
    explicit brittle(int* copies) : copies(copies) {}
    brittle(brittle&&) noexcept = default;
    brittle(const brittle& other) : copies(other.copies)
    {
        if (++*copies == 3)
            throw std::runtime_error("it broke");
    }
    int* copies;
};

/// What came, and when by the clock of the simulation.
struct arrival {
    std::int64_t milliseconds;
    int value;
    friend bool operator==(const arrival&, const arrival&) = default;
};
using arrivals = std::vector<arrival>;

std::int64_t time_in(context& self)
{
    return (self.now() - 1s) / 1ms;  // a simulation begins at one second
}

task<> notes(context& self, arrivals* seen)
{
    while (auto message = co_await self.receive())
        message.match([&](number& m) { seen->push_back({time_in(self), m.value}); },
            [&](letter& m) { seen->push_back({time_in(self), *m.text}); });
}

/// Takes a while for each message.
task<> notes_slowly(context& self, arrivals* seen, std::chrono::nanoseconds pause)
{
    while (auto message = co_await self.receive<number>()) {
        seen->push_back({time_in(self), message.get<number>().value});
        co_await sleep_for(pause);
    }
}

task<> passes_on(context& self, pid to)
{
    while (auto message = co_await self.receive())
        self.forward(to, std::move(message));
}

/// Does what it is told, first and later, until it is told to end.
task<> does(context& self, deed first)
{
    first(self);
    bool goes_on = true;
    while (goes_on) {
        auto message = co_await self.receive();
        if (!message)
            break;
        message.match([&](act& m) { m.what(self); }, [](number&) {},
            [](crash&) { throw std::runtime_error("told to"); }, [&](letter&) { goes_on = false; });
    }
}

void tell(simulation& sim, pid whom, deed what)
{
    sim.send(whom, act{std::move(what)});
    sim.run_until_idle();
}

/// A receiver and the actor that sends to it, which is told what to do.
struct pair {
    explicit pair(simulation& sim, std::uint32_t receiver_strand = 0)
        : to(sim.engine().spawn(on(receiver_strand), notes, &seen)),
          from(sim.engine().spawn(on(0), does, deed([](context&) {})))
    {
        sim.run_until_idle();
    }

    std::vector<int> values() const
    {
        std::vector<int> all;
        for (const arrival& each : seen)
            all.push_back(each.value);
        return all;
    }

    arrivals seen;
    pid to;
    pid from;
};

/// An engine whose clock may jump over what is due, as a busy strand's does.
class jumping {
public:
    explicit jumping(arrivals& seen)
    {
        to_ = engine_.spawn(notes, &seen);
        from_ = engine_.spawn(does, deed([](context&) {}));
        run();
    }

    void tell(deed what)
    {
        engine_.send(from_, act{std::move(what)});
        run();
    }

    void jump_to(std::chrono::milliseconds time)
    {
        set(time);
        run();
    }

    /// Lets time pass within a turn, before what is due at `begin` comes.
    void work(std::chrono::milliseconds begin, std::chrono::milliseconds end)
    {
        engine_.station_at(0).home().post([this, end] { set(end); });
        set(begin);
        run();
    }

    pid to() const { return to_; }

private:
    void set(std::chrono::milliseconds time)
    {
        clock_.set(static_cast<std::uint64_t>(std::chrono::nanoseconds(1s + time).count()));
    }

    void run()
    {
        strand_context& strand = engine_.station_at(0).home();
        while (strand.has_work() || strand.next_timer() <= clock_.now())
            strand.turn();
    }

    manual_clock clock_{1'000'000'000};
    costar::engine engine_{scheduler::manual{}, {.strands = 1, .clock = &clock_}};
    pid to_;
    pid from_;
};

}  // namespace

TEST_CASE("schedule: a message comes once, when its delay is over", "[actor][schedule]")
{
    const auto strand = GENERATE(0U, 1U);
    simulation sim;
    pair two(sim, strand);

    tell(sim, two.from, [&](context& self) {
        self.send_after(20ms, two.to, number{1});
        self.send_after(10ms, two.to, number{2});
        self.send_after(1h, two.to, number{3});
        self.send_after(0s, two.to, number{4});
        self.send_after(-1s, two.to, number{5});
        self.send_after(5ms, two.to, letter{std::make_unique<int>(6)});
    });
    CHECK(two.seen == arrivals{{0, 4}, {0, 5}});
    sim.advance(2h);

    CHECK(two.seen == arrivals{{0, 4}, {0, 5}, {5, 6}, {10, 2}, {20, 1}, {3'600'000, 3}});
}

TEST_CASE("schedule: its messages come from the actor that set it up", "[actor][schedule]")
{
    simulation sim;
    probe receiver = sim.make_probe();
    pair two(sim);

    tell(sim, two.from, [&](context& self) {
        self.send_after(1ms, receiver.pid(), number{1});
        self.send_every(2ms, receiver.pid(), number{2});
        self.send_at_cron("* * * * *", receiver.pid(), number{3});
    });
    sim.advance(3ms);

    receiver.expect(number{1});
    CHECK(receiver.sender() == two.from);
    receiver.expect(number{2});
    CHECK(receiver.sender() == two.from);
    sim.stop(two.from);
    receiver.expect_none();
}

TEST_CASE("schedule: a message is repeated at its interval, from the first time on", "[actor][schedule]")
{
    const auto strand = GENERATE(0U, 1U);
    const auto pace = GENERATE(costar::pace::fixed_delay, costar::pace::fixed_rate);
    simulation sim;
    pair two(sim, strand);

    tell(sim, two.from, [&](context& self) {
        self.send_every(10ms, two.to, number{1}, {.pace = pace});
        self.send_every(20ms, two.to, number{2}, {.first = 0s, .pace = pace});
        self.send_every(1h, two.to, number{3}, {.first = 5ms, .pace = pace});
    });
    sim.advance(25ms);

    CHECK(two.seen == arrivals{{0, 2}, {5, 3}, {10, 1}, {20, 2}, {20, 1}});
}

TEST_CASE("schedule: with a fixed delay two messages are never closer than the interval", "[actor][schedule]")
{
    arrivals seen;
    jumping world(seen);
    schedule handle;
    world.tell([&](context& self) { handle = self.send_every(10ms, world.to(), number{1}); });

    for (const auto time : {9ms, 14ms, 23ms, 24ms, 79ms, 88ms, 89ms})
        world.jump_to(time);

    CHECK(seen == arrivals{{14, 1}, {24, 1}, {79, 1}, {89, 1}});
    world.tell([&](context&) { CHECK(handle.skipped() == 0); });
}

TEST_CASE(
    "schedule: a fixed delay counts from the sending, however long the turn has been", "[actor][schedule]")
{
    arrivals seen;
    jumping world(seen);
    world.tell([&](context& self) { self.send_every(10ms, world.to(), number{1}); });

    world.work(10ms, 17ms);
    for (const auto time : {20ms, 26ms, 27ms})
        world.jump_to(time);

    CHECK(seen == arrivals{{17, 1}, {27, 1}});
}

TEST_CASE("schedule: with a fixed rate lateness does not add up", "[actor][schedule]")
{
    arrivals seen;
    jumping world(seen);
    world.tell(
        [&](context& self) { self.send_every(10ms, world.to(), number{1}, {.pace = pace::fixed_rate}); });

    for (const auto time : {9ms, 14ms, 19ms, 29ms, 30ms, 39ms, 40ms})
        world.jump_to(time);

    CHECK(seen == arrivals{{14, 1}, {29, 1}, {30, 1}, {40, 1}});
}

TEST_CASE(
    "schedule: ticks that were missed are left out, made up for, or stood for by one", "[actor][schedule]")
{
    arrivals seen;
    jumping world(seen);
    schedule handle;
    const auto [missed, at_once, skipped] = GENERATE(table<costar::missed, std::size_t, std::uint64_t>(
        {{missed::skip, 1, 3}, {missed::once, 2, 0}, {missed::all, 4, 0}}));
    world.tell([&, missed = missed](context& self) {
        handle = self.send_every(10ms, world.to(), number{1}, {.pace = pace::fixed_rate, .missed = missed});
    });

    world.jump_to(47ms);  // due at 10, 20 and 30, each followed by the next, and at 40
    CHECK(seen == arrivals(at_once, {47, 1}));
    world.tell([&, skipped = skipped](context&) { CHECK(handle.skipped() == skipped); });
    world.jump_to(49ms);
    world.jump_to(50ms);

    CHECK(seen.size() == at_once + 1);
    CHECK(seen.back() == arrival{50, 1});
}

TEST_CASE("schedule: many ticks that were missed are made up for a few at a time", "[actor][schedule]")
{
    arrivals seen;
    jumping world(seen);
    std::size_t seen_by_others = 0;
    world.tell([&](context& self) {
        self.send_every(1ms, world.to(), number{1}, {.pace = pace::fixed_rate, .missed = missed::all});
        self.send_after(10s, self.pid(), act{deed([&](context&) { seen_by_others = seen.size(); })});
    });

    world.jump_to(10s);

    CHECK(seen.size() == 10'000);
    CHECK(seen_by_others <= 65);
}

TEST_CASE("schedule: no tick overlaps the handling of the one before", "[actor][schedule]")
{
    const auto strand = GENERATE(0U, 1U);
    const bool is_forwarded = GENERATE(false, true);
    simulation sim;
    pair two(sim);
    arrivals seen;
    schedule handle;
    const pid slow = sim.engine().spawn(on(strand), notes_slowly, &seen, 25ms);
    const pid to = is_forwarded ? sim.engine().spawn(on(1 - strand), passes_on, slow) : slow;

    tell(sim, two.from, [&](context& self) {
        handle = self.send_every(10ms, to, number{1}, {.pace = pace::fixed_rate, .overlap = overlap::skip});
    });
    sim.advance(68ms);

    CHECK(seen == arrivals{{10, 1}, {40, 1}});
    tell(sim, two.from, [&](context&) { CHECK(handle.skipped() == 4); });
    sim.advance(5ms);
    sim.stop(two.from);  // while the message of 70 is still being handled
    sim.advance(1s);
    CHECK(seen == arrivals{{10, 1}, {40, 1}, {70, 1}});
    CHECK(sim.engine().figures().late_replies == 0);
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE(
    "schedule: a message that was lost, failed over or answered is no longer handled", "[actor][schedule]")
{
    quiet_log quiet;
    const auto strand = GENERATE(0U, 1U);
    simulation sim;
    event_record events(sim.engine());
    pair two(sim);
    const pid gone = sim.engine().spawn(on(strand), notes, &two.seen);
    sim.stop(gone);
    spawn_options often = on(strand);
    often.restart = {.limit = 1000};
    const pid fragile = sim.engine().spawn(often, helper);
    const pid answering = sim.engine().spawn(on(strand), helper);
    std::vector<schedule> all;

    tell(sim, two.from, [&](context& self) {
        const repeat_options options{.overlap = overlap::skip};
        all = {self.send_every(10ms, gone, number{1}, options),
            self.send_every(10ms, fragile, crash_asked{}, options),
            self.send_every(10ms, answering, twice{1}, options)};
    });
    sim.advance(55ms);

    CHECK(events.dead_of(gone, errc::no_such_actor) == 5);
    CHECK(events.restarted.size() == 5);
    tell(sim, two.from, [&](context&) {
        for (const schedule& each : all)
            CHECK(each.skipped() == 0);
    });
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("schedule: sends nothing once it is cancelled, however often that is", "[actor][schedule]")
{
    simulation sim;
    pair two(sim);
    std::vector<schedule> all;
    schedule done;
    tell(sim, two.from, [&](context& self) {
        all = {self.send_after(10ms, two.to, number{1}), self.send_every(10ms, two.to, number{2}),
            self.send_at_cron("* * * * *", two.to, number{3}),
            self.send_every(10ms, two.to, number{4}, {.overlap = overlap::skip})};
        done = self.send_after(1ms, two.to, number{5});
        for (const schedule& each : all)
            CHECK(each.active());
    });
    sim.advance(5ms);

    tell(sim, two.from, [&](context& self) {
        for (schedule& each : all) {
            schedule copy = each;
            copy.cancel();
            CHECK_FALSE(each.active());
            each.cancel();
        }
        CHECK_FALSE(done.active());
        CHECK(done.skipped() == 0);
        const schedule other = self.send_after(15ms, two.to, number{6});  // in the place of an ended one
        for (schedule& each : all)
            each.cancel();
        done.cancel();
        CHECK(other.active());
    });
    sim.advance(1h);

    CHECK(two.seen == arrivals{{1, 5}, {20, 6}});
}

TEST_CASE("schedule: goes on without its handle, which does nothing elsewhere", "[actor][schedule]")
{
    simulation sim;
    pair two(sim);
    schedule handle;
    schedule nothing;
    const pid stranger = sim.engine().spawn(on(1), does, deed([](context&) {}));
    tell(sim, two.from, [&](context& self) { handle = self.send_every(10ms, two.to, number{1}); });

    nothing.cancel();
    handle.cancel();
    CHECK_FALSE(handle.active());
    tell(sim, stranger, [&](context&) {
        handle.cancel();
        nothing.cancel();
        CHECK_FALSE(handle.active());
    });
    handle = schedule();
    sim.advance(25ms);

    CHECK(two.seen == arrivals{{10, 1}, {20, 1}});
}

TEST_CASE("schedule: may be cancelled by whoever hears of its messages", "[actor][schedule]")
{
    arrivals seen;
    jumping world(seen);
    schedule handle;
    int letters = 0;
    event_stream::subscription subscription;
    world.tell([&](context& self) {
        handle = self.send_every(10ms, pid(), number{1}, {.pace = pace::fixed_rate, .missed = missed::all});
        subscription = self.engine().events().subscribe<dead_letter>([&](const dead_letter&) {
            if (++letters == 2)
                handle.cancel();
        });
    });

    world.jump_to(55ms);

    CHECK(letters == 2);
    world.tell([&](context&) { CHECK_FALSE(handle.active()); });
}

TEST_CASE("schedule: ends with its actor, on every way to end", "[actor][schedule]")
{
    quiet_log quiet;
    const std::string how = GENERATE("stop", "poison", "return", "crash", "parent");
    const auto strand = GENERATE(0U, 1U);
    simulation sim;
    int alive = 0;
    {
        pair two(sim, strand);
        const deed sets_up = [&](context& self) {
            self.send_after(20ms, two.to, number{1});
            self.send_every(10ms, two.to, number{2}, {.overlap = overlap::skip});
            self.send_at_cron("* * * * *", two.to, number{3});
            self.send_after(1h, two.to, std::make_shared<tracked>(alive));
            self.send_every(1h, two.to, std::make_shared<tracked>(alive));
        };
        pid child;
        tell(sim, two.from, [&](context& self) { child = self.spawn(does, sets_up); });
        sim.advance(15ms);
        CHECK(two.values() == std::vector<int>{2});
        CHECK(alive == 2);

        if (how == "stop")
            sim.stop(child);
        else if (how == "poison")
            sim.engine().poison(child);
        else if (how == "return")
            sim.send(child, letter{});
        else if (how == "crash")
            sim.send(child, crash{});
        else
            sim.stop(two.from);
        sim.advance(2h);

        CHECK(two.values() == std::vector<int>{2});
        CHECK(alive == 0);
        CHECK(sim.engine().figures().dead_letters == 0);
    }
}

TEST_CASE("schedule: a body that is begun anew sets up its own", "[actor][schedule]")
{
    quiet_log quiet;
    simulation sim;
    pair two(sim);
    std::vector<schedule> handles;
    const deed sets_up = [&](context& self) {
        handles.push_back(self.send_every(10ms, two.to, number{static_cast<int>(self.restart_count())}));
    };
    const pid again = sim.engine().spawn({.restart = {.limit = 3, .delay = 20ms}}, does, sets_up);
    sim.advance(15ms);
    sim.send(again, crash{});
    sim.advance(15ms);
    CHECK(handles.size() == 1);
    sim.advance(20ms);

    CHECK(two.seen == arrivals{{10, 0}, {45, 1}});
    REQUIRE(handles.size() == 2);
    tell(sim, again, [&](context&) {
        CHECK_FALSE(handles[0].active());
        handles[0].cancel();
        CHECK(handles[1].active());
    });
    sim.advance(10ms);
    CHECK(two.seen.back() == arrival{55, 1});
}

TEST_CASE("schedule: nothing is set up once the body has ended", "[actor][schedule]")
{
    struct tasks {
        static task<> works(context& self, pid to, errc* seen)
        {
            try {
                co_await sleep_for(24h);
            } catch (const error&) {
                try {
                    self.send_every(1ms, to, number{1});
                } catch (const error& thrown) {
                    *seen = static_cast<errc>(thrown.code().value());
                }
            }
        }
        static task<> body(context& self, pid to, errc* seen)
        {
            self.spawn_task(works(self, to, seen));
            static_cast<void>(co_await self.receive(5ms));
        }
    };
    simulation sim;
    pair two(sim);
    errc seen{};
    sim.engine().spawn(tasks::body, two.to, &seen);

    sim.advance(1s);

    CHECK(seen == errc::cancelled);
    CHECK(two.seen.empty());
}

TEST_CASE("schedule: a copy that throws is a crash of the actor", "[actor][schedule]")
{
    quiet_log quiet;
    const bool is_cron = GENERATE(false, true);
    simulation sim;
    event_record events(sim.engine());
    int copies = 0;
    int alive = 0;
    const pid receiver = sim.engine().spawn(support::helper);
    const deed sets_up = [&](context& self) {
        copies = 0;
        if (is_cron)
            self.send_at_cron("* * * * * *", receiver, brittle(&copies));
        else
            self.send_every(1s, receiver, brittle(&copies), {.overlap = overlap::skip});
        self.send_every(1h, receiver, std::make_shared<tracked>(alive));
    };
    const pid from = sim.engine().spawn({.restart = {.limit = 1}}, does, sets_up);

    sim.advance(5500ms);
    REQUIRE(events.restarted.size() == 1);
    CHECK(events.restarted[0].who == from);
    CHECK(events.restarted[0].reason == "it broke");
    CHECK(alive == 1);
    sim.advance(1s);

    CHECK(events.ends_of(from) == 1);
    CHECK(alive == 0);
    CHECK(events.dead_of(receiver, errc::not_understood) == 4);
}

TEST_CASE("schedule: what makes no sense is refused", "[actor][schedule]")
{
    simulation sim;
    pair two(sim);
    int alive = 0;
    const auto message = [&] { return std::make_shared<tracked>(alive); };

    tell(sim, two.from, [&](context& self) {
        CHECK_THROWS_AS(self.send_every(0s, two.to, message()), std::invalid_argument);
        CHECK_THROWS_AS(self.send_every(-1s, two.to, message()), std::invalid_argument);
        CHECK_THROWS_AS(self.send_at_cron("61 * * * *", two.to, message()), std::invalid_argument);
        CHECK_THROWS_AS(self.send_at_cron("0 0 30 2 *", two.to, message()), std::invalid_argument);
        CHECK_THROWS_AS(self.send_at_cron("* * * * *", two.to, message(), {.zone = "Mars/Olympus"}),
            std::invalid_argument);
    });

    CHECK(alive == 0);
}

TEST_CASE("schedule: is destroyed with its engine", "[actor][schedule]")
{
    int alive = 0;
    arrivals seen;
    std::vector<schedule> handles;
    {
        simulation sim;
        pair two(sim);
        const pid slow = sim.engine().spawn(on(1), notes_slowly, &seen, 1h);
        tell(sim, two.from, [&](context& self) {
            handles = {self.send_after(1h, two.to, std::make_shared<tracked>(alive)),
                self.send_every(1h, two.to, std::make_shared<tracked>(alive)),
                self.send_at_cron("@daily", two.to, std::make_shared<tracked>(alive)),
                self.send_every(1ms, slow, number{1}, {.overlap = overlap::skip}),
                self.send_every(1ms, two.to, number{2}, {.overlap = overlap::skip})};
        });
        sim.advance(10ms);
        CHECK(alive == 3);
        CHECK(seen.size() == 1);
    }

    CHECK(alive == 0);
    for (schedule& each : handles)
        each.cancel();
}

TEST_CASE("schedule: comes at the times of a cron expression, to the second", "[actor][schedule]")
{
    simulation sim;
    pair two(sim, 1);
    tell(sim, two.from, [&](context& self) {
        self.send_at_cron("30 9-17/4 * * mon-fri", two.to, number{1});
        self.send_at_cron("15 30 12 * * sun", two.to, number{2});
    });

    sim.advance(7 * 24h);

    arrivals expected;
    for (int day = 0; day < 5; ++day)
        for (const int hour : {9, 13, 17})
            expected.push_back({((day * 24 + hour) * 60 + 30) * 60'000, 1});
    expected.push_back({(((6 * 24 + 12) * 60 + 30) * 60 + 15) * 1000, 2});
    CHECK(two.seen == expected);
}

TEST_CASE("schedule: a cron expression speaks of the clocks of its zone", "[actor][schedule]")
{
    if (!time_zone::has_database())
        return;  // built without zones
    simulation sim;
    pair two(sim);
    sim.set_wall(std::chrono::sys_days{2024y / 3 / 30});
    tell(sim, two.from, [&](context& self) {
        self.send_at_cron("30 2 * * *", two.to, number{1}, {.zone = "Europe/Berlin"});
        self.send_at_cron("0 21 * * *", two.to, number{2}, {.zone = "America/New_York"});
    });

    sim.advance(72h);

    // There is no half past two on the 31st: three o'clock, which is 1:00 in UTC, takes its place.
    const auto at = [](int hours, int minutes) { return (hours * 60 + minutes) * 60'000; };
    CHECK(two.seen ==
        arrivals{
            {at(1, 0), 2}, {at(1, 30), 1}, {at(25, 0), 1}, {at(25, 0), 2}, {at(48, 30), 1}, {at(49, 0), 2}});
}

TEST_CASE("schedule: when the clock is set forward, times are missed", "[actor][schedule]")
{
    simulation sim;
    pair two(sim);
    const auto [missed, daily, hourly, left_out] =
        GENERATE(table<costar::missed, std::size_t, std::size_t, std::uint64_t>(
            {{missed::skip, 0, 1, 9}, {missed::once, 1, 2, 0}, {missed::all, 1, 9, 0}}));
    std::vector<schedule> all;
    tell(sim, two.from, [&, missed = missed](context& self) {
        all = {self.send_at_cron("0 3 * * *", two.to, number{1}, {.missed = missed}),
            self.send_at_cron("0 * * * *", two.to, number{2}, {.missed = missed})};
    });

    sim.set_wall(manual_clock::first_day + 8h + 59min + 30s);
    sim.advance(1min);

    const std::vector<int> values = two.values();
    CHECK(static_cast<std::size_t>(std::count(values.begin(), values.end(), 1)) == daily);
    CHECK(static_cast<std::size_t>(std::count(values.begin(), values.end(), 2)) == hourly);
    tell(sim, two.from,
        [&, left_out = left_out](context&) { CHECK(all[0].skipped() + all[1].skipped() == left_out); });
    sim.advance(1h);
    CHECK(two.seen.size() == daily + hourly + 1);
    CHECK(two.seen.back() == arrival{3'630'000, 2});
}

TEST_CASE("schedule: not more than a thousand missed times are made up for", "[actor][schedule]")
{
    simulation sim;
    pair two(sim);
    tell(sim, two.from,
        [&](context& self) { self.send_at_cron("* * * * * *", two.to, number{1}, {.missed = missed::all}); });

    sim.set_wall(manual_clock::first_day + 20 * 366 * 24h);
    sim.advance(1s);
    CHECK(two.seen.size() == 1001);
    sim.advance(5s);

    CHECK(two.seen.size() == 1006);
}

TEST_CASE("schedule: when the clock is set back, times come again", "[actor][schedule]")
{
    simulation sim;
    pair two(sim);
    tell(sim, two.from, [&](context& self) { self.send_at_cron("15 * * * *", two.to, number{1}); });
    sim.advance(15min + 10s);
    CHECK(two.seen.size() == 1);

    sim.set_wall(sim.wall() - 30s);  // a correction of half a minute repeats nothing
    sim.advance(10min);
    CHECK(two.seen.size() == 1);
    sim.set_wall(sim.wall() - 24h);
    sim.advance(51min);

    CHECK(two.seen.size() == 2);
    sim.advance(1h);
    CHECK(two.seen.size() == 3);
}

TEST_CASE("schedule: behaves as a list of times", "[actor][schedule]")
{
    // Schedules are set up and cancelled at random moments. What comes when is compared with the times that
    // the settings mean.
    struct setting {
        int begin;
        int first;
        int interval;  // 0: once
        int end;       // cancelled then
    };
    constexpr int span = 60;
    const bool holds = rc::check("what was set up comes, and nothing else", [] {
        std::vector<setting> settings;
        for (int count = *rc::gen::inRange(1, 25); count > 0; --count)
            settings.push_back({*rc::gen::inRange(0, span), *rc::gen::inRange(0, 40),
                *rc::gen::inRange(0, 15), *rc::gen::inRange(0, 2 * span)});
        simulation sim(*rc::gen::arbitrary<std::uint64_t>());
        pair two(sim, *rc::gen::inRange(0U, 2U));
        std::vector<schedule> handles(settings.size());

        for (int now = 0; now <= span; ++now) {
            for (std::size_t i = 0; i < settings.size(); ++i) {
                const setting& each = settings[i];
                tell(sim, two.from, [&](context& self) {
                    const number message{static_cast<int>(i)};
                    const std::chrono::milliseconds first(each.first);
                    if (each.begin == now && each.interval == 0)
                        handles[i] = self.send_after(first, two.to, message);
                    else if (each.begin == now)
                        handles[i] = self.send_every(
                            std::chrono::milliseconds(each.interval), two.to, message, {.first = first});
                    if (each.end == now)
                        handles[i].cancel();
                });
            }
            sim.advance(1ms);
        }

        std::vector<arrivals> expected(settings.size());
        std::vector<arrivals> came(settings.size());
        for (std::size_t i = 0; i < settings.size(); ++i) {
            const setting& each = settings[i];
            const bool ends = each.end >= each.begin;  // else there was nothing to cancel yet
            for (int time = each.begin + each.first; time <= span + 1; time += each.interval) {
                if (!ends || time < each.end || (time == each.end && time > each.begin))
                    expected[i].push_back({time, static_cast<int>(i)});
                if (each.interval == 0)
                    break;
            }
        }
        for (const arrival& each : two.seen)
            came[static_cast<std::size_t>(each.value)].push_back(each);
        RC_ASSERT(came == expected);
    });

    CHECK(holds);
}
