// SPDX-License-Identifier: MIT

#include <costar/kernel/mailbox.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include "gated.hpp"

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Handles one message a second and notes how many wait then.
task<> leisurely(context& self, std::vector<int>* seen, std::size_t* longest)
{
    while (auto message = co_await self.receive()) {
        *longest = std::max(*longest, self.mailbox_size());
        message.match([&](number& m) { seen->push_back(m.value); }, [](twice& m) { return 2 * m.value; });
        message = {};
        co_await sleep_for(1s);
    }
}

task<> producer(context& self, pid to, int count, int* sent, std::optional<errc>* failure)
{
    try {
        for (int i = 0; i < count; ++i) {
            co_await self.send_async(to, number{i});
            ++*sent;
        }
    } catch (const error& thrown) {
        *failure = static_cast<errc>(thrown.code().value());
    }
}

/// Asks again and again in vain: until a deadline passes, or until it gives up.
task<> asks_in_vain(context& self, pid to, bool gives_up, int count)
{
    struct branch {
        static task<> ask(context& self, pid to, int value)
        {
            static_cast<void>(co_await self.ask(to, twice{value}, 1h));
        }
    };
    for (int i = 0; i < count; ++i) {
        if (gives_up)
            co_await when_any(branch::ask(self, to, i), sleep_for(10ms));
        else
            static_cast<void>(co_await as_result(self.ask(to, twice{i}, 10ms)));
    }
}

/// Sends in a branch that was cancelled before.
task<> sends_late(context& self, pid to, std::vector<error_code>* ended)
{
    try {
        co_await sleep_for(1h);
    } catch (const error&) {}
    try {
        co_await self.send_async(to, number{1});
        ended->emplace_back();
    } catch (const error& thrown) {
        ended->push_back(thrown.code());
    }
}

std::vector<int> first_numbers(int count)
{
    std::vector<int> all;
    for (int i = 0; i < count; ++i)
        all.push_back(i);
    return all;
}

/// An actor with room for one message, and a sender that waits for room.
struct crowded {
    crowded(std::uint64_t seed, std::uint32_t strand_of_sender)
        : sim(seed),
          events(sim.engine()),
          slow(sim.engine().spawn(boxed({.limit = 1}), leisurely, &seen, &longest))
    {
        sim.engine().spawn(on(strand_of_sender), producer, slow, 10, &sent, &failure);
        sim.run_until_idle();
    }

    std::vector<int> seen;
    std::size_t longest = 0;
    int sent = 0;
    std::optional<errc> failure;
    simulation sim;
    event_record events;
    pid slow;
};

}  // namespace

TEST_CASE("mailbox: what finds it full becomes a dead letter", "[kernel][mailbox]")
{
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        boxed({.limit = 3, .when_full = GENERATE(overflow::dead_letter, overflow::fail, overflow::wait)}),
        gated, &seen);
    sim.run_until_idle();

    for (int i = 0; i < 5; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(events.dead_of(actor, errc::mailbox_full) == 2);

    sim.send(actor, gate{});  // finds it full too
    sim.run_until_idle();
    CHECK(events.dead_of(actor, errc::mailbox_full) == 3);
    CHECK(seen.empty());
}

TEST_CASE("mailbox: drops the newest or the oldest, and counts them", "[kernel][mailbox]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    std::size_t longest = 0;
    const bool newest = GENERATE(true, false);
    const pid actor = sim.engine().spawn(
        boxed({.limit = 3, .when_full = newest ? overflow::drop_newest : overflow::drop_oldest}), leisurely,
        &seen, &longest);
    sim.send(actor, number{0});
    sim.run_until_idle();  // in hand

    for (int i = 1; i <= 5; ++i)
        sim.send(actor, number{i});
    sim.advance(10s);

    CHECK(seen == (newest ? std::vector{0, 1, 2, 3} : std::vector{0, 3, 4, 5}));
    CHECK(sim.engine().figures().dropped == 2);
    CHECK(events.dead.empty());
}

