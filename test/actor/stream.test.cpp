// SPDX-License-Identifier: MIT

#include <costar/actor/stream.hpp>

#include <costar/actor/router.hpp>
#include <costar/core/result.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// How a producer behaves, and how far it has come.
struct plan {
    int count = 0;
    std::chrono::milliseconds pause{};
    int crash_at = -1;
    stream_options options = {};
    int begun = 0;
    int put = 0;
    int ended = 0;
};

/// Is answered with the numbers from 0 on.
struct list {
    using reply = stream<int>;
    plan* how;
};
struct list_owned {
    using reply = stream<std::unique_ptr<int>>;
    int count = 0;
};

struct counts_ends {
    explicit counts_ends(plan* how) : how(how) {}
    counts_ends(const counts_ends&) = delete;
    ~counts_ends() { ++how->ended; }
    plan* how;
};

task<> numbers(context&, sink<int> out, plan* how)
{
    const counts_ends guard(how);
    ++how->begun;
    for (int i = 0; i < how->count; ++i) {
        if (how->pause > 0ms)
            co_await sleep_for(how->pause);
        if (i == how->crash_at)
            throw std::runtime_error("told to");
        co_await out.put(i);
        ++how->put;
    }
    if (how->count == how->crash_at)
        throw std::runtime_error("told to");
}

task<> owned_numbers(context& self, sink<std::unique_ptr<int>> out, int count)
{
    CHECK(self.parent());
    for (int i = 0; i < count; ++i)
        co_await out.put(std::make_unique<int>(i));
}

task<> lists(context& self)
{
    while (auto received = co_await self.receive())
        received.match([&](list& m) { return make_stream<int>(self, m.how->options, numbers, m.how); },
            [&](list_owned& m) { return make_stream<std::unique_ptr<int>>(self, owned_numbers, m.count); });
}

/// What a consumer has read.
struct reading {
    std::vector<int> values;
    std::optional<error_code> failed;
    bool done = false;
    pid producer;
};

/// Reads at most `most` values, with a pause behind each.
task<> reads(context& self, pid to, plan* how, int most, std::chrono::milliseconds pause, reading* seen)
{
    auto values = co_await self.ask(to, list{how});
    seen->producer = values.producer();
    try {
        for (int i = 0; i < most; ++i) {
            const auto value = co_await values.next(self);
            if (!value)
                break;
            seen->values.push_back(*value);
            if (pause > 0ms)
                co_await sleep_for(pause);
        }
        seen->done = true;
    } catch (const error& thrown) {
        seen->failed = thrown.code();
    }
    if (seen->failed) {
        const bool more = (co_await values.next(self)).has_value();
        CHECK_FALSE(more);
    }
}

std::vector<int> up_to(int count)
{
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

constexpr int all = 1'000'000;

}  // namespace

TEST_CASE("stream: gives all values in their order, and ends", "[actor][stream]")
{
    plan how{.count = GENERATE(0, 1, 15, 16, 17, 100, 1000)};
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), lists);
    how.options.actor = on(GENERATE(0U, 1U));
    reading seen;

    sim.engine().spawn(on(GENERATE(0U, 1U)), reads, to, &how, all, 0ms, &seen);
    sim.run_until_idle();

    CHECK(seen.done);
    CHECK(seen.values == up_to(how.count));
    CHECK(how.ended == 1);
    CHECK(sim.engine().figures().live == 1);
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("stream: values that cannot be copied are moved", "[actor][stream]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), lists);
    int sum = 0;

    sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to, int* sum) -> task<> {
            auto values = co_await self.ask(to, list_owned{40});
            while (auto value = co_await values.next(self))
                *sum += **value;
        },
        to, &sum);
    sim.run_until_idle();

    CHECK(sum == 780);
}

TEST_CASE("stream: a value does not wait for others", "[actor][stream]")
{
    plan how{.count = 100, .pause = 1min};
    simulation sim;
    const pid to = sim.engine().spawn(on(0), lists);
    reading seen;
    sim.engine().spawn(on(1), reads, to, &how, all, 0ms, &seen);

    sim.advance(3min);
    CHECK(seen.values == up_to(3));
    sim.advance(100min);

    CHECK(seen.done);
}

