// SPDX-License-Identifier: MIT

#include <costar/actor/router.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/kernel/extras.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/post/outgoing.hpp>
#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// What each routee has handled, and who sent it.
struct record {
    std::map<pid, std::vector<int>> seen;
    std::vector<pid> senders;

    std::vector<std::size_t> counts() const
    {
        std::vector<std::size_t> all;
        for (const auto& [who, values] : seen)
            all.push_back(values.size());
        std::sort(all.begin(), all.end());
        return all;
    }
    std::size_t total() const
    {
        std::size_t all = 0;
        for (const std::size_t each : counts())
            all += each;
        return all;
    }
};

/// A message with a key of its own, a number or a text.
struct keyed_number {
    int value = 0;
    std::uint64_t key = 0;
    std::uint64_t hash_key() const { return key; }
};
struct keyed_words {
    std::string text;
    std::string hash_key() const
    {
        if (text.empty())
            throw std::runtime_error("no key");
        return text;
    }
};

/// Is answered with who answers.
struct who_are_you {
    using reply = pid;
    std::uint64_t key = 0;
    std::uint64_t hash_key() const { return key; }
};

/// Is answered after a while, or not at all; the answer is the routee's number.
struct compete {
    using reply = int;
    std::string ballast = "so that it travels in an envelope";
};

struct only_moved {
    using reply = int;
    std::unique_ptr<int> value;
};
struct breaks_when_copied {
    using reply = int;
    breaks_when_copied() = default;
    breaks_when_copied(breaks_when_copied&&) = default;
    breaks_when_copied(const breaks_when_copied&) { throw std::runtime_error("copied"); }
};

task<> worker(context& self, record* done)
{
    done->seen[self.pid()];
    while (auto received = co_await self.receive()) {
        done->senders.push_back(received.sender());
        auto& mine = done->seen[self.pid()];
        received.match([&](number& m) { mine.push_back(m.value); },
            [&](keyed_number& m) { mine.push_back(m.value); },
            [&](keyed_words& m) { mine.push_back(static_cast<int>(m.text.size())); },
            [&](twice& m) { return 2 * m.value; }, [&](who_are_you&) { return self.pid(); },
            [&](only_moved& m) { return *m.value; }, [&](breaks_when_copied&) { return 1; },
            [](crash&) { throw std::runtime_error("told to"); },
            [](crash_asked&) -> int { throw std::runtime_error("asked to"); });
    }
}

/// Holds each message until it is told to let one go.
struct let_go {
    using reply = int;  // how many it holds
};
task<> counted_hoards(context& self, std::unordered_map<pid, std::size_t>* counts)
{
    std::vector<message> held;
    while (auto received = co_await self.receive()) {
        if (counts != nullptr)
            ++(*counts)[self.pid()];
        if (received.match([&](let_go&) {
                if (!held.empty())
                    held.erase(held.begin());
                return static_cast<int>(held.size());
            }))
            continue;
        received.mark_handled();
        held.push_back(std::move(received));
    }
}

task<> hoards(context& self)
{
    return counted_hoards(self, nullptr);
}

/// Competes in a race of answers.
task<> competitor(context& self, int number, std::chrono::milliseconds delay, bool wins)
{
    while (auto received = co_await self.receive()) {
        co_await sleep_for(delay);
        if (!wins)
            received.mark_handled();
        else
            received.match([&](compete&) { return number; });
    }
}

/// Will not have its actor send some of the numbers and requests.
struct refuses_some : middleware {
    std::size_t from = 0;  // the first that it refuses, counted from 0
    std::size_t count = SIZE_MAX;
    std::size_t met = 0;

    bool sending(context&, outgoing& sent) override
    {
        const bool concerns = sent.get_if<number>() != nullptr || sent.get_if<twice>() != nullptr;
        const std::size_t place = concerns ? met++ : 0;
        if (concerns && place >= from && place - from < count)
            throw std::runtime_error("refused");
        return true;
    }
};

/// Takes nothing out of its mailbox.
task<> is_deaf(context&)
{
    co_await sleep_for(24h);
}

std::vector<pid> routees_of(simulation& sim, pid router)
{
    return sim.ask(router, get_routees{});
}

const routing all_strategies[] = {routing::round_robin, routing::random, routing::least_loaded,
    routing::consistent_hash, routing::broadcast, routing::scatter_gather_first};

}  // namespace

TEST_CASE("router: round robin goes from one to the next", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    record done;
    const pid pool = spawn_pool(sim.engine(), "workers", 3, {.routee = on(GENERATE(0U, 1U))}, worker, &done);

    for (int i = 0; i < 9; ++i)
        sim.send(pool, number{i});
    sim.run_until_idle();

    const std::vector<pid> routees = routees_of(sim, pool);
    REQUIRE(routees.size() == 3);
    for (int i = 0; i < 3; ++i)
        CHECK(done.seen[routees[static_cast<std::size_t>(i)]] == std::vector{i, i + 3, i + 6});
    CHECK(sim.engine().find("workers") == pool);
}

TEST_CASE("router: random is even, and the same for the same seed", "[actor][router]")
{
    const auto choices = [](std::uint64_t seed, std::optional<std::uint64_t> chosen) {
        simulation sim(seed);
        record done;
        const pid pool =
            spawn_pool(sim.engine(), "", 4, {.strategy = routing::random, .seed = chosen}, worker, &done);
        for (int i = 0; i < 4000; ++i)
            sim.send(pool, number{i});
        sim.run_until_idle();
        std::vector<std::vector<int>> seen;
        for (const auto& [who, values] : done.seen)
            seen.push_back(values);
        return seen;
    };
    const auto first = choices(1, {});

    for (const auto& values : first) {
        CHECK(values.size() > 870);  // 1000 with a deviation of 27
        CHECK(values.size() < 1130);
    }
    CHECK(first == choices(1, {}));
    CHECK(first != choices(2, {}));
    CHECK(choices(1, 7) == choices(2, 7));
    CHECK(choices(1, 7) != choices(1, 8));
}