TEST_CASE("mailbox: a request that is not taken ends at once", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        boxed({.limit = 1,
            .when_full = GENERATE(overflow::fail, overflow::drop_newest, overflow::dead_letter)}),
        gated, &seen);
    sim.send(actor, number{1});
    sim.run_until_idle();

    CHECK_THROWS_MATCHES(
        sim.ask(actor, twice{1}), error, Catch::Matchers::Message(error(errc::mailbox_full).what()));
    CHECK(sim.now() == 0s);
}

TEST_CASE("mailbox: a request that is dropped as the oldest is told", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor =
        sim.engine().spawn(boxed({.limit = 1, .when_full = overflow::drop_oldest}), gated, &seen);
    sim.run_until_idle();
    std::optional<error_code> ended;
    sim.engine().ask(actor, twice{1}, 10s, [&](error_code code, int) { ended = code; });
    sim.run_until_idle();
    CHECK(!ended);

    sim.send(actor, number{1});
    sim.run_until_idle();

    CHECK(ended == make_error_code(errc::mailbox_full));
}

TEST_CASE(
    "mailbox: what a branch of when_any has received is not the oldest to be dropped", "[kernel][mailbox]")
{
    struct branch {
        static task<> body(context& self, bool is_selective, std::vector<int>* seen)
        {
            co_await sleep_for(1ms);  // a message waits
            if (is_selective) {
                auto first = co_await when_any(self.receive<number>(), gives_way_slowly());
                seen->push_back(std::get<0>(first).get<number>().value);
            } else {
                auto first = co_await when_any(gives_way_slowly(), self.receive());
                seen->push_back(std::get<1>(first).get<number>().value);
            }
            while (auto message = co_await self.receive())
                message.match([&](number& m) { seen->push_back(m.value); },
                    [&](parcel_of& m) { seen->push_back(m.number); });
        }
    };
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    const bool is_selective = GENERATE(false, true);
    const bool by_priority = GENERATE(false, true);
    const std::uint32_t limit = GENERATE(1U, 2U);
    std::vector<int> seen;
    const pid to = sim.engine().spawn(
        boxed({.limit = limit, .when_full = overflow::drop_oldest, .by_priority = by_priority}), branch::body,
        is_selective, &seen);
    sim.send(to, number{0});
    sim.advance(3ms);  // it has been received, and stays where it is until the other branch has ended
    for (int i = 1; i <= 4; ++i)
        sim.send(to, parcel_of{.number = i});
    sim.advance(1s);

    CHECK(seen == std::vector{0, 4});  // what has been received takes no room
    sim.stop(to);
}

TEST_CASE("mailbox: a sender waits for room, and nothing is lost or disordered", "[kernel][mailbox]")
{
    simulation sim(GENERATE(range(1U, 20U)));
    std::vector<int> seen;
    std::size_t longest = 0;
    const pid slow = sim.engine().spawn(boxed({.limit = 2}), leisurely, &seen, &longest);
    int sent = 0;
    std::optional<errc> failure;
    const std::uint32_t strand = GENERATE(0U, 1U);
    sim.engine().spawn(on(strand), producer, slow, 10, &sent, &failure);

    sim.run_until_idle();
    CHECK(sent == 3);  // one in hand, two in the mailbox
    sim.advance(20s);

    CHECK(sent == 10);
    CHECK(!failure);
    CHECK(seen == first_numbers(10));
    CHECK(longest <= 2);
}

TEST_CASE("mailbox: a request waits for room, no longer than its deadline", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<int> seen;
    std::size_t longest = 0;
    const pid slow = sim.engine().spawn(boxed({.limit = 1}), leisurely, &seen, &longest);
    sim.send(slow, number{1});
    sim.run_until_idle();
    sim.send(slow, number{2});

    CHECK(sim.ask(slow, twice{4}) == 8);
    CHECK(sim.now() == 2s);

    std::optional<error_code> ended;
    sim.send(slow, number{3});
    sim.run_until_idle();
    sim.engine().ask(slow, twice{1}, 10ms, [&](error_code code, int) { ended = code; });
    sim.advance(1s);
    CHECK(ended == make_error_code(errc::timed_out));
}

