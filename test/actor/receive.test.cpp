// SPDX-License-Identifier: MIT

#include <costar/actor/receive.hpp>

#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

using log_lines = std::vector<std::string>;

task<> tells(context& self, log_lines* seen)
{
    while (auto message = co_await self.receive())
        message.match([&](number& m) { seen->push_back("number " + std::to_string(m.value)); },
            [&](words& m) { seen->push_back("words " + m.text); });
    seen->push_back("end");
}

task<> numbers_first(context& self, int count, log_lines* seen)
{
    for (int i = 0; i < count; ++i) {
        auto message = co_await self.receive<number>();
        if (!message)
            break;
        seen->push_back("number " + std::to_string(message.get<number>().value));
    }
    while (auto message = co_await self.receive())
        message.match([&](number& m) { seen->push_back("number " + std::to_string(m.value)); },
            [&](words& m) { seen->push_back("words " + m.text); });
    seen->push_back("end");
}

task<> with_deadline(context& self, log_lines* seen)
{
    for (;;) {
        auto message = co_await self.receive(100ms);
        if (message.timed_out()) {
            seen->push_back("late at " + std::to_string(self.now().count() / 1'000'000 % 1000));
            CHECK_FALSE(message);
            continue;
        }
        if (!message)
            break;
        message.match([&](number& m) { seen->push_back("number " + std::to_string(m.value)); });
    }
    seen->push_back("end");
}

task<> number_with_deadline(context& self, log_lines* seen)
{
    for (;;) {
        auto message = co_await self.receive<number>(100ms);
        if (message.timed_out()) {
            seen->push_back("late, " + std::to_string(self.mailbox_size()) + " waiting");
            continue;
        }
        if (!message)
            break;
        seen->push_back("number " + std::to_string(message.get<number>().value));
    }
}

task<> receives_or_wakes(context& self, std::chrono::nanoseconds pause, log_lines* seen)
{
    for (;;) {
        auto first = co_await when_any(self.receive(), sleep_for(pause));
        if (first.index() == 1) {
            seen->push_back("woke");
            continue;
        }
        auto message = std::get<0>(std::move(first));
        if (!message)
            break;
        message.match([&](number& m) { seen->push_back("number " + std::to_string(m.value)); });
    }
}

task<> at_once()
{
    co_return;
}

/// Loses the race on purpose: what is ready at the same time as the message wins, or does not.
task<> races(context& self, std::vector<int>* seen)
{
    while (seen->size() < 20) {
        auto first = co_await when_any(self.receive(), at_once());
        if (first.index() == 1)
            continue;
        seen->push_back(std::get<0>(first).get<number>().value);
    }
}

task<> one_number(context& self, int* taken, std::chrono::nanoseconds pause)
{
    co_await sleep_for(pause);
    auto message = co_await self.receive<number>();
    if (message)
        *taken = message.get<number>().value;
}

/// The forms of `receive`, all of which use the actor's one place to wait.
enum class form {
    any,
    any_in_time,
    of_type,
    of_type_in_time,
    batch,
    in_branch,
    without_wait
};

constexpr form all_forms[] = {form::any, form::any_in_time, form::of_type, form::of_type_in_time, form::batch,
    form::in_branch, form::without_wait};

task<> receives(context& self, form how, int* taken)
{
    message got;
    switch (how) {
    case form::any:
        got = co_await self.receive();
        break;
    case form::any_in_time:
        got = co_await self.receive(1h);
        break;
    case form::of_type:
        got = co_await self.receive<number>();
        break;
    case form::of_type_in_time:
        got = co_await self.receive<number>(1h);
        break;
    case form::batch:
        for (message& each : co_await self.receive_batch(1))
            got = std::move(each);
        break;
    case form::in_branch:
        got = std::get<0>(co_await when_any(self.receive(), sleep_for(1h)));
        break;
    case form::without_wait:
        got = self.try_receive();
        break;
    }
    if (got)
        *taken += got.get<number>().value;
}

/// Receives too, and is refused.
task<> receives_beside(context& self, form how, bool sends, int* refused)
{
    co_await sleep_for(1ms);
    if (sends)  // wakes the one that waits, which is still the one that gets it
        self.send(self.pid(), number{7});
    try {
        int taken = 0;
        co_await receives(self, how, &taken);
        CHECK(taken == 0);
    } catch (const std::logic_error&) {
        ++*refused;
    }
}