TEST_CASE("stream: what gathers while the reader works goes together", "[actor][stream]")
{
    struct counts_questions : middleware {
        bool receiving(context&, message& taken) override
        {
            count += taken.is<stream_pull<int>>();
            return true;
        }
        int count = 0;
    };
    const auto questions = std::make_shared<counts_questions>();
    plan how{.count = 1000};
    how.options.actor.middleware = {questions};
    simulation sim;
    const pid to = sim.engine().spawn(on(0), lists);
    reading seen;
    sim.engine().spawn(on(1), reads, to, &how, all, 1ms, &seen);

    sim.advance(320ms);

    // One question for each window of 16, and one at the beginning that is answered with the first value.
    CHECK(seen.values.size() > 300);
    CHECK(questions->count <= 22);
}

TEST_CASE("stream: throws when its producer did not return", "[actor][stream]")
{
    quiet_log quiet;
    plan how;
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), lists);
    reading seen;
    const auto pause = GENERATE(0ms, 5ms);

    SECTION("but crashed, before any value, between them or behind the last")
    {
        how = plan{.count = 20, .crash_at = GENERATE(0, 7, 16, 20)};
        sim.engine().spawn(on(GENERATE(0U, 1U)), reads, to, &how, all, pause, &seen);
        sim.advance(1s);
        CHECK_FALSE(seen.done);
        CHECK(seen.failed == errc::actor_failed);
        CHECK(seen.values == up_to(std::min<int>(static_cast<int>(seen.values.size()), how.crash_at)));
    }
    SECTION("but was stopped")
    {
        how = plan{.count = 20, .pause = 1h};
        sim.engine().spawn(on(1), reads, to, &how, all, pause, &seen);
        sim.run_until_idle();
        if (GENERATE(false, true))
            sim.stop(seen.producer);
        else
            sim.stop(to);
        sim.run_until_idle();
        CHECK(seen.failed == errc::actor_stopped);
        CHECK(how.ended == 1);
    }
    SECTION("but was poisoned")
    {
        how = plan{.count = 20, .pause = 1h};
        sim.engine().spawn(on(1), reads, to, &how, all, pause, &seen);
        sim.run_until_idle();
        sim.send(seen.producer, poison_pill());
        sim.run_until_idle();
        CHECK(seen.failed == errc::actor_stopped);
    }
}

TEST_CASE("stream: a producer is never begun anew", "[actor][stream]")
{
    struct supervising {
        static task<> body(context& self)
        {
            self.supervise(one_for_one());
            co_await lists(self);
        }
    };
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    plan how{.count = 40, .crash_at = GENERATE(0, 7, 16, 20)};
    how.options.actor = on(GENERATE(0U, 1U));
    pid to;
    SECTION("by the supervision of its parent")
    {
        to = sim.engine().spawn(on(0), &supervising::body);
    }
    SECTION("by its own options")
    {
        to = sim.engine().spawn(on(0), lists);
        how.options.actor.restart = {.limit = 3};
    }
    reading seen;

    sim.engine().spawn(on(1), reads, to, &how, all, GENERATE(0ms, 5ms), &seen);
    sim.advance(1min);

    CHECK(how.begun == 1);
    CHECK(seen.failed == errc::actor_failed);
    CHECK(seen.values == up_to(static_cast<int>(seen.values.size())));
    CHECK(sim.engine().figures().restarts == 0);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("stream: the crash of a producer does not concern the other children", "[actor][stream]")
{
    struct supervising {
        static task<> child(context& self) { static_cast<void>(co_await self.receive()); }
        static task<> body(context& self, supervisor rules)
        {
            self.supervise(std::move(rules));
            self.spawn(child);
            co_await lists(self);
        }
    };
    quiet_log quiet;
    const bool escalates = GENERATE(false, true);
    supervisor rules = all_for_one();
    if (escalates)
        rules.decide = costar::on<std::runtime_error>(directive::escalate);
    plan how{.count = 40, .crash_at = 7};
    how.options.actor = on(GENERATE(0U, 1U));
    reading seen;
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), &supervising::body, rules);

    sim.engine().spawn(on(1), reads, to, &how, all, 0ms, &seen);
    sim.advance(1min);

    CHECK(seen.failed == errc::actor_failed);
    CHECK(sim.engine().figures().restarts == 0);
    CHECK(sim.engine().figures().live == 2);
}