TEST_CASE("mailbox: a pill stands behind who waits for room", "[kernel][mailbox]")
{
    simulation sim(GENERATE(range(1U, 6U)));
    mailbox_options box{.limit = GENERATE(1U, 3U)};
    box.by_priority = GENERATE(false, true);
    int answered = 0;
    bool has_ended = false;
    const pid receiver = sim.engine().spawn(boxed(box), helper);
    const auto sender = [](context& self, pid to, int* answered, bool* has_ended) -> task<> {
        std::vector<future<int>> asked;
        for (int i = 0; i < 20; ++i)
            asked.push_back(self.ask_future(to, twice{i}));
        self.poison(to);
        auto end = self.poison(to);
        for (future<int>& each : asked)
            *answered += co_await std::move(each) >= 0 ? 1 : 0;
        co_await std::move(end);
        *has_ended = true;
    };
    sim.engine().spawn(on(GENERATE(0U, 1U)), sender, receiver, &answered, &has_ended);

    sim.run_until_idle();

    CHECK(answered == 20);
    CHECK(has_ended);
}

TEST_CASE("mailbox: a pill that waits for room is no dead letter", "[kernel][mailbox]")
{
    crowded one(1, 0);
    std::optional<error_code> ended;
    one.sim.engine().poison(one.slow);
    one.sim.engine().poison(one.slow, [&](error_code code) { ended = code; });
    one.sim.run_until_idle();
    CHECK(!ended);

    one.sim.stop(one.slow);
    one.sim.run_until_idle();

    CHECK(ended == error_code());
    CHECK(one.events.dead_of(one.slow, errc::actor_stopped) == 2);  // the same two
}

TEST_CASE("mailbox: who waits for room hears of the end", "[kernel][mailbox]")
{
    crowded one(GENERATE(1U, 2U, 3U), GENERATE(0U, 1U));

    one.sim.stop(one.slow);
    one.sim.run_until_idle();

    CHECK(one.sent == 2);
    CHECK(one.failure == errc::actor_stopped);
    // One message that waited, one that waited for room.
    CHECK(one.events.dead_of(one.slow, errc::actor_stopped) == 2);
}

TEST_CASE("mailbox: a send that fails or is given up says so", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<int> seen;
    std::size_t longest = 0;
    const pid strict = sim.engine().spawn(boxed({.limit = 1, .when_full = overflow::fail}), gated, &seen);
    int sent = 0;
    std::optional<errc> failure;
    sim.engine().spawn(on(GENERATE(0U, 1U)), producer, strict, 3, &sent, &failure);
    sim.run_until_idle();
    CHECK(sent == 1);
    CHECK(failure == errc::mailbox_full);

    const pid slow = sim.engine().spawn(boxed({.limit = 1}), leisurely, &seen, &longest);
    sim.send(slow, number{1});
    sim.run_until_idle();
    sim.send(slow, number{2});
    sim.run_until_idle();
    bool late = false;
    sim.engine().spawn(
        on(0),
        [](context& self, pid to, bool* late) -> task<> {
            const auto done = co_await when_any(
                [](context& self, pid to) -> task<> { co_await self.send_async(to, number{3}); }(self, to),
                [](context&) -> task<> { co_await sleep_for(10ms); }(self));
            *late = done.index() == 1;
        },
        slow, &late);
    sim.advance(10s);
    CHECK(late);
    CHECK(seen == std::vector{1, 2});  // the third was withdrawn
}

