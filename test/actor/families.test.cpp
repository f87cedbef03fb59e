// SPDX-License-Identifier: MIT

// Goal: whatever ends an actor, and whatever comes in between, it ends, and its children before it. Method: a
// sweep over every pair of causes, with every kind of task and child beside the actor, in the virtual time of
// a simulation.

#include <costar/kernel/supervision.hpp>

#include <costar/actor/router.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

enum class cause {
    none,
    stop,
    poison,
    restart,
    crash,
    crash_of_task,
    escalation,
    sibling,
    shutdown
};
constexpr std::array causes{cause::stop, cause::poison, cause::restart, cause::crash, cause::crash_of_task,
    cause::escalation, cause::sibling, cause::shutdown};

/// What a task beside the actor's body does when it is cancelled.
enum class work {
    none,
    ends,
    throws,
    throws_later,
    ends_later,
    waits_for_children,
    receives
};
constexpr std::array works{work::none, work::ends, work::throws, work::throws_later, work::ends_later,
    work::waits_for_children, work::receives};

enum class child {
    none,
    near,
    near_slow,
    far,
    far_slow
};
constexpr std::array children{child::none, child::near, child::near_slow, child::far, child::far_slow};

struct plan {
    cause first;
    cause second;
    std::chrono::nanoseconds gap;
    work beside;
    child below;
    bool keeps;
    std::uint32_t limit;
    std::chrono::nanoseconds delay;
    bool is_class;
    strategy how;

    std::string text() const
    {
        return fmt::format("first {} second {} gap {} beside {} below {} keeps {} limit {} delay {} class {} "
                           "strategy {}",
            static_cast<int>(first), static_cast<int>(second), gap.count(), static_cast<int>(beside),
            static_cast<int>(below), keeps, limit, delay.count(), is_class, static_cast<int>(how));
    }
};

struct crash_in_task {};

/// A child that ends soon or late, and crashes so that its parent does when it is told to.
task<> offspring(context& self, bool is_slow)
{
    while (auto message = co_await self.receive())
        message.match([](crash&) { throw std::runtime_error("escalated"); });
    if (is_slow)
        co_await shield(sleep_for(20ms));
}

task<> helps(context& self, work what)
{
    try {
        if (what == work::receives)
            co_await self.receive<number>();
        else
            co_await sleep_for(1h);
    } catch (const error&) {}
    if (what == work::throws_later || what == work::ends_later)
        co_await shield(sleep_for(10ms));
    if (what == work::waits_for_children)
        for (const pid each : self.children())
            co_await shield(self.wait(each));
    if (what == work::throws || what == work::throws_later)
        throw std::runtime_error("clean-up failed");
}

task<> fails()
{
    throw std::runtime_error("a task failed");
    co_return;
}

/// What the actor does at each beginning.
void begin(context& self, const plan& how)
{
    if (how.below != child::none && (!how.keeps || self.children().empty())) {
        spawn_options options = on(how.below == child::far || how.below == child::far_slow ? 1 : 0);
        options.decide = decider().otherwise(directive::escalate);
        self.spawn(options, offspring, how.below == child::near_slow || how.below == child::far_slow);
    }
    if (how.beside != work::none)
        self.spawn_task(helps(self, how.beside));
}

task<> subject(context& self, plan how)
{
    begin(self, how);
    if (how.beside == work::receives) {  // the one who receives is the task
        co_await sleep_for(1h);
        co_return;
    }
    while (auto message = co_await self.receive())
        message.match([](crash&) { throw std::runtime_error("crashed"); },
            [&](crash_in_task&) { self.spawn_task(fails()); });
}

/// As above, with functions for the turns of its life that take their time.
struct subject_class {
    plan how;

    void started(context& self) { begin(self, how); }
    task<> restarting() { co_await sleep_for(2ms); }
    task<> stopping() { co_await sleep_for(2ms); }
    task<> stopped() { co_await sleep_for(2ms); }
    void operator()(crash) { throw std::runtime_error("crashed"); }
    void operator()(context& self, crash_in_task) { self.spawn_task(fails()); }
};