TEST_CASE("router: the least loaded is the one that holds the fewest messages", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid pool = spawn_pool(
        sim.engine(), "", 3, {.strategy = routing::least_loaded, .routee = on(GENERATE(0U, 1U))}, hoards);
    const std::vector<pid> routees = routees_of(sim, pool);
    const bool asked = GENERATE(false, true);
    const auto send = [&](int count) {
        for (int i = 0; i < count; ++i) {
            if (asked)
                sim.engine().ask(
                    pool, twice{i}, 1h, [](error_code code, int) { CHECK(code == errc::unanswered); });
            else
                sim.send(pool, number{i});
        }
        sim.run_until_idle();
    };
    const auto release = [&](std::size_t which) { return sim.ask(routees[which], let_go{}); };

    send(6);
    CHECK(release(0) == 1);
    CHECK(release(0) == 0);
    sim.run_until_idle();
    send(2);  // both go to the one that has nothing left
    CHECK(release(0) == 1);
    CHECK(release(1) == 1);
    CHECK(release(2) == 1);
    sim.run_until_idle();
    send(3);  // now it is even again

    for (std::size_t i = 0; i < 3; ++i)
        CHECK(release(i) == 1);
    sim.stop(pool);
    sim.run_until_idle();
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("router: a key leads to the same routee", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    quiet_log quiet;
    event_record events(sim.engine());
    record done;
    const router_options options{.strategy = routing::consistent_hash,
        .load_bound = GENERATE(0.0, 1.25),
        .keys = hash_keys([](const number& m) { return static_cast<std::uint64_t>(m.value % 10); },
            [](const crash&) -> std::string { throw std::runtime_error("no key"); })};
    const pid pool = spawn_pool(sim.engine(), "", 5, options, worker, &done);

    SECTION("that the message declares")
    {
        std::map<std::uint64_t, std::set<pid>> chosen;
        for (std::uint64_t i = 0; i < 100; ++i)
            chosen[i % 20].insert(sim.ask(pool, who_are_you{i % 20}));
        std::set<pid> used;
        for (const auto& [key, routees] : chosen) {
            CHECK(routees.size() == 1);
            used.insert(*routees.begin());
        }
        CHECK(used.size() > 2);
    }
    SECTION("that is a text")
    {
        for (int i = 0; i < 5; ++i) {
            sim.send(pool, keyed_words{"ada"});
            sim.run_until_idle();
        }
        CHECK(done.counts() == std::vector<std::size_t>{0, 0, 0, 0, 5});
    }
    SECTION("that the options say")
    {
        for (int i = 0; i < 50; ++i) {
            sim.send(pool, number{i});
            sim.run_until_idle();
        }
        for (const auto& [who, values] : done.seen)
            CHECK(values.size() % 5 == 0);  // all five of a key, or none
        CHECK(done.total() == 50);
    }
    SECTION("and without one there is nobody")
    {
        sim.send(pool, words{"keyless"});
        sim.send(pool, crash{});
        sim.send(pool, keyed_words{""});
        CHECK_THROWS_MATCHES(
            sim.ask(pool, twice{1}), error, Catch::Matchers::Message(error(errc::not_understood).what()));
        CHECK(events.dead_of(pool, errc::not_understood) == 4);
        CHECK(sim.now() == 0s);
        CHECK(sim.ask(pool, who_are_you{1}));
    }
}

TEST_CASE("router: a key keeps its routee while others come and go", "[actor][router]")
{
    CHECK(rc::check("members in any order", [](std::uint64_t seed) {
        const auto changes =
            *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
        constexpr std::uint64_t keys = 30;
        simulation sim(seed);
        record done;
        std::vector<pid> idle;  // known to nobody yet
        for (int i = 0; i < 12; ++i)
            idle.push_back(sim.engine().spawn(on(static_cast<std::uint32_t>(i) % 2), worker, &done));
        std::vector<pid> members;
        for (int i = 0; i < 4; ++i) {
            members.push_back(idle.back());
            idle.pop_back();
        }
        const pid group = spawn_group(sim.engine(), "", members,
            {.strategy = routing::consistent_hash, .load_bound = *rc::gen::element(0.0, 1.25)});
        const auto homes = [&] {
            std::map<std::uint64_t, pid> all;
            for (std::uint64_t key = 0; key < keys; ++key)
                all[key] = sim.ask(group, who_are_you{key});
            return all;
        };

        auto before = homes();
        for (const std::uint8_t change : changes) {
            pid added;
            pid removed;
            if (change % 3 == 0 && !idle.empty()) {
                added = idle.back();
                idle.pop_back();
                members.push_back(added);
                sim.ask(group, add_routee{added});
            } else if (members.size() > 1) {
                const auto which = members.begin() + change / 3 % static_cast<std::ptrdiff_t>(members.size());
                removed = *which;
                members.erase(which);
                if (change % 3 == 1) {
                    sim.ask(group, remove_routee{removed});
                } else {
                    sim.stop(removed);
                    sim.run_until_idle();
                }
            }
            const auto after = homes();
            for (std::uint64_t key = 0; key < keys; ++key) {
                if (before[key] == removed)
                    RC_ASSERT(after.at(key) != removed);
                else
                    RC_ASSERT(after.at(key) == before[key] || after.at(key) == added);
            }
            before = after;
        }
        std::vector<pid> known = routees_of(sim, group);
        std::sort(known.begin(), known.end());
        std::sort(members.begin(), members.end());
        RC_ASSERT(known == members);
    }));
}

TEST_CASE("router: no routee gets more than its bounded share", "[actor][router]")
{
    CHECK(rc::check("messages come and are let go of", [](std::uint64_t seed) {
        const auto choices =
            *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
        const auto size = *rc::gen::inRange<std::size_t>(1, 7);
        const auto bound = *rc::gen::element(1.0, 1.25, 2.0);
        std::unordered_map<pid, std::size_t> counts;
        simulation sim(seed);
        const pid pool = spawn_pool(sim.engine(), "", size,
            {.strategy = routing::consistent_hash,
                .routee = on(static_cast<std::uint32_t>(seed % 2)),
                .load_bound = bound},
            counted_hoards, &counts);
        const std::vector<pid> routees = routees_of(sim, pool);
        sim.run_until_idle();  // those of another strand are born
        std::size_t total = 0;
        std::vector<std::size_t> loads(size);
        const auto look = [&] {
            for (std::size_t i = 0; i < size; ++i)
                loads[i] = counts[routees[i]];
        };

        std::vector<std::size_t> released(size);
        for (const std::uint8_t choice : choices) {
            const std::size_t which = choice / 4 % size;
            look();
            if (choice % 4 != 0) {
                sim.send(pool, keyed_number{1, choice / 4U % 3U});  // few keys, so that they crowd
                sim.run_until_idle();
                ++total;
                const auto before = loads;
                look();
                for (std::size_t i = 0; i < size; ++i) {
                    if (loads[i] == before[i])
                        continue;
                    const auto held = static_cast<double>(loads[i] - released[i]);
                    const double share = static_cast<double>(total) / static_cast<double>(size);
                    RC_ASSERT(held <= std::ceil(bound * share));
                }
            } else {
                const std::size_t held = loads[which] - released[which];
                const int left = sim.ask(routees[which], let_go{});
                sim.run_until_idle();
                RC_ASSERT(static_cast<std::size_t>(left) == (held == 0 ? 0 : held - 1));
                released[which] += held == 0 ? 1 : 2;  // the question is a message too
                total -= held != 0;
            }
        }
    }));
}

TEST_CASE("router: broadcast gives to all", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    quiet_log quiet;
    record done;

    SECTION("by strategy")
    {
        const pid pool = spawn_pool(sim.engine(), "", 3,
            {.strategy = routing::broadcast, .routee = on(GENERATE(0U, 1U))}, worker, &done);
        sim.send(pool, keyed_words{"one"});
        sim.send(pool, number{2});
        sim.run_until_idle();
        for (const auto& [who, values] : done.seen)
            CHECK(values == std::vector{3, 2});
        CHECK(done.seen.size() == 3);
    }
    SECTION("by the message, whatever the strategy")
    {
        const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
        const pid pool = spawn_pool(
            sim.engine(), "", 3, {.strategy = strategy, .routee = on(GENERATE(0U, 1U))}, worker, &done);
        probe tester = sim.make_probe();
        tester.send(pool, broadcast(words{"not understood"}));
        tester.send(pool, broadcast(keyed_words{"four"}));
        sim.run_until_idle();
        for (const auto& [who, values] : done.seen)
            CHECK(values == std::vector{4});
        CHECK(done.senders == std::vector(6, tester.pid()));
        CHECK(sim.engine().figures().dead_letters == 3);
        sim.send(pool, broadcast(poison_pill()));
        sim.run_until_idle();
        CHECK(routees_of(sim, pool).empty());
    }
    SECTION("a request is answered when all have answered")
    {
        const std::vector<pid> members{sim.engine().spawn(on(0), competitor, 1, 100ms, true),
            sim.engine().spawn(on(1), competitor, 2, 300ms, true),
            sim.engine().spawn(on(1), competitor, 3, 200ms, true)};
        const pid group = spawn_group(sim.engine(), "", members, {.strategy = routing::broadcast});
        CHECK(sim.ask(group, compete{}) == 2);
        CHECK(sim.now() == 300ms);
    }
    SECTION("and fails with the first who cannot")
    {
        const std::vector<pid> members{sim.engine().spawn(on(0), competitor, 1, 100ms, true),
            sim.engine().spawn(on(1), competitor, 2, 300ms, true),
            sim.engine().spawn(on(1), competitor, 3, 200ms, false)};
        const pid group = spawn_group(sim.engine(), "", members, {.strategy = routing::broadcast});
        CHECK_THROWS_MATCHES(
            sim.ask(group, compete{}), error, Catch::Matchers::Message(error(errc::unanswered).what()));
        CHECK(sim.now() == 200ms);
        sim.advance(1s);
        CHECK(sim.engine().figures().late_replies == 0);
    }
}

TEST_CASE("router: the first answer wins when all are asked", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    quiet_log quiet;
    std::vector<pid> members{sim.engine().spawn(on(0), competitor, 1, 300ms, true),
        sim.engine().spawn(on(1), competitor, 2, 200ms, true),
        sim.engine().spawn(on(1), competitor, 3, 100ms, false)};
    const router_options options{.strategy = routing::scatter_gather_first};

    SECTION("the first that is one")
    {
        const pid group = spawn_group(sim.engine(), "", members, options);
        CHECK(sim.ask(group, compete{}) == 2);
        CHECK(sim.now() == 200ms);
        sim.advance(1s);
        CHECK(sim.engine().figures().late_replies == 0);
        CHECK(sim.engine().figures().dead_letters == 0);
    }
    SECTION("one of a wrong type is none")
    {
        struct answers_wrongly {
            static task<> body(context& self)
            {
                while (auto received = co_await self.receive())
                    received.respond(std::string("no number"));
            }
        };
        members.push_back(sim.engine().spawn(&answers_wrongly::body));
        const pid group = spawn_group(sim.engine(), "", members, options);
        CHECK(sim.ask(group, compete{}) == 2);
    }
    SECTION("and the last error when all fail")
    {
        const std::vector<pid> losers{sim.engine().spawn(on(0), competitor, 1, 100ms, false),
            sim.engine().spawn(on(1), competitor, 2, 300ms, false)};
        const pid group = spawn_group(sim.engine(), "", losers, options);
        CHECK_THROWS_MATCHES(
            sim.ask(group, compete{}), error, Catch::Matchers::Message(error(errc::unanswered).what()));
        CHECK(sim.now() == 300ms);
    }
    SECTION("within the deadline of whoever asks")
    {
        const pid group = spawn_group(sim.engine(), "", members, options);
        std::optional<error_code> ended;
        sim.engine().ask(group, compete{}, 150ms, [&](error_code code, int) { ended = code; });
        sim.advance(150ms);
        CHECK(ended == errc::timed_out);
        sim.advance(1s);
        CHECK(sim.engine().figures().late_replies == 1);
    }
    SECTION("a message that is no request goes to all")
    {
        record done;
        const pid pool = spawn_pool(sim.engine(), "", 3, options, worker, &done);
        sim.send(pool, number{1});
        sim.run_until_idle();
        CHECK(done.counts() == std::vector<std::size_t>{1, 1, 1});
    }
}

TEST_CASE("router: what cannot be copied is not sent to several", "[actor][router]")
{
    simulation sim;
    std::vector<std::string> lines;
    event_record events(sim.engine());
    record done;
    const router_options options{.strategy = GENERATE(routing::broadcast, routing::scatter_gather_first)};
    const pid pool = spawn_pool(sim.engine(), "pool", 2, options, worker, &done);
    const auto ask = [&] { return sim.ask(pool, only_moved{std::make_unique<int>(5)}); };
    set_log_sink([&](log_level, std::string_view line) { lines.emplace_back(line); });

    CHECK_THROWS_MATCHES(ask(), error, Catch::Matchers::Message(error(errc::not_understood).what()));
    CHECK_THROWS_MATCHES(sim.ask(pool, breaks_when_copied{}), error,
        Catch::Matchers::Message(error(errc::not_understood).what()));
    set_log_sink({});
    CHECK(events.dead_of(pool, errc::not_understood) == 2);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("router pool: a message of type") == 0);
    sim.ask(pool, resize_pool{1});

    CHECK(ask() == 5);
    CHECK(sim.ask(pool, breaks_when_copied{}) == 1);
}