TEST_CASE("mailbox: a send from outside waits for room", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<int> seen;
    std::size_t longest = 0;
    const pid slow = sim.engine().spawn(boxed({.limit = 1}, GENERATE(0U, 1U)), leisurely, &seen, &longest);
    int taken = 0;
    for (int i = 0; i < 4; ++i)
        sim.engine().send_async(slow, number{i}, [&](error_code code) { taken += !code; });
    sim.run_until_idle();
    CHECK(taken == 2);
    sim.advance(10s);
    CHECK(taken == 4);
    CHECK(seen == first_numbers(4));

    std::optional<error_code> gone;
    sim.stop(slow);
    sim.engine().send_async(slow, number{9}, [&](error_code code) { gone = code; });
    sim.run_until_idle();
    CHECK(gone == make_error_code(errc::no_such_actor));
}

TEST_CASE("mailbox: control gets into a full one", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<std::string> seen;
    const pid other = sim.engine().spawn(helper);
    const pid actor = sim.engine().spawn(
        boxed({.limit = 1, .when_full = GENERATE(overflow::drop_newest, overflow::wait, overflow::fail)}),
        [](context& self, pid other, std::vector<std::string>* seen) -> task<> {
            self.watch(other);
            co_await sleep_for(1s);
            while (auto message = co_await self.receive())
                message.match([&](number&) { seen->push_back("number"); },
                    [&](terminated&) { seen->push_back("terminated"); });
            seen->push_back("poisoned");
        },
        other, &seen);
    sim.run_until_idle();
    sim.send(actor, number{1});
    sim.engine().poison(actor);
    sim.stop(other);
    sim.advance(2s);

    CHECK(seen == std::vector<std::string>{"terminated", "number", "poisoned"});
}

TEST_CASE("mailbox: what was put aside comes back in order, with its sender", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<std::string> seen;
    auto probe = sim.make_probe();
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, std::vector<std::string>* seen) -> task<> {
            bool open = false;
            while (auto message = co_await self.receive()) {
                if (message.is<gate>()) {
                    message.mark_handled();
                    open = true;
                    CHECK(self.unstash(2) == 2);
                    CHECK(self.unstash() == 1);
                } else if (!open) {
                    self.stash(std::move(message));
                } else {
                    message.match([&](words& m) { seen->push_back(m.text + (self.sender() ? "!" : "")); },
                        [](twice& m) { return 2 * m.value; });
                }
            }
        },
        &seen);
    sim.run_until_idle();
    probe.send(actor, words{"a"});
    sim.run_until_idle();
    std::optional<int> answer;
    sim.engine().ask(actor, twice{21}, 10s, [&](error_code, int value) { answer = value; });
    sim.run_until_idle();
    sim.send(actor, words{"c"});
    sim.run_until_idle();
    CHECK(seen.empty());

    sim.send(actor, gate{});
    sim.send(actor, words{"d"});
    sim.run_until_idle();

    // The second part went in front of the first, as it was put back later.
    CHECK(seen == std::vector<std::string>{"c", "a!", "d"});
    CHECK(answer == 42);
}

TEST_CASE(
    "mailbox: what is aside is limited, survives a restart, and is no lost message", "[kernel][mailbox]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    spawn_options options = on(0);
    options.restart.limit = 1;
    options.mailbox.stash_limit = 2;
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, std::vector<int>* seen) -> task<> {
            while (auto message = co_await self.receive()) {
                if (self.restart_count() == 0 || seen->size() >= 2)
                    self.stash(std::move(message));
                else
                    message.match([&](number& m) { seen->push_back(m.value); });
            }
        },
        &seen);
    for (int i = 0; i < 3; ++i)  // the third one is too much: a crash
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen == std::vector{0, 1});
    CHECK(events.restarted.size() == 1);

    sim.send(actor, number{7});
    sim.run_until_idle();
    sim.stop(actor);
    CHECK(events.dead_of(actor, errc::actor_stopped) == 1);
}