struct family {
    pid subject;
    pid sibling;
};

task<> head(context& self, plan how, family* made)
{
    self.supervise({.strategy = how.how, .restart = {.limit = 3}});
    spawn_options options = on(0);
    options.restart = {.limit = how.limit, .within = 0s, .delay = how.delay, .keep_children = how.keeps};
    if (how.limit == 0) {  // of its own accord it is never begun anew
        options.restart.limit = 1;
        options.decide = decider().otherwise(directive::stop);
    }
    if (how.is_class)
        made->subject = self.spawn<subject_class>(options, how);
    else
        made->subject = self.spawn(options, subject, how);
    made->sibling = self.spawn(on(1), helper);
    while (co_await self.receive()) {}
}

/// Ends every actor of an engine whose strands are run by hand.
void begin_shutdown(simulation& sim)
{
    sim.engine().async_shutdown(1h, [](boost::system::error_code, shutdown_report) {});
}

void apply(simulation& sim, cause what, const family& who)
{
    engine& theirs = sim.engine();
    switch (what) {
    case cause::none:
        break;
    case cause::stop:
        theirs.stop(who.subject);
        break;
    case cause::poison:
        theirs.send(who.subject, poison_pill());
        break;
    case cause::restart:
        theirs.restart(who.subject);
        break;
    case cause::crash:
        theirs.send(who.subject, crash());
        break;
    case cause::crash_of_task:
        theirs.send(who.subject, crash_in_task());
        break;
    case cause::escalation: {
        station& post = theirs.station_at(0);
        cell* found = post.find(who.subject);
        if (found == nullptr)
            break;
        for (const pid each : post.children_of(*found))
            theirs.send(each, crash());
        break;
    }
    case cause::sibling:
        theirs.send(who.sibling, crash());
        break;
    case cause::shutdown:
        begin_shutdown(sim);
        break;
    }
}

/// Is the actor told to end, so that it does without anybody's further help? A poison pill is, where the
/// actor comes to receive it: not while a task waits for a child that is kept.
bool is_final(cause what, work beside)
{
    return what == cause::stop || what == cause::shutdown ||
        (what == cause::poison && beside != work::receives && beside != work::waits_for_children);
}

void check(const plan& how, std::uint64_t seed)
{
    simulation sim(seed);
    event_record events(sim.engine());
    family who;
    const pid top = sim.engine().spawn(on(0), head, how, &who);
    sim.run_until_idle();

    apply(sim, how.first, who);
    if (how.gap != 0ns)
        sim.advance(how.gap);
    apply(sim, how.second, who);
    sim.advance(3s);

    if (events.ends_of(who.subject) == 0 && is_final(how.second, how.beside))
        throw std::runtime_error(fmt::format("it did not end by itself: {}\n{}", how.text(), sim.dump()));
    sim.engine().stop(who.subject);
    sim.advance(1s);
    if (events.ends_of(who.subject) != 1)
        throw std::runtime_error(fmt::format("it did not end once: {}\n{}", how.text(), sim.dump()));
    sim.engine().stop(top);
    sim.advance(1s);
    if (sim.engine().figures().live != 0)
        throw std::runtime_error(fmt::format("some live on: {}\n{}", how.text(), sim.dump()));
    for (const actor_started& each : events.started)
        if (events.ends_of(each.who) != 1)
            throw std::runtime_error(fmt::format("{} did not end once: {}", each.who, how.text()));
}

/// Calls `visit` with every plan.
template <class Visitor>
void for_each_plan(Visitor&& visit)
{
    for (const cause first : causes)
        for (const cause second : {cause::none, cause::stop, cause::poison, cause::restart, cause::crash,
                 cause::crash_of_task, cause::escalation, cause::sibling, cause::shutdown})
            for (const work beside : works)
                for (const child below : children)
                    for (const bool keeps : {false, true})
                        for (const std::uint32_t limit : {0U, 1U, 2U})
                            for (const auto delay : {0ms, 1000ms})
                                visit(plan{first, second, 0ns, beside, below, keeps, limit, delay, false,
                                    strategy::one_for_one});
}

}  // namespace