TEST_CASE("stream: a producer that was asked in vain is stopped", "[actor][stream]")
{
    struct keeps_questions : middleware {
        bool receiving(context&, message& taken) override { return !taken.is<stream_pull<int>>(); }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    plan how{.count = 40};
    how.options.actor = on(GENERATE(0U, 1U));
    how.options.actor.middleware = {std::make_shared<keeps_questions>()};
    const pid to = sim.engine().spawn(on(0), lists);
    reading seen;

    sim.engine().spawn(on(1), reads, to, &how, all, 0ms, &seen);
    sim.run_until_idle();

    CHECK(seen.failed == errc::unanswered);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("stream: one that nobody reads any more stops its producer", "[actor][stream]")
{
    quiet_log quiet;
    plan how{.count = 1000};
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), lists);
    how.options.actor = on(GENERATE(0U, 1U));
    reading seen;
    const auto reader = on(GENERATE(0U, 1U));

    SECTION("dropped in the middle")
    {
        sim.engine().spawn(reader, reads, to, &how, 20, 0ms, &seen);
        sim.run_until_idle();
        CHECK(seen.done);
        CHECK(how.ended == 1);
    }
    SECTION("dropped unread")
    {
        sim.engine().spawn(reader, reads, to, &how, 0, 0ms, &seen);
        sim.run_until_idle();
        CHECK(seen.done);
        CHECK(how.begun == 0);
    }
    SECTION("its reader is stopped while it waits")
    {
        how.pause = 1h;
        const pid stopped = sim.engine().spawn(reader, reads, to, &how, all, 0ms, &seen);
        sim.run_until_idle();
        CHECK(sim.engine().figures().live == 3);
        sim.stop(stopped);
        sim.run_until_idle();
        CHECK(how.ended == 1);
    }
    SECTION("its reader crashes")
    {
        sim.engine().spawn(
            reader,
            [](context& self, pid to, plan* how) -> task<> {
                auto values = co_await self.ask(to, list{how});
                static_cast<void>(co_await values.next(self));
                throw std::runtime_error("told to");
            },
            to, &how);
        sim.run_until_idle();
        CHECK(how.ended == 1);
    }
    SECTION("the answer comes too late")
    {
        sim.engine().spawn(
            reader,
            [](context& self, pid to, plan* how) -> task<> {
                static_cast<void>(self.ask_future(to, list{how}));
                co_return;
            },
            to, &how);
        sim.run_until_idle();
        CHECK(sim.engine().figures().late_replies == 1);
    }
    SECTION("nobody asked")
    {
        sim.send(to, list{&how});
        sim.run_until_idle();
        CHECK(how.begun == 0);
    }
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("stream: a producer that is not asked for long ends when it was told so", "[actor][stream]")
{
    plan how{.count = 1000};
    simulation sim;
    const pid to = sim.engine().spawn(on(0), lists);
    how.options.idle = 10s;
    reading seen;

    SECTION("and the reader finds it gone")
    {
        sim.engine().spawn(on(1), reads, to, &how, all, 2s, &seen);
        sim.advance(1min);
        CHECK(seen.failed == errc::actor_failed);  // one window takes 32 s
        CHECK(how.ended == 1);
    }
    SECTION("but not while its reader waits")
    {
        how.count = 3;
        how.pause = 1min;
        sim.engine().spawn(on(1), reads, to, &how, all, 0ms, &seen);
        sim.advance(1h);
        CHECK(seen.values == up_to(3));
        CHECK(seen.done);
    }
}

TEST_CASE("stream: a read that is cancelled has taken nothing", "[actor][stream]")
{
    plan how{.count = 30, .pause = 10ms};
    simulation sim(GENERATE(1U, 2U, 3U, 4U, 5U));
    const pid to = sim.engine().spawn(on(0), lists);
    std::vector<int> seen;
    int interrupted = 0;

    sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to, plan* how, std::vector<int>* seen, int* interrupted) -> task<> {
            auto values = co_await self.ask(to, list{how});
            for (;;) {
                auto first = co_await when_any(values.next(self), sleep_for(7ms));
                if (first.index() == 1) {
                    ++*interrupted;
                    continue;
                }
                const std::optional<int>& value = std::get<0>(first);
                if (!value)
                    break;
                seen->push_back(*value);
            }
        },
        to, &how, &seen, &interrupted);
    sim.advance(1s);

    CHECK(seen == up_to(30));
    CHECK(interrupted >= 30);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("stream: may be handed on before it was read", "[actor][stream]")
{
    struct second {
        static task<> body(context& self, std::vector<int>* seen)
        {
            auto received = co_await self.receive();
            auto values = std::move(received.get<stream<int>>());
            while (auto value = co_await values.next(self))
                seen->push_back(*value);
        }
        static task<> first(context& self, pid to, plan* how, pid next)
        {
            self.send(next, co_await self.ask(to, list{how}));
        }
    };
    plan how{.count = 50};
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), lists);
    std::vector<int> seen;

    const pid next = sim.engine().spawn(on(GENERATE(0U, 1U)), &second::body, &seen);
    sim.engine().spawn(on(1), &second::first, to, &how, next);
    sim.run_until_idle();

    CHECK(seen == up_to(50));
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("stream: an empty one is over", "[actor][stream]")
{
    simulation sim;
    bool done = false;
    sim.engine().spawn(
        [](context& self, bool* done) -> task<> {
            stream<int> none;
            *done = !(co_await none.next(self)).has_value() && !none.producer();
        },
        &done);
    sim.run_until_idle();
    CHECK(done);
}