TEST_CASE("mailbox: tells of silence, again and again or once", "[kernel][mailbox]")
{
    simulation sim;
    int told = 0;
    const bool repeats = GENERATE(true, false);
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, bool repeats, int* told) -> task<> {
            self.set_receive_timeout(1s, repeats);
            while (auto message = co_await self.receive())
                message.match([&](receive_timeout&) { ++*told; }, [](number&) {}, [](gate&) {});
        },
        repeats, &told);
    sim.run_until_idle();

    sim.advance(900ms);
    sim.send(actor, number{1});
    sim.advance(900ms);
    CHECK(told == 0);
    sim.send(actor, gate{});  // does not begin the time anew
    sim.advance(100ms);
    CHECK(told == 1);
    sim.advance(3s);
    CHECK(told == (repeats ? 4 : 1));
}

TEST_CASE("mailbox: an idle actor ends when it is told to", "[kernel][mailbox]")
{
    simulation sim;
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(on(0), [](context& self) -> task<> {
        self.stop_when_idle(1min);
        while (auto message = co_await self.receive())
            message.match([](number&) {});
    });
    for (int i = 0; i < 5; ++i) {
        sim.advance(59s);
        sim.send(actor, number{i});
        sim.run_until_idle();
    }
    CHECK(events.stopped.empty());
    sim.advance(1min);
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("mailbox: messages come in batches", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<std::size_t> sizes;
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, std::vector<std::size_t>* sizes) -> task<> {
            co_await self.receive<gate>();
            for (;;) {
                auto batch = co_await self.receive_batch(4);
                if (batch.empty())
                    break;
                sizes->push_back(batch.size());
                for (auto& each : batch)
                    each.match([](number&) {}, [](twice& m) { return 2 * m.value; });
            }
        },
        &sizes);
    for (int i = 0; i < 6; ++i)
        sim.send(actor, number{i});
    std::optional<int> answer;
    sim.engine().ask(actor, twice{1}, 1s, [&](error_code, int value) { answer = value; });
    sim.send(actor, gate{});
    sim.run_until_idle();

    CHECK(sizes == std::vector<std::size_t>{4, 3});
    CHECK(answer == 2);
    sim.engine().poison(actor);
    sim.run_until_idle();
    CHECK(!sim.engine().figures().live);
}

TEST_CASE("mailbox: one that leaves limits behind with its messages destroys them", "[kernel][mailbox]")
{
    const auto held = std::make_shared<int>(1);
    {
        simulation sim;
        std::vector<int> seen;
        const pid actor = sim.engine().spawn(boxed({.limit = 1}), gated, &seen);
        struct holder {
            std::shared_ptr<int> held;
        };
        sim.run_until_idle();
        for (int i = 0; i < 3; ++i)
            sim.engine().send_async(actor, holder{held}, [](error_code) {});
        sim.run_until_idle();
        CHECK(held.use_count() > 1);
    }
    CHECK(held.use_count() == 1);
}

TEST_CASE("mailbox: its limit and what it holds can be seen", "[kernel][mailbox]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<int> seen;
    const std::uint32_t strand = GENERATE(0U, 1U);
    const pid full =
        sim.engine().spawn(boxed({.limit = 3, .when_full = overflow::wait}, strand), gated, &seen);
    const pid plain = sim.engine().spawn(on(strand), gated, &seen);
    int sent = 0;
    std::optional<errc> failure;
    sim.engine().spawn(on(0), producer, full, 10, &sent, &failure);
    sim.send(plain, number{1});
    sim.run_until_idle();

    std::vector<mailbox_state> states;
    std::optional<errc> gone;
    sim.engine().spawn(
        on(0),
        [](context& self, pid full, pid plain, std::vector<mailbox_state>* states,
            std::optional<errc>* gone) -> task<> {
            states->push_back(co_await self.mailbox_of(full));
            states->push_back(co_await self.mailbox_of(plain));
            co_await self.stop(plain);
            try {
                static_cast<void>(co_await self.mailbox_of(plain));
            } catch (const error& thrown) {
                *gone = static_cast<errc>(thrown.code().value());
            }
        },
        full, plain, &states, &gone);
    std::optional<mailbox_state> from_outside;
    sim.engine().mailbox_of(full, [&](error_code code, mailbox_state state) {
        CHECK(!code);
        from_outside = state;
    });
    sim.run_until_idle();

    REQUIRE(states.size() == 2);
    CHECK(states[0].queued == 3);
    CHECK(states[0].limit == 3);
    CHECK(states[0].when_full == overflow::wait);
    CHECK(states[0].outside == 1);
    CHECK(states[1].queued == 1);
    CHECK(states[1].limit == 0);
    CHECK(gone == errc::no_such_actor);
    REQUIRE(from_outside);
    CHECK(from_outside->queued == 3);
    CHECK(from_outside->outside == 1);
}

