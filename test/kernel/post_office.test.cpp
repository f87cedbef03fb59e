// SPDX-License-Identifier: MIT

#include <costar/kernel/post_office.hpp>

#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <memory>
#include <set>
#include <stdexcept>
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

task<> unwilling(context& self)
{
    // Holds a message for ever unless it is cancelled.
    while (auto message = co_await self.receive())
        co_await sleep_for(24h);
}

}  // namespace

TEST_CASE("post_office: what is left in a mailbox becomes dead letters, and askers are told",
    "[kernel][post_office]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(on(0), unwilling);
    std::vector<error_code> outcomes;
    sim.send(actor, number{0});
    sim.send(actor, words{"left"});
    for (int i = 0; i < 2; ++i)
        sim.engine().ask(actor, twice{1}, 10s, [&](error_code code, int) { outcomes.push_back(code); });
    sim.run_until_idle();
    CHECK(outcomes.empty());

    sim.stop(actor);
    sim.run_until_idle();

    CHECK(events.dead_of(actor, errc::actor_stopped) == 4);  // the one in hand was never looked at either
    CHECK(outcomes == std::vector<error_code>(2, errc::actor_stopped));
    CHECK(sim.now() == 0s);
}

TEST_CASE("post_office: a stale pid is known to be one", "[kernel][post_office]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    const auto strand = GENERATE(0U, 1U);
    const pid old = sim.engine().spawn(on(strand), helper);
    sim.stop(old);
    std::vector<pid> heirs;
    for (int i = 0; i < 100; ++i)
        heirs.push_back(sim.engine().spawn(on(strand), recorder, &seen));
    sim.run_until_idle();

    sim.send(old, number{1});
    sim.send(
        pid(old.node(), old.strand(), old.slot(), old.generation() + 1), number{1});  // was never anybody's
    sim.send(pid(old.node(), old.strand(), 1'000'000, 1), number{1});
    sim.send(pid(old.node(), 7, 0, 1), number{1});
    sim.send(pid(), number{1});
    CHECK_THROWS_MATCHES(
        sim.ask(old, twice{1}), error, Catch::Matchers::Message(error(errc::no_such_actor).what()));
    sim.stop(old);  // has ended already
    sim.run_until_idle();

    CHECK(seen.empty());
    CHECK(std::find(heirs.begin(), heirs.end(), old) == heirs.end());
    CHECK(events.dead.size() == 6);
    for (const dead_letter& each : events.dead)
        CHECK(each.reason == errc::no_such_actor);
}

TEST_CASE("post_office: a pid of another engine is not local", "[kernel][post_office]")
{
    simulation sim;
    simulation other;
    event_record events(sim.engine());
    const pid stranger = other.engine().spawn(helper);
    other.run_until_idle();

    sim.send(stranger, number{1});
    sim.send(stranger, words{"boxed"});
    CHECK_THROWS_MATCHES(
        sim.ask(stranger, twice{1}), error, Catch::Matchers::Message(error(errc::not_local).what()));
    sim.stop(stranger);
    other.run_until_idle();

    // Nobody is told that it has ended, as it has not.
    std::vector<error_code> told;
    const auto tries = [](context& self, pid stranger, std::vector<error_code>* told) -> task<> {
        told->push_back((co_await as_result(self.stop(stranger))).error());
        told->push_back((co_await as_result(self.wait(stranger))).error());
        self.watch(stranger);
        told->push_back((co_await self.receive<terminated>()).get<terminated>().reason);
    };
    sim.engine().spawn(+tries, stranger, &told);
    sim.run_until_idle();
    CHECK(told == std::vector<error_code>(3, make_error_code(errc::not_local)));

    CHECK(events.dead_of(stranger, errc::not_local) == 3);
    CHECK(other.engine().figures().live == 1);
}

TEST_CASE("post_office: hears of dead letters by message without end of it", "[kernel][post_office]")
{
    // The listener ends with news of dead letters in its mailbox, and is still subscribed afterwards.
    simulation sim;
    const pid listener = sim.engine().spawn(on(0), unwilling);
    const auto subscription = sim.engine().subscribe<dead_letter>(listener);
    const pid gone = sim.engine().spawn(helper);
    sim.stop(gone);
    for (int i = 0; i < 5; ++i)
        sim.send(gone, number{i});
    sim.run_until_idle();

    sim.stop(listener);
    for (int i = 0; i < 5; ++i)
        sim.send(gone, number{i});
    sim.run_until_idle();

    CHECK(sim.engine().figures().live == 0);
    CHECK(sim.engine().figures().dead_letters == 20);  // ten, and the news of each
}

TEST_CASE("post_office: ten thousand actors ask each other", "[kernel][post_office]")
{
    struct node {
        static task<> body(context& self, const std::vector<pid>* all, std::size_t index, long* sum)
        {
            while (auto message = co_await self.receive()) {
                if (message.is<number>()) {
                    message.mark_handled();
                    const pid next = (*all)[(index + 1) % all->size()];
                    *sum += co_await self.ask(next, twice{static_cast<int>(index)}, 1h);
                    continue;
                }
                message.match([](twice& m) { return 2 * m.value; });
            }
        }
    };
    constexpr std::size_t count = 10'000;
    simulation sim(7);
    std::vector<pid> all;
    long sum = 0;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        all.push_back(sim.engine().spawn(on(static_cast<std::uint32_t>(i % 2)), &node::body, &all, i, &sum));
    sim.run_until_idle();

    // One third after the other asks, so that nobody who is asked waits for an answer in turn.
    long expected = 0;
    for (std::size_t third = 0; third < 3; ++third) {
        for (std::size_t i = third; i < count; i += 3) {
            sim.send(all[i], number{});
            expected += 2 * static_cast<long>(i);
        }
        sim.run_until_idle();
    }

    CHECK(sum == expected);
    CHECK(sim.now() == 0s);
    CHECK(sim.engine().figures().late_replies == 0);
    CHECK(sim.engine().figures().live == count);
}

TEST_CASE("post_office: is destroyed while requests wait for actors that hold them", "[kernel][post_office]")
{
    struct holds {
        static task<> body(context& self)
        {
            auto message = co_await self.receive();
            co_await sleep_for(1h);
        }
    };
    auto sim = std::make_unique<simulation>();
    std::vector<pid> holders;
    for (int i = 0; i < 2; ++i) {  // a holder, its asker, the next holder, its asker
        holders.push_back(sim->engine().spawn(on(0), &holds::body));
        sim->engine().spawn(
            on(0),
            [](context& self, pid to) -> task<> { static_cast<void>(co_await self.ask(to, twice{1})); },
            holders.back());
    }
    sim->run_until_idle();
    CHECK(sim->engine().figures().live == 4);
    CHECK_NOTHROW(sim.reset());
}