TEST_CASE("router: routees come and go by message", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    record done;
    const pid other = sim.engine().spawn(on(1), worker, &done);

    SECTION("of a group")
    {
        const pid first = sim.engine().spawn(on(0), worker, &done);
        const pid group = spawn_group(sim.engine(), "", {first, first});
        CHECK(routees_of(sim, group) == std::vector{first});
        sim.ask(group, add_routee{other});
        sim.send(group, add_routee{other});
        sim.send(group, add_routee{group});
        CHECK(routees_of(sim, group) == std::vector{first, other});
        sim.ask(group, remove_routee{first});
        sim.ask(group, remove_routee{first});
        CHECK(routees_of(sim, group) == std::vector{other});
        CHECK(events.stopped.empty());
        CHECK_THROWS_AS(sim.ask(group, resize_pool{3}), error);
        CHECK(events.dead_of(group, errc::not_understood) == 1);
    }
    SECTION("of a pool")
    {
        const pid pool = spawn_pool(sim.engine(), "", 2, worker, &done);
        const std::vector<pid> first = routees_of(sim, pool);
        sim.ask(pool, resize_pool{4});
        const std::vector<pid> second = routees_of(sim, pool);
        REQUIRE(second.size() == 4);
        CHECK(std::equal(first.begin(), first.end(), second.begin()));
        sim.send(pool, broadcast(number{7}));
        sim.send(pool, resize_pool{1});
        sim.run_until_idle();
        CHECK(routees_of(sim, pool) == std::vector{first[0]});
        CHECK(events.stopped.size() == 3);
        for (const pid& each : second)
            CHECK(done.seen[each] == std::vector{7});  // what they had they have handled
        sim.ask(pool, add_routee{other});
        sim.ask(pool, remove_routee{other});
        sim.ask(pool, remove_routee{first[0]});
        sim.run_until_idle();
        CHECK(events.ends_of(other) == 0);
        CHECK(events.ends_of(first[0]) == 1);
        CHECK(sim.engine().figures().dead_letters == 0);
    }
    SECTION("of a group, by the dozen, and round robin does as a list")
    {
        const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 6)));
        random_source random(seed);
        std::vector<pid> idle;
        for (int i = 0; i < 60; ++i)
            idle.push_back(sim.engine().spawn(on(0), worker, &done));
        const pid group = spawn_group(sim.engine(), "", {});
        std::vector<pid> list;
        std::size_t next = 0;
        int sent = 0;
        bool grows = true;
        for (int step = 0; step < 400; ++step) {
            if (list.empty() || idle.empty())
                grows = list.empty();
            const std::uint64_t choice = random.below(4);
            if (choice < 2 && !list.empty()) {
                next = next >= list.size() ? 0 : next;
                sim.send(group, number{++sent});
                sim.run_until_idle();
                REQUIRE(done.seen[list[next++]].back() == sent);
            } else if (grows == (choice == 2) && !idle.empty()) {
                list.push_back(idle.back());
                sim.ask(group, add_routee{idle.back()});
                idle.pop_back();
            } else if (!list.empty()) {
                const std::size_t which = random.below(list.size());
                idle.push_back(list[which]);
                sim.ask(group, remove_routee{list[which]});
                list.erase(list.begin() + static_cast<std::ptrdiff_t>(which));
                next -= next > which;
            }
            REQUIRE(routees_of(sim, group) == list);
        }
    }
    SECTION("of a pool, and round robin goes on where it was")
    {
        const pid pool = spawn_pool(sim.engine(), "", 3, worker, &done);
        const std::vector<pid> routees = routees_of(sim, pool);
        sim.send(pool, number{0});
        sim.send(pool, number{1});
        sim.ask(pool, remove_routee{routees[0]});
        sim.send(pool, number{2});
        sim.send(pool, number{3});
        sim.run_until_idle();
        CHECK(done.seen[routees[2]] == std::vector{2});
        CHECK(done.seen[routees[1]] == std::vector{1, 3});
    }
}