TEST_CASE("mailbox: a look at one can be given up", "[kernel][mailbox]")
{
    std::uint64_t given_up = 0;
    std::uint64_t late = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        simulation sim(seed);
        const pid near = sim.engine().spawn(on(0), helper);
        const pid far = sim.engine().spawn(on(1), helper);
        std::optional<std::size_t> first;
        sim.engine().spawn(
            on(0),
            [](context& self, pid near, pid far, std::optional<std::size_t>* first) -> task<> {
                const auto won = co_await when_any(
                    [](context& self, pid far) -> task<> {
                        static_cast<void>(co_await self.mailbox_of(far));
                    }(self, far),
                    [](context& self, pid near) -> task<> {
                        static_cast<void>(co_await self.ask(near, twice{1}));
                    }(self, near));
                *first = won.index();
            },
            near, far, &first);
        sim.run_until_idle();

        REQUIRE(first);
        given_up += *first;
        late += sim.engine().figures().late_replies;
    }
    CHECK(late > 0);  // the look had been taken, and its answer was dropped
    CHECK(late <= given_up);
}

TEST_CASE("mailbox: who gives up waiting for room leaves nothing outside", "[kernel][mailbox]")
{
    struct sender {
        static task<> body(context& self, pid to, bool asks, bool in_time, int* given_up)
        {
            for (int i = 0; i < 100; ++i) {
                if (in_time)
                    *given_up += !co_await as_result(self.ask(to, twice{i}, 0ms));
                else if (asks)
                    *given_up += (co_await when_any(self.ask(to, twice{i}), sleep_for(0ms))).index() == 1;
                else
                    *given_up +=
                        (co_await when_any(self.send_async(to, number{i}), sleep_for(0ms))).index() == 1;
            }
        }
    };
    struct looker {
        static task<> body(context& self, pid at, mailbox_state* seen)
        {
            *seen = co_await self.mailbox_of(at);
        }
    };
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    const std::uint32_t strand = GENERATE(0U, 1U);
    const bool asks = GENERATE(false, true);
    const bool in_time = asks && GENERATE(false, true);
    std::vector<int> seen;
    std::size_t longest = 0;
    int given_up = 0;
    const pid full =
        sim.engine().spawn(boxed({.limit = 1, .when_full = overflow::wait}, 1), leisurely, &seen, &longest);
    for (int i = 0; i < 2; ++i) {
        sim.send(full, number{-1});
        sim.run_until_idle();
    }
    sim.engine().spawn(on(strand), sender::body, full, asks, in_time, &given_up);
    sim.run_until_idle();
    mailbox_state state;
    sim.engine().spawn(&looker::body, full, &state);
    sim.run_until_idle();

    CHECK(given_up == 100);
    CHECK(state.queued == 1);
    CHECK(state.outside == 0);
    sim.advance(10s);
    CHECK(seen == std::vector{-1, -1});
    sim.stop(full);
}

TEST_CASE("mailbox: a class within a function says that it leaves its actor idle", "[kernel][mailbox]")
{
    struct ping {
        using leaves_idle = std::true_type;
    };
    struct pong {
        using leaves_idle = std::false_type;
    };
    static_assert(type_of<ping>.leaves_idle);
    static_assert(!type_of<pong>.leaves_idle);
    static_assert(type_of<gate>.leaves_idle);
    static_assert(!type_of<number>.leaves_idle);
}