TEST_CASE("stream: comes through routers, and those that lose a race are stopped", "[actor][stream]")
{
    plan how{.count = 20};
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid pool =
        spawn_pool(sim.engine(), "", 3, {.strategy = routing::scatter_gather_first, .routee = on(1)}, lists);
    reading seen;

    sim.engine().spawn(on(0), reads, pool, &how, all, 0ms, &seen);
    sim.run_until_idle();

    CHECK(seen.values == up_to(20));
    CHECK(how.begun == 1);
    CHECK(sim.engine().figures().live == 4);
}

TEST_CASE("stream: many at once, each on its own, whatever happens to them", "[actor][stream]")
{
    quiet_log quiet;
    CHECK(rc::check("plans of any kind", [](std::uint64_t seed) {
        struct one {
            plan how;
            int most;
            int pause;
            reading seen;
        };
        const auto count = *rc::gen::inRange<std::size_t>(1, 8);
        std::vector<one> each(count);
        for (one& next : each) {
            next.how.count = *rc::gen::inRange(0, 60);
            next.how.pause = std::chrono::milliseconds(*rc::gen::inRange(0, 3));
            next.how.crash_at = *rc::gen::inRange(-60, 60);
            next.how.options.actor = on(*rc::gen::inRange(0U, 2U));
            next.most = *rc::gen::inRange(0, 80);
            next.pause = *rc::gen::inRange(0, 3);
        }
        simulation sim(seed);
        const pid to = sim.engine().spawn(on(0), lists);
        for (std::size_t i = 0; i < count; ++i)
            sim.engine().spawn(on(static_cast<std::uint32_t>(i) % 2), reads, to, &each[i].how, each[i].most,
                std::chrono::milliseconds(each[i].pause), &each[i].seen);
        sim.advance(10s);

        for (const one& next : each) {
            const int length = static_cast<int>(next.seen.values.size());
            const bool crashes = next.how.crash_at >= 0 && next.how.crash_at <= next.how.count;
            RC_ASSERT(next.seen.values == up_to(length));
            if (next.seen.done)
                RC_ASSERT(length == std::min(next.how.count, next.most));
            else
                RC_ASSERT(next.seen.failed == errc::actor_failed && crashes && length <= next.how.crash_at);
            RC_ASSERT(next.how.ended == next.how.begun);
        }
        RC_ASSERT(sim.engine().figures().live == 1U);
    }));
}

TEST_CASE("stream: leaves nothing behind", "[actor][stream]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), lists);
    const auto blocks = [&] {
        return sim.engine().station_at(0).home().arena().live_blocks() +
            sim.engine().station_at(1).home().arena().live_blocks();
    };
    const auto use = [&](int most) {
        plan how{.count = 100};
        reading seen;
        sim.engine().spawn(on(1), reads, to, &how, most, 0ms, &seen);
        sim.run_until_idle();
        CHECK(seen.values.size() == static_cast<std::size_t>(std::min(most, 100)));
    };
    use(all);
    use(50);
    const std::size_t before = blocks();

    use(all);
    use(50);

    CHECK(blocks() == before);
}

TEST_CASE("stream: is destroyed with the engine", "[actor][stream]")
{
    auto sim = std::make_unique<simulation>();
    const pid to = sim->engine().spawn(on(0), lists);
    plan how[4];
    reading seen[4];
    for (std::uint32_t i = 0; i < 4; ++i) {
        how[i] = {.count = 100, .pause = i < 2 ? 1h : 0ms};
        how[i].options.actor = on(i % 2);
        sim->engine().spawn(on(i / 2), reads, to, &how[i], all, i < 2 ? 0ms : 3600'000ms, &seen[i]);
    }
    sim->run_until_idle();
    CHECK(sim->engine().figures().live == 9);

    sim.reset();
    for (const plan& each : how)
        CHECK(each.ended == 1);
}