TEST_CASE("router: a routee that ends leaves", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    quiet_log quiet;
    record done;
    const std::uint32_t strand = GENERATE(0U, 1U);

    SECTION("stopped, crashed or gone before")
    {
        std::vector<pid> members;
        for (int i = 0; i < 4; ++i)
            members.push_back(sim.engine().spawn(on(strand), worker, &done));
        sim.stop(members[3]);
        members.push_back(pid());
        members.push_back(pid(77, 0, 1, 1));
        const pid group = spawn_group(sim.engine(), "", members);
        sim.run_until_idle();
        CHECK(routees_of(sim, group).size() == 3);
        sim.stop(members[0]);
        sim.send(members[1], crash{});
        sim.run_until_idle();
        CHECK(routees_of(sim, group) == std::vector{members[2]});
        sim.ask(group, add_routee{members[0]});
        sim.run_until_idle();
        CHECK(routees_of(sim, group) == std::vector{members[2]});
    }
    SECTION("a restarted one stays")
    {
        spawn_options routee = on(strand);
        routee.restart.limit = 1;
        const pid pool = spawn_pool(sim.engine(), "", 1, {.routee = routee}, worker, &done);
        const std::vector<pid> routees = routees_of(sim, pool);
        sim.send(pool, crash{});
        sim.run_until_idle();
        CHECK(routees_of(sim, pool) == routees);
        sim.send(pool, crash{});
        sim.run_until_idle();
        CHECK(routees_of(sim, pool).empty());
    }
    SECTION("and one that crashes over a request tells its asker")
    {
        const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
        const pid pool = spawn_pool(sim.engine(), "", 1,
            {.strategy = strategy, .routee = on(strand), .keys = hash_keys([](const crash_asked&) {
                 return 1U;
             })},
            worker, &done);
        CHECK_THROWS_MATCHES(
            sim.ask(pool, crash_asked{}), error, Catch::Matchers::Message(error(errc::actor_failed).what()));
        CHECK(routees_of(sim, pool).empty());
    }
}