TEST_CASE("mailbox: what comes back wakes whoever waits for it", "[kernel][mailbox]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, std::vector<int>* seen) -> task<> {
            self.stash(co_await self.receive<parcel_of>());
            self.stash(co_await self.receive<number>());
            self.spawn_task([](context& self) -> task<> {
                co_await sleep_for(1s);
                self.unstash();
            }(self));
            seen->push_back((co_await self.receive<number>()).get<number>().value);
            co_await self.receive<parcel_of>();
        },
        &seen);
    sim.send(actor, parcel_of{});
    sim.send(actor, number{5});
    sim.advance(2s);

    CHECK(seen == std::vector{5});
}

TEST_CASE("mailbox: a message that nobody waits for any more is not held fast", "[kernel][mailbox]")
{
    int withdrawn = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        simulation sim(seed);
        const pid watched = sim.engine().spawn(on(0), helper);
        std::optional<int> heard;
        sim.engine().spawn(
            on(0),
            [](context& self, pid watched, std::optional<int>* heard) -> task<> {
                self.watch(watched);
                const auto first = co_await when_any(
                    [](context& self) -> task<> { co_await self.receive<terminated>(); }(self),
                    [](context& self, pid watched) -> task<> { co_await self.wait(watched); }(self, watched));
                if (first.index() == 0)
                    co_return;
                self.unwatch(watched);
                *heard = 0;
                while (auto message = co_await self.receive(1s)) {
                    message.match([&](terminated&) { ++**heard; });
                    if (message.timed_out())
                        break;
                }
            },
            watched, &heard);
        sim.run_until_idle();
        sim.stop(watched);
        sim.advance(10s);
        if (heard) {
            ++withdrawn;
            CHECK(*heard == 0);
        }
    }
    CHECK(withdrawn > 0);
}

TEST_CASE("mailbox: requests that nobody waits for any more do not wait outside", "[kernel][mailbox]")
{
    std::vector<int> taken;
    std::optional<mailbox_state> box;
    std::optional<int> answer;
    const std::uint32_t strand = GENERATE(0U, 1U);
    const bool gives_up = GENERATE(false, true);
    CAPTURE(strand, gives_up);
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid actor = sim.engine().spawn(
        boxed({.limit = 1}),
        [](context& self, std::vector<int>* taken) -> task<> {
            co_await sleep_for(100s);
            while (auto message = co_await self.receive())
                message.match([&](twice& m) {
                    taken->push_back(m.value);
                    return 2 * m.value;
                });
        },
        &taken);
    sim.engine().spawn(on(strand), asks_in_vain, actor, gives_up, 1000);
    sim.advance(20s);

    sim.engine().mailbox_of(actor, [&](error_code, mailbox_state seen) { box = seen; });
    sim.run_until_idle();
    REQUIRE(box);
    CHECK(box->queued == 1);
    CHECK(box->outside <= 1);

    sim.engine().ask(actor, twice{2000}, 1h, [&](error_code, int value) { answer = value; });
    sim.advance(100s);
    CHECK(answer == 4000);
    CHECK(taken.size() <= 3);  // those that found room in time, and the last one
}