/// The body receives while a task does, or the other way round.
task<> receives_twice(context& self, form first, form second, bool sends, int* taken, int* refused)
{
    self.spawn_task(receives_beside(self, second, sends, refused));
    co_await receives(self, first, taken);
    co_await sleep_for(1s);
}

task<> receives_behind_a_task(context& self, form first, form second, bool sends, int* taken, int* refused)
{
    self.spawn_task(receives(self, first, taken));
    co_await receives_beside(self, second, sends, refused);
    co_await sleep_for(1s);
}

/// Receives in two branches of one wait.
task<> receives_in_two_branches(context& self)
{
    co_await when_any(self.receive(), self.receive());
}

task<> receives_in_a_foreign_task(context& self, int* taken, int* refused)
{
    async_spawn(self.get_executor(), receives(self, form::any, taken), boost::asio::detached);
    co_await receives_beside(self, form::any, false, refused);
    co_await sleep_for(1s);
}

task<> only_waits_for_words(context& self)
{
    while (co_await self.receive<words>()) {}
}

}  // namespace

TEST_CASE("receive: a message that was asked for by its type counts as handled", "[actor][receive]")
{
    simulation sim;
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(only_waits_for_words);

    sim.send(actor, words{"one"});
    sim.send(actor, words{"two"});
    sim.run_until_idle();

    CHECK(events.dead.empty());
}

TEST_CASE(
    "receive: gives messages in the order sent, and nothing when it is time to stop", "[actor][receive]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    log_lines seen;
    const pid actor = sim.engine().spawn(tells, &seen);

    sim.send(actor, number{1});
    sim.send(actor, words{"two"});
    sim.send(actor, number{3});
    sim.run_until_idle();
    CHECK(seen == log_lines{"number 1", "words two", "number 3"});
    sim.stop(actor);

    CHECK(seen.back() == "end");
}

TEST_CASE("receive: one of a type leaves the rest in its order", "[actor][receive]")
{
    simulation sim;
    log_lines seen;
    const pid actor = sim.engine().spawn(numbers_first, 2, &seen);

    for (int i = 1; i <= 4; ++i) {
        sim.send(actor, words{std::to_string(i)});
        sim.send(actor, number{i});
    }
    sim.run_until_idle();

    CHECK(seen ==
        log_lines{
            "number 1", "number 2", "words 1", "words 2", "words 3", "number 3", "words 4", "number 4"});
}

TEST_CASE("receive: one of a type ends at a stop and at a poison pill", "[actor][receive]")
{
    simulation sim;
    event_record events(sim.engine());
    log_lines seen;
    const pid actor = sim.engine().spawn(numbers_first, 3, &seen);
    sim.send(actor, words{"unwanted"});
    sim.send(actor, number{1});

    SECTION("stop overtakes")
    {
        sim.engine().stop(actor);
        sim.run_until_idle();
        CHECK(events.dead.size() == 2);  // in the mailbox, or still on the way
        CHECK(seen.empty());             // it has looked once, and was ended by the next receive
    }
    SECTION("poison stands in line")
    {
        sim.engine().poison(actor);
        sim.send(actor, number{2});
        sim.run_until_idle();
        CHECK(seen == log_lines{"number 1"});
        CHECK(events.dead_of(actor, errc::actor_stopped) == 2);
    }
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("receive: with a deadline says when nothing came in time", "[actor][receive]")
{
    simulation sim;
    log_lines seen;
    const pid actor = sim.engine().spawn(with_deadline, &seen);

    sim.advance(250ms);
    sim.send(actor, number{1});
    sim.advance(100ms);
    sim.stop(actor);

    CHECK(seen == log_lines{"late at 100", "late at 200", "number 1", "late at 350", "end"});
}

TEST_CASE("receive: one of a type has a deadline of its own", "[actor][receive]")
{
    simulation sim;
    log_lines seen;
    const pid actor = sim.engine().spawn(number_with_deadline, &seen);

    sim.send(actor, words{"unwanted"});
    sim.advance(100ms);
    sim.send(actor, number{1});
    sim.run_until_idle();
    sim.advance(99ms);

    CHECK(seen == log_lines{"late, 1 waiting", "number 1"});
}

TEST_CASE("receive: may wait as long as can be said", "[actor][receive]")
{
    struct waits {
        static task<> any(context& self, int* late)
        {
            *late += (co_await self.receive(std::chrono::seconds::max())).timed_out();
        }
        static task<> one(context& self, int* late)
        {
            *late += (co_await self.receive<number>(std::chrono::hours::max())).timed_out();
        }
    };
    simulation sim;
    int late = 0;
    sim.engine().spawn(&waits::any, &late);
    sim.engine().spawn(&waits::one, &late);

    sim.advance(24h);

    CHECK(late == 0);
    CHECK(sim.engine().figures().live == 2);
}

TEST_CASE("receive: a message and a deadline at the same moment lose neither", "[actor][receive]")
{
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        simulation sim(seed);
        log_lines seen;
        const pid actor = sim.engine().spawn(on(0), with_deadline, &seen);
        struct sender {
            static task<> body(context& self, pid to)
            {
                for (int i = 1; i <= 5; ++i) {
                    co_await sleep_for(100ms);
                    self.send(to, number{i});
                }
            }
        };
        sim.engine().spawn(on(static_cast<std::uint32_t>(seed % 2)), &sender::body, actor);
        sim.advance(1s);

        log_lines numbers;
        for (const auto& line : seen)
            if (line.starts_with("number"))
                numbers.push_back(line);
        CHECK(numbers == log_lines{"number 1", "number 2", "number 3", "number 4", "number 5"});
    }
}