TEST_CASE("router: without routees messages are dead letters, and askers are told at once", "[actor][router]")
{
    simulation sim;
    event_record events(sim.engine());
    const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
    const pid group = spawn_group(sim.engine(), "", {}, {.strategy = strategy});

    sim.send(group, words{"nobody"});
    sim.send(group, broadcast(number{1}));
    CHECK_THROWS_MATCHES(
        sim.ask(group, who_are_you{1}), error, Catch::Matchers::Message(error(errc::no_such_actor).what()));

    CHECK(events.dead_of(group, errc::no_such_actor) == 3);
    CHECK(sim.now() == 0s);
}

TEST_CASE("router: sender, answer and deadline pass through", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    record done;
    const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
    const std::uint32_t strand = GENERATE(0U, 1U);
    const router_options options{.strategy = strategy,
        .actor = on(0),
        .routee = on(strand),
        .keys = hash_keys([](const twice& m) { return static_cast<unsigned>(m.value); },
            [](const number& m) { return static_cast<unsigned>(m.value); })};

    SECTION("sender and answer")
    {
        const pid pool = spawn_pool(sim.engine(), "", 1, options, worker, &done);
        probe tester = sim.make_probe();
        tester.send(pool, number{1});
        int answer = 0;
        const pid asker = sim.engine().spawn(
            on(1),
            [](context& self, pid to, int* answer) -> task<> { *answer = co_await self.ask(to, twice{4}); },
            pool, &answer);
        sim.run_until_idle();
        CHECK(answer == 8);
        std::vector<pid> senders = done.senders;
        std::vector<pid> expected{tester.pid(), asker};
        std::sort(senders.begin(), senders.end());
        std::sort(expected.begin(), expected.end());
        CHECK(senders == expected);
        CHECK(sim.engine().figures().late_replies == 0);
    }
    SECTION("deadline")
    {
        const pid deaf = sim.engine().spawn(slow, 1h);
        std::vector<std::chrono::nanoseconds> ended;
        struct asks_further {
            static task<> body(context& self, pid to, std::vector<std::chrono::nanoseconds>* ended)
            {
                while (auto received = co_await self.receive()) {
                    received.mark_handled();
                    const auto begun = self.now();
                    static_cast<void>(co_await as_result(self.ask(to, twice{1}, 10s)));
                    ended->push_back(self.now() - begun);
                }
            }
        };
        const pid pool = spawn_pool(sim.engine(), "", 2, options, &asks_further::body, deaf, &ended);
        sim.engine().ask(pool, twice{1}, 300ms, [](error_code, int) {});
        sim.advance(1s);
        const bool all = strategy == routing::broadcast || strategy == routing::scatter_gather_first;
        CHECK(ended == std::vector<std::chrono::nanoseconds>(all ? 2 : 1, 300ms));
    }
}