TEST_CASE("mailbox: a branch that was cancelled sends nothing more", "[kernel][mailbox]")
{
    std::vector<int> seen;
    std::vector<error_code> ended;
    const std::uint32_t strand = GENERATE(0U, 1U);
    const std::uint32_t limit = GENERATE(0U, 5U);
    CAPTURE(strand, limit);
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid actor = sim.engine().spawn(boxed({.limit = limit}, strand), recorder, &seen);
    sim.engine().spawn(
        on(0),
        [](context& self, pid to, std::vector<error_code>* ended) -> task<> {
            co_await when_any(sends_late(self, to, ended), sleep_for(1s));
        },
        actor, &ended);

    sim.advance(2s);

    REQUIRE(ended.size() == 1);
    CHECK(ended[0] == errc::cancelled);
    CHECK(seen.empty());
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("mailbox: a new life hears nothing of the silence before it", "[kernel][mailbox]")
{
    quiet_log quiet;
    std::vector<int> seen;
    int told = 0;
    spawn_options options = on(0);
    options.restart = {.limit = 1, .delay = GENERATE(0ms, 500ms)};
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, std::vector<int>* seen, int* told) -> task<> {
            if (self.restart_count() == 0) {
                self.set_receive_timeout(1s);
                static_cast<void>(co_await self.receive<crash>());  // leaves the others where they are
                throw std::runtime_error("told to");
            }
            self.set_receive_timeout(3s);
            while (auto message = co_await self.receive())
                message.match(
                    [&](number& m) { seen->push_back(m.value); }, [&](receive_timeout&) { ++*told; });
        },
        &seen, &told);
    sim.advance(1500ms);
    sim.send(actor, number{7});
    sim.run_until_idle();
    REQUIRE(sim.engine().station_at(0).find(actor)->queued() == 2);

    sim.send(actor, crash{});
    sim.advance(2500ms);

    CHECK(events.restarted.size() == 1);
    CHECK(seen == std::vector{7});
    CHECK(told == 0);
    sim.advance(1500ms);
    CHECK(told == 1);  // of its own
    CHECK(events.dead.empty());
}

namespace {

task<> ends_at_once(context&)
{
    co_return;
}

struct stash_plan {
    const char* plan;
    bool by_priority;
    const char* expected;
};

/// Follows a plan, a letter a step: E a child that is watched ends, 1 to 7 a message of that urgency comes, s
/// puts the next message aside, u puts one back and U all. Then it notes what it is given.
task<> follows(context& self, std::string plan, std::string* seen)
{
    std::vector<pid> children;
    int number = 0;
    for (const char step : plan) {
        if (step == 'E') {
            children.push_back(self.spawn(ends_at_once));
            self.watch(children.back());
            co_await self.wait(children.back());
        } else if (step == 's') {
            self.stash(co_await self.receive());
        } else if (step == 'u') {
            CHECK(self.unstash(1) == 1);
        } else if (step == 'U') {
            CHECK(self.unstash() > 1);
        } else {
            self.send(self.pid(), parcel_of{step - '0', number++});
        }
    }
    while (auto message = self.try_receive())
        message.match([&](parcel_of& m) { *seen += std::to_string(m.number) + " "; },
            [&](terminated& m) {
                const auto who = std::find(children.begin(), children.end(), m.who);
                *seen += "E" + std::to_string(who - children.begin()) + " ";
            });
}

}  // namespace

TEST_CASE("mailbox: what is put back comes level by level, in the order put aside", "[kernel][mailbox]")
{
    const auto each = GENERATE(values<stash_plan>({
        // News of ends first, in their own order, then the others in theirs.
        {"4s4s4sU", false, "0 1 2 "},
        {"EsEsEsU", false, "E0 E1 E2 "},
        {"4sEs4sEsU", false, "E0 E1 0 1 "},
        // In front of what waits at their level.
        {"4sEs4EU", false, "E0 E1 0 1 "},
        {"Es4s4U", false, "E0 0 1 "},
        // A later call in front of an earlier one.
        {"4s4s4suu", false, "1 0 "},
        {"4s4s4suU", false, "1 2 0 "},
        {"EsEs4suuu", false, "E1 E0 0 "},
        // By priority the levels stay.
        {"1s7sEs4sU", true, "E0 1 2 0 "},
        {"4s4s5s4U", true, "2 0 1 3 "},
    }));
    INFO(each.plan);
    simulation sim;
    std::string seen;
    spawn_options options = on(0);
    options.mailbox.by_priority = each.by_priority;
    sim.engine().spawn(options, follows, std::string(each.plan), &seen);
    sim.run_until_idle();

    CHECK(seen == each.expected);
}