TEST_CASE("receive: a receive that loses a race takes no message", "[actor][receive]")
{
    SECTION("against time")
    {
        simulation sim;
        log_lines seen;
        const pid actor = sim.engine().spawn(receives_or_wakes, 10ms, &seen);
        sim.advance(25ms);
        sim.send(actor, number{1});
        sim.advance(10ms);
        sim.stop(actor);
        CHECK(seen == log_lines{"woke", "woke", "number 1", "woke"});
    }
    SECTION("against what is ready at once, in any order")
    {
        for (std::uint64_t seed = 1; seed <= 100; ++seed) {
            simulation sim(seed);
            event_record events(sim.engine());
            std::vector<int> seen;
            const pid actor = sim.engine().spawn(on(0), races, &seen);
            std::vector<int> expected;
            for (int i = 0; i < 20; ++i) {
                sim.send(actor, number{i});
                expected.push_back(i);
            }
            sim.run_until_idle();
            CHECK(seen == expected);
            CHECK(events.dead.empty());
        }
    }
}

TEST_CASE("receive: a stopped actor wakes from a race and ends", "[actor][receive]")
{
    simulation sim;
    event_record events(sim.engine());
    log_lines seen;
    const pid actor = sim.engine().spawn(receives_or_wakes, 1h, &seen);
    sim.run_until_idle();

    sim.stop(actor);

    CHECK(events.ends_of(actor) == 1);
    CHECK(events.stopped[0].reason == errc::cancelled);
}