TEST_CASE("families: an actor ends whatever comes while it ends or is begun anew", "[actor][families]")
{
    quiet_log quiet;
    std::uint64_t seed = 0;
    std::vector<std::string> failures;
    for_each_plan([&](plan how) {
        ++seed;
        random_source chance(seed);
        constexpr std::array gaps{0ms, 1ms, 5ms, 50ms};
        how.gap = gaps[chance.below(gaps.size())];
        how.is_class = how.beside != work::receives && chance.below(2) == 0;
        how.how = chance.below(2) == 0 ? strategy::one_for_one : strategy::all_for_one;
        try {
            check(how, seed);
        } catch (const std::exception& thrown) {
            failures.push_back(thrown.what());
        }
    });
    INFO(failures.size() << " of " << seed << ", the first:\n" << (failures.empty() ? "" : failures.front()));
    CHECK(failures.empty());
}

TEST_CASE("families: a router that keeps its children goes on with those that live", "[actor][families]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U));
    const bool keeps = GENERATE(true, false);
    router_options options;
    options.actor.restart = {.limit = restart_policy::always, .keep_children = keeps};
    options.routee = on(GENERATE(0U, 1U));
    const pid pool = spawn_pool(sim.engine(), "", 3, options, helper);
    const std::vector<pid> first = sim.ask(pool, get_routees());
    REQUIRE(first.size() == 3);

    for (int i = 0; i < 5; ++i) {
        sim.engine().restart(pool);
        sim.run_until_idle();
        CHECK(sim.engine().figures().live == 4);
        const std::vector<pid> now = sim.ask(pool, get_routees());
        CHECK(now.size() == 3);
        CHECK((std::set<pid>(now.begin(), now.end()) == std::set<pid>(first.begin(), first.end())) == keeps);
    }

    sim.ask(pool, resize_pool{6});
    const pid foreign = sim.engine().spawn(helper);
    sim.ask(pool, add_routee{foreign});
    sim.ask(pool, remove_routee{sim.ask(pool, get_routees()).front()});
    sim.engine().restart(pool);
    sim.run_until_idle();
    CHECK(sim.ask(pool, get_routees()).size() == (keeps ? 5U : 3U));
    CHECK(sim.engine().figures().live == (keeps ? 7U : 5U));

    const std::vector<pid> left = sim.ask(pool, get_routees());
    for (const pid each : left)
        sim.stop(each);
    sim.engine().restart(pool);
    sim.run_until_idle();
    const std::vector<pid> fresh = sim.ask(pool, get_routees());
    CHECK(fresh.size() == 3);
    for (const pid each : fresh)
        CHECK(std::count(left.begin(), left.end(), each) == 0);
    CHECK(sim.ask(pool, twice{4}) == 8);

    sim.stop(pool);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("families: who bears more children than begin is held back, near and far", "[actor][families]")
{
    static constexpr int bursts = 100;
    static constexpr int burst = 500;
    struct breeder {
        static task<> child(context&) { co_await sleep_for(1h); }
        static task<> body(context& self, std::uint32_t where, std::uint64_t* most)
        {
            for (int i = 0; i < bursts; ++i) {
                for (int k = 0; k < burst; ++k)
                    self.stop(self.spawn(on(where), &breeder::child));
                *most = std::max(*most, self.engine().figures().live);
                co_await yield();
            }
            co_await self.end_children();
        }
    };
    simulation sim(2);
    const std::uint32_t where = GENERATE(0U, 1U);
    std::uint64_t most = 0;
    constexpr int breeders = 4;
    for (int i = 0; i < breeders; ++i)
        sim.engine().spawn(on(0), &breeder::body, where, &most);
    sim.run_until_idle();

    // What may wait, near or far, and a burst of each on top of it.
    CHECK(most <= (where == 0 ? 4096U : 16'384U) + 2 * breeders * burst);
    CHECK(sim.engine().figures().spawned == breeders * (bursts * burst + 1));
    CHECK(sim.engine().figures().live == 0);
}