TEST_CASE("router: headers pass through, and a router says that it is there", "[actor][router]")
{
    struct looks {
        static task<> body(context& self, std::vector<std::string>* seen)
        {
            while (auto received = co_await self.receive()) {
                seen->emplace_back(received.headers().find("trace").value_or("none"));
                received.match([](number&) {}, [](greet& m) { return m.who; });
            }
        }
        static task<> sends(context& self, pid to)
        {
            self.send(to, number{1}, {{"trace", "1"}});
            self.send(to, number{1});
            const std::string answer = co_await self.ask(to, greet{"you"}, {{"trace", "2"}});
            CHECK(answer == "you");
        }
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
    std::vector<std::string> seen;
    const pid pool = spawn_pool(sim.engine(), "", 2,
        {.strategy = strategy,
            .routee = on(GENERATE(0U, 1U)),
            .keys = hash_keys([](const number&) { return 1U; }, [](const greet& m) { return m.who; })},
        &looks::body, &seen);

    sim.engine().spawn(on(1), &looks::sends, pool);
    sim.run_until_idle();

    const std::size_t copies =
        strategy == routing::broadcast || strategy == routing::scatter_gather_first ? 2 : 1;
    for (const char* each : {"1", "none", "2"})
        CHECK(std::count(seen.begin(), seen.end(), each) == static_cast<std::ptrdiff_t>(copies));
    CHECK(sim.ask(pool, touch{}).who == pool);
    CHECK(seen.size() == 3 * copies);
}

TEST_CASE("router: does not route what middleware keeps from it", "[actor][router]")
{
    struct keeps_odd : middleware {
        bool receiving(context&, message& taken) override
        {
            return !taken.is<number>() || taken.get<number>().value % 2 == 0;
        }
    };
    simulation sim;
    event_record events(sim.engine());
    record done;
    spawn_options options = on(0);
    options.middleware = {std::make_shared<keeps_odd>()};
    const pid pool = spawn_pool(sim.engine(), "", 1, {.actor = options, .routee = on(1)}, worker, &done);

    for (int i = 0; i < 4; ++i)
        sim.send(pool, number{i});
    sim.run_until_idle();

    CHECK(done.senders.size() == 2);
    CHECK(done.seen.begin()->second == std::vector{0, 2});
    CHECK(events.dead.empty());
}

TEST_CASE("router: keeps no headers of what it has passed on, not even empty ones", "[actor][router]")
{
    simulation sim;
    record done;
    const pid pool = spawn_pool(sim.engine(), "", 1, {.routee = on(1)}, worker, &done);
    sim.run_until_idle();
    station& post = sim.engine().station_at(pool.strand());

    post.home().enter([&] {
        post.admit(pool, envelope::make(number{1}), 0, std::make_unique<headers>());
        post.admit(pool, envelope::make(number{2}), 0, std::make_unique<headers>(headers{{"trace", "1"}}));
    });
    sim.run_until_idle();

    CHECK(done.total() == 2);
    REQUIRE(post.find(pool)->extras() != nullptr);
    CHECK(post.find(pool)->extras()->with.empty());
}

TEST_CASE("router: limits how much is done at once", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    struct progress {
        int running = 0;
        int most = 0;
        int done = 0;
    };
    struct works {
        static task<> body(context& self, progress* all)
        {
            while (auto item = co_await self.receive()) {
                all->most = std::max(all->most, ++all->running);
                co_await sleep_for(10ms);
                --all->running;
                ++all->done;
                item.mark_handled();
            }
        }
    };
    progress all;
    const routing strategy = GENERATE(routing::round_robin, routing::least_loaded);
    const pid pool = spawn_pool(
        sim.engine(), "", 5, {.strategy = strategy, .routee = on(GENERATE(0U, 1U))}, &works::body, &all);

    for (int i = 0; i < 1000; ++i)
        sim.send(pool, number{i});
    sim.advance(2s);

    CHECK(all.done == 1000);
    CHECK(all.most == 5);
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("router: is an actor among others", "[actor][router]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    quiet_log quiet;
    event_record events(sim.engine());
    record done;

    SECTION("a pool ends with it, the members of a group do not")
    {
        const pid member = sim.engine().spawn(worker, &done);
        const pid pool = spawn_pool(sim.engine(), "", 3, {.routee = on(GENERATE(0U, 1U))}, worker, &done);
        const pid group = spawn_group(sim.engine(), "", {member});
        sim.run_until_idle();
        CHECK(sim.engine().figures().live == 6);
        sim.stop(pool);
        sim.stop(group);
        CHECK(sim.engine().figures().live == 1);
        CHECK(events.end_of(pool) == 3);
        CHECK(events.ends_of(member) == 0);
    }
    SECTION("a request that passed it is answered though it has ended")
    {
        const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
        const pid member = sim.engine().spawn(on(1), slow, 1s);
        const pid group = spawn_group(sim.engine(), "", {member},
            {.strategy = strategy, .keys = hash_keys([](const twice&) { return 1U; })});
        std::optional<int> answer;
        sim.engine().ask(group, twice{2}, [&](error_code, int value) { answer = value; });
        sim.run_until_idle();
        sim.stop(group);
        sim.advance(1s);
        CHECK(answer == 4);
    }
    SECTION("one that is restarted begins with the routees it was spawned with")
    {
        router_options options{.strategy = routing::consistent_hash};
        options.actor.restart.limit = 1;
        options.routee = on(GENERATE(0U, 1U));
        const pid pool = spawn_pool(sim.engine(), "again", 2, options, worker, &done);
        sim.ask(pool, resize_pool{5});
        sim.ask(pool, add_routee{sim.engine().spawn(worker, &done)});
        CHECK(routees_of(sim, pool).size() == 6);
        // Nothing that it is sent makes a router crash, so it is told that a task of its has failed.
        station& post = sim.engine().station_at(pool.strand());
        post.home().enter([&] {
            post.task_done(*post.find(pool), std::make_exception_ptr(std::runtime_error("told to")));
        });
        sim.run_until_idle();
        CHECK(events.restarted.size() == 1);
        CHECK(routees_of(sim, pool).size() == 2);
        CHECK(sim.engine().find("again") == pool);
    }
    SECTION("one that cannot spawn its routees fails")
    {
        const pid pool = spawn_pool(sim.engine(), "", 2, {.routee = on(99)}, worker, &done);
        sim.run_until_idle();
        CHECK(events.ends_of(pool) == 1);
        CHECK(events.stopped[0].reason == errc::actor_failed);
    }
    SECTION("routers stand behind routers")
    {
        const routing inner = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
        const routing outer = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
        const hash_keys keys([](const twice&) { return 1U; }, [](const number&) { return 1U; });
        const std::vector<pid> pools{
            spawn_pool(sim.engine(), "", 2, {.strategy = inner, .actor = on(0), .keys = keys}, worker, &done),
            spawn_pool(
                sim.engine(), "", 2, {.strategy = inner, .actor = on(1), .keys = keys}, worker, &done)};
        const pid front = spawn_group(sim.engine(), "", pools, {.strategy = outer, .keys = keys});
        CHECK(sim.ask(front, twice{4}) == 8);
        sim.send(front, number{1});
        sim.run_until_idle();
        const auto copies = [](routing how) {
            return how == routing::broadcast || how == routing::scatter_gather_first ? 2U : 1U;
        };
        CHECK(done.total() == copies(inner) * copies(outer));
        CHECK(sim.engine().figures().late_replies == 0);
        CHECK(sim.engine().figures().dead_letters == 0);
    }
    SECTION("an actor has them as children")
    {
        struct parent {
            static task<> body(context& self, record* done, pid* pool)
            {
                *pool = spawn_pool(
                    self, "children", 2, {.routee = {.placement = placement::spread}}, worker, done);
                while (co_await self.receive()) {}
            }
        };
        pid pool;
        const pid top = sim.engine().spawn(&parent::body, &done, &pool);
        sim.run_until_idle();
        CHECK(routees_of(sim, pool).size() == 2);
        sim.stop(top);
        CHECK(sim.engine().figures().live == 0);
        CHECK(events.end_of(pool) == 2);
    }
    SECTION("when the engine shuts down")
    {
        const pid pool = spawn_pool(sim.engine(), "", 3, worker, &done);
        bool down = false;
        sim.engine().async_shutdown(1s, [&](error_code code, const shutdown_report&) { down = !code; });
        sim.run_until_idle();
        CHECK(down);
        CHECK(events.ends_of(pool) == 1);
    }
}

TEST_CASE("router: the pool of a class takes what the class takes", "[actor][router]")
{
    struct doubler {
        explicit doubler(int more) : more(more) {}
        int operator()(twice m) const { return 2 * m.value + more; }
        int more;
    };
    using pool_address = address<router_of<doubler>>;
    STATIC_REQUIRE(accepts<pool_address, twice>);
    STATIC_REQUIRE(accepts<pool_address, get_routees>);
    STATIC_REQUIRE(accepts<pool_address, broadcast>);
    STATIC_REQUIRE_FALSE(accepts<pool_address, number>);
    STATIC_REQUIRE(std::is_convertible_v<pool_address, address<doubler>>);
    simulation sim;

    const pool_address pool = spawn_pool<doubler>(sim.engine(), "doublers", 2, {}, 1);

    CHECK(sim.ask(pool, twice{4}) == 9);
    CHECK(sim.ask(pool, get_routees{}).size() == 2);
    const address<doubler> plain = pool;
    CHECK(sim.ask(plain, twice{5}) == 11);
}

namespace {

/// Sends and asks through a router, and notes how each request ended.
struct traffic {
    int sent = 0;
    int answered = 0;
    int failed = 0;
    int handled = 0;
};

task<> uses(context& self, pid router, int count, traffic* all)
{
    for (int i = 0; i < count; ++i) {
        self.send(router, keyed_number{i, static_cast<std::uint64_t>(i)});
        ++all->sent;
        const auto answer =
            co_await as_result(self.ask(router, who_are_you{static_cast<std::uint64_t>(i)}, 1h));
        ++(answer ? all->answered : all->failed);
    }
}

task<> comes_and_goes(context& self, pid router, traffic* all)
{
    struct dies {
        static task<> body(context& self, int life, traffic* all)
        {
            while (auto received = co_await self.receive()) {
                received.match(
                    [&](keyed_number&) { ++all->handled; }, [&](who_are_you&) { return self.pid(); });
                if (--life == 0)
                    throw std::runtime_error("its time is over");
            }
        }
    };
    for (int i = 0; i < 6; ++i) {
        self.send(router,
            add_routee{self.spawn(spawn_options{.placement = placement::spread}, &dies::body, 5 + i, all)});
        co_await yield();
    }
    while (co_await self.receive()) {}
}

}  // namespace

TEST_CASE("router: loses nothing, whoever sends and dies", "[actor][router]")
{
    quiet_log quiet;
    const routing strategy =
        GENERATE(routing::round_robin, routing::random, routing::least_loaded, routing::consistent_hash);
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        simulation sim(seed, {.strands = 3});
        traffic all;
        const pid group = spawn_group(
            sim.engine(), "", {}, {.strategy = strategy, .actor = on(static_cast<std::uint32_t>(seed % 3))});
        const pid breeder = sim.engine().spawn(on(0), comes_and_goes, group, &all);
        for (std::uint32_t strand = 0; strand < 3; ++strand)
            sim.engine().spawn(on(strand), uses, group, 10, &all);
        sim.run_until_idle();
        if (seed % 2 == 0)
            sim.stop(breeder);
        sim.run_until_idle();

        CAPTURE(seed);
        const station_figures figures = sim.engine().figures();
        REQUIRE(all.sent == 30);
        REQUIRE(all.answered + all.failed == 30);
        // Each message was handled, or is a dead letter; so is each request that failed.
        REQUIRE(static_cast<std::uint64_t>(all.sent - all.handled + all.failed) == figures.dead_letters);
        REQUIRE(figures.late_replies == 0);
        REQUIRE(sim.now() == 0s);
    }
}

TEST_CASE("router: leaves nothing behind", "[actor][router]")
{
    simulation sim;
    quiet_log quiet;
    const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
    const auto blocks = [&] {
        return sim.engine().station_at(0).home().arena().live_blocks() +
            sim.engine().station_at(1).home().arena().live_blocks() + arena::current().live_blocks();
    };
    const auto use = [&] {
        record done;
        const pid pool =
            spawn_pool(sim.engine(), "", 3, {.strategy = strategy, .routee = on(1)}, worker, &done);
        for (std::uint64_t i = 0; i < 20; ++i) {
            sim.send(pool, keyed_words{"word"});
            sim.send(pool, broadcast(keyed_words{"word"}));
            static_cast<void>(sim.ask(pool, who_are_you{i}));
        }
        sim.ask(pool, resize_pool{2});
        sim.send(pool, crash{});
        sim.run_until_idle();
        sim.stop(pool);
        sim.run_until_idle();
    };
    use();
    const std::size_t before = blocks();

    use();

    CHECK(blocks() == before);
}

TEST_CASE("router: is destroyed with the engine, whatever is in flight", "[actor][router]")
{
    const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
    auto sim = std::make_unique<simulation>();
    const std::uint32_t strand = GENERATE(0U, 1U);
    const pid pool = spawn_pool(sim->engine(), "", 3,
        {.strategy = strategy,
            .routee = on(strand),
            .keys = hash_keys([](const twice&) { return 1U; }, [](const number&) { return 1U; })},
        hoards);
    for (int i = 0; i < 5; ++i) {
        sim->send(pool, number{i});
        sim->engine().ask(pool, twice{i}, 1h, [](error_code, int) {});
        sim->engine().spawn(
            on(1), [](context& self, pid to) -> task<> { co_await self.ask(to, twice{1}, 1h); }, pool);
    }
    sim->run_until_idle();
    CHECK(sim->engine().figures().live == 9);

    sim.reset();
}

TEST_CASE("router: what it has given out once is not given out again after a crash", "[actor][router]")
{
    quiet_log quiet;
    record done;
    auto refuses = std::make_shared<refuses_some>();
    refuses->count = 1;
    router_options options{.strategy = GENERATE(routing::round_robin, routing::broadcast)};
    options.actor.restart.limit = 5;
    options.actor.failing.redeliveries = GENERATE(1U, 3U);
    options.actor.middleware = {refuses};
    options.routee = on(GENERATE(0U, 1U));
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid pool = spawn_pool(sim.engine(), "", 2, options, worker, &done);
    sim.run_until_idle();

    sim.send(pool, broadcast(number{1}));
    sim.run_until_idle();
    CHECK(done.total() <= 1);  // the other routee may have got its copy
    CHECK(routees_of(sim, pool).size() == 2);

    done.seen.clear();
    sim.send(pool, broadcast(number{2}));
    sim.run_until_idle();
    CHECK(done.counts() == std::vector<std::size_t>{1, 1});
    CHECK(sim.now() == 0s);
}

TEST_CASE("router: who asks all is told at once when the request cannot be given out", "[actor][router]")
{
    quiet_log quiet;
    std::vector<error_code> ended;
    std::vector<pid> members;
    auto refuses = std::make_shared<refuses_some>();
    router_options options{.strategy = GENERATE(routing::broadcast, routing::scatter_gather_first)};
    options.actor.restart.limit = GENERATE(0U, 5U);
    options.actor.middleware = {refuses};
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(1U, 2U, 3U));
    for (int i = 0; i < 3; ++i)
        members.push_back(sim.engine().spawn(on(strand), helper));
    const pid group = spawn_group(sim.engine(), "", members, options);
    const auto ask = [&] {
        sim.engine().ask(group, twice{1}, 1h, [&](error_code code, int) { ended.push_back(code); });
        sim.run_until_idle();
    };

    SECTION("to none")
    {
        ask();
        REQUIRE(ended.size() == 1);
        CHECK(ended[0].failed());
    }
    SECTION("to one of them")  // those who had got it may answer
    {
        refuses->from = GENERATE(0U, 1U, 2U);
        refuses->count = 1;
        ask();
        REQUIRE(ended.size() == 1);
        if (options.strategy == routing::broadcast)
            CHECK(ended[0].failed());
    }
    CHECK(sim.now() == 0s);
    sim.advance(2h);
    CHECK(ended.size() == 1);
}