TEST_CASE(
    "receive: a task that receives while the body ends is woken, and the actor ends", "[actor][receive]")
{
    simulation sim;
    event_record events(sim.engine());
    int taken = 0;
    struct parent {
        static task<> body(context& self, int* taken, bool waits)
        {
            self.spawn_task(one_number(self, taken, 0s));
            if (waits)
                co_await sleep_for(1s);
        }
    };
    const bool waits = GENERATE(false, true);
    const pid actor = sim.engine().spawn(&parent::body, &taken, waits);

    SECTION("nothing came")
    {
        sim.advance(2s);
        CHECK(taken == 0);
    }
    SECTION("something came")
    {
        sim.send(actor, number{3});
        sim.advance(2s);
        CHECK((taken == 3 || !waits));
    }
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("receive: a second receive while one waits is refused, and the first goes on", "[actor][receive]")
{
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    const form first = GENERATE(
        form::any, form::any_in_time, form::of_type, form::of_type_in_time, form::batch, form::in_branch);
    const form second = GENERATE(from_range(std::begin(all_forms), std::end(all_forms)));
    const bool sends = GENERATE(false, true);
    const bool is_in_body = GENERATE(false, true);
    if (sends && second == form::in_branch)
        return;  // the branch begins a step later, and the first may have its message by then
    INFO("first " << static_cast<int>(first) << ", second " << static_cast<int>(second));
    int taken = 0;
    int refused = 0;
    const pid actor = sim.engine().spawn(
        is_in_body ? receives_twice : receives_behind_a_task, first, second, sends, &taken, &refused);
    sim.advance(1ms);

    CHECK(refused == 1);
    CHECK(taken == (sends ? 7 : 0));
    SECTION("it gets the next message")
    {
        if (!sends)
            sim.send(actor, number{7});
        sim.advance(10ms);
        CHECK(taken == 7);
        sim.advance(2s);
    }
    SECTION("a stop ends the actor")
    {
        sim.stop(actor);
        CHECK(sim.now() == 1ms);
    }
    SECTION("a pill ends the actor")
    {
        sim.engine().poison(actor);
        sim.advance(2s);
    }
    CHECK(events.ends_of(actor) == 1);
    CHECK(events.dead.empty());
}

TEST_CASE("receive: a loop that does not look whether it is time to stop is ended by its next receive",
    "[actor][receive]")
{
    struct loop {
        static task<> plain(context& self, int* rounds)
        {
            for (;; ++*rounds)
                co_await self.receive();
        }
        static task<> in_time(context& self, int* rounds)
        {
            for (;; ++*rounds)
                co_await self.receive(1h);
        }
        static task<> of_a_type(context& self, int* rounds)
        {
            for (;; ++*rounds)
                co_await self.receive<number>();
        }
        static task<> in_batches(context& self, int* rounds)
        {
            for (;; ++*rounds)
                co_await self.receive_batch(10);
        }
        static task<> in_a_task(context& self, int* rounds)
        {
            self.spawn_task(plain(self, rounds));
            co_await sleep_for(1h);
        }
        static task<> at_once(context& self, int* rounds)
        {
            co_await shield(sleep_for(1ms));
            co_await plain(self, rounds);
        }
    };
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    int rounds = 0;
    const bool by_pill = GENERATE(false, true);
    const auto body = GENERATE(
        &loop::plain, &loop::in_time, &loop::of_a_type, &loop::in_batches, &loop::in_a_task, &loop::at_once);
    spawn_options options;
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn(options, body, &rounds);
    if (body != &loop::at_once)
        sim.run_until_idle();
    if (by_pill)
        sim.engine().poison(actor);
    else
        sim.stop(actor);
    sim.advance(2s);

    CHECK(rounds <= 1);
    CHECK(events.ends_of(actor) == 1);
    CHECK(events.restarted.empty());
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE(
    "receive: a poison pill that is met without waiting is told by the next receive", "[actor][receive]")
{
    struct loop {
        static task<> in_batches(context& self, int* taken, bool* is_over)
        {
            for (;;) {
                auto batch = co_await self.receive_batch(8);
                if (batch.empty())
                    break;
                for (message& each : batch)
                    *taken += each.get<number>().value;
            }
            *is_over = true;
        }
        static task<> and_tries(context& self, int* taken, bool* is_over)
        {
            while (auto message = co_await self.receive()) {
                *taken += message.get<number>().value;
                while (auto another = self.try_receive())
                    *taken += another.get<number>().value;
            }
            *is_over = true;
        }
        static task<> tries_first(context& self, int* taken, bool* is_over)
        {
            for (;;) {
                message got = self.try_receive();
                if (!got)
                    got = co_await self.receive(1s);
                if (!got)
                    break;
                *taken += got.get<number>().value;
            }
            *is_over = true;
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    const bool by_pill = GENERATE(false, true);
    const auto body = GENERATE(&loop::in_batches, &loop::and_tries, &loop::tries_first);
    int taken = 0;
    bool is_over = false;
    const pid actor = sim.engine().spawn(body, &taken, &is_over);
    for (int i = 1; i <= 3; ++i)
        sim.send(actor, number{i});
    if (!by_pill)
        sim.run_until_idle();
    by_pill ? sim.engine().poison(actor) : sim.engine().stop(actor);
    sim.advance(2s);

    CHECK(taken == 6);
    CHECK(is_over);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("receive: an end that a branch has met without its outcome being taken is told by the next receive",
    "[actor][receive]")
{
    struct loop {
        static task<> body(context& self, bool is_first, bool in_time, bool* is_told)
        {
            self.stop();
            const auto lost = is_first
                ? (co_await as_result(when_any(self.receive(), sleep_for(1h)))).has_value()
                : (co_await as_result(when_any(sleep_for(1h), self.receive<number>(1h)))).has_value();
            if (lost)
                *is_told = true;
            else if (in_time)
                *is_told = !co_await self.receive(1h);
            else
                *is_told = !co_await self.receive();
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    bool is_told = false;
    sim.engine().spawn(&loop::body, GENERATE(false, true), GENERATE(false, true), &is_told);
    sim.advance(2s);

    CHECK(is_told);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("receive: a task that waits when it is time to stop is told as the body is", "[actor][receive]")
{
    struct sleeper {
        static task<> listen(context& self, int form, int* told)
        {
            if (form == 0)
                while (co_await self.receive()) {}
            else if (form == 1)
                while (co_await self.receive<number>()) {}
            else if (form == 2)
                while (co_await self.receive(1h)) {}
            else
                while (!(co_await self.receive_batch(4)).empty()) {}
            ++*told;
        }
        static task<> body(context& self, int form, int* told)
        {
            self.spawn_task(listen(self, form, told));
            co_await sleep_for(24h);
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U, 4U));
    const int form = GENERATE(0, 1, 2, 3);
    const bool restarts = GENERATE(false, true);
    int told = 0;
    spawn_options options = on(0);
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn(options, &sleeper::body, form, &told);
    sim.run_until_idle();
    sim.send(actor, number{1});
    sim.run_until_idle();
    if (restarts) {
        sim.engine().restart(actor);
        sim.run_until_idle();
        CHECK(told == 1);
    }
    sim.stop(actor);

    CHECK(told == (restarts ? 2 : 1));
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("receive: a receive that was first keeps its message until when_any has ended", "[actor][receive]")
{
    struct actor {
        /// Receives while the body has received, and waits for what has lost.
        static task<> comes_between(context& self, bool by_trying, int* refused)
        {
            co_await sleep_for(2ms);
            try {
                if (by_trying)
                    static_cast<void>(self.try_receive());
                else
                    co_await self.receive(10ms);
            } catch (const std::logic_error&) {
                ++*refused;
            }
        }
        static task<> body(context& self, bool by_trying, bool in_time, int* refused, std::vector<int>* taken)
        {
            self.spawn_task(comes_between(self, by_trying, refused));
            auto first = co_await when_any(self.receive(in_time ? 1ms : 1s), gives_way_slowly());
            CHECK(first.index() == 0);
            if (message& got = std::get<0>(first))
                taken->push_back(got.get<number>().value);
            else
                CHECK(got.timed_out());
            while (auto next = co_await self.receive(20ms))
                taken->push_back(next.get<number>().value);
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    const bool by_trying = GENERATE(false, true);
    const bool in_time = GENERATE(false, true);
    int refused = 0;
    std::vector<int> taken;
    const pid receiver = sim.engine().spawn(&actor::body, by_trying, in_time, &refused, &taken);
    if (in_time)
        sim.advance(1ms + 500us);  // the time is over, and what has lost goes on
    for (int i = 0; i < 3; ++i)
        sim.send(receiver, number{i});
    sim.advance(1s);

    CHECK(refused == 1);
    CHECK(taken == std::vector{0, 1, 2});
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("receive: a second receive that nobody catches is a crash", "[actor][receive]")
{
    kept_log log;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    struct parent {
        static task<> body(context& self)
        {
            static int taken = 0;
            self.spawn_task(receives(self, form::any, &taken));
            co_await receives(self, form::any, &taken);
        }
        static task<> with_task(context& self)
        {
            static int taken = 0;
            self.spawn_task(receives(self, form::any, &taken));
            co_await sleep_for(1ms);
            co_await receives(self, form::any, &taken);
        }
    };
    const pid actor =
        sim.engine().spawn(GENERATE(&parent::body, &parent::with_task, &receives_in_two_branches));
    sim.advance(1s);

    REQUIRE(events.ends_of(actor) == 1);
    CHECK(events.stopped[0].reason == errc::actor_failed);
    const bool says_why = std::any_of(log.lines.begin(), log.lines.end(), [](const std::string& line) {
        return line.find("one coroutine of an actor receives at a time") != std::string::npos;
    });
    CHECK(says_why);
}

TEST_CASE("receive: a task on its own that receives for an actor holds its place", "[actor][receive]")
{
    simulation sim;
    int taken = 0;
    int refused = 0;
    const pid actor = sim.engine().spawn(receives_in_a_foreign_task, &taken, &refused);
    sim.advance(10ms);
    CHECK(refused == 1);

    sim.send(actor, number{7});
    sim.advance(10ms);

    CHECK(taken == 7);
}