TEST_CASE("router: a full routee refuses what it would refuse without a router", "[actor][router]")
{
    std::optional<mailbox_state> box;
    spawn_options full = on(GENERATE(0U, 1U));
    full.mailbox = {.limit = 10, .when_full = overflow::wait};
    const routing strategy = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
    CAPTURE(static_cast<int>(strategy));
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid member = sim.engine().spawn(full, is_deaf);
    const pid group =
        spawn_group(sim.engine(), "", {member}, {.strategy = strategy, .load_bound = GENERATE(0.0, 1.25)});
    const auto look = [&] {
        box.reset();
        sim.engine().mailbox_of(member, [&](error_code, mailbox_state seen) { box = seen; });
        sim.run_until_idle();
    };
    sim.run_until_idle();

    for (int i = 0; i < 1000; ++i)
        sim.send(group, keyed_number{i, 1});
    sim.run_until_idle();
    look();
    REQUIRE(box);
    CHECK(box->queued == 10);
    CHECK(box->outside == 0);
    CHECK(events.dead_of(member, errc::mailbox_full) == 990);
    CHECK(events.dead.size() == 990);

    sim.engine().ask(group, who_are_you{1}, 1h, [](error_code, pid) {});
    sim.run_until_idle();
    look();
    REQUIRE(box);
    CHECK(box->outside == 1);  // who asks can wait
    CHECK(events.dead.size() == 990);
}
