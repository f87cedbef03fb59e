// SPDX-License-Identifier: MIT

#include <costar/kernel/mailbox_order.hpp>

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

TEST_CASE("mailbox_order: takes by priority, and in order within a level", "[kernel][mailbox_order]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(boxed({.by_priority = true}), gated, &seen);
    sim.run_until_idle();
    const std::vector<std::pair<int, int>> sent{{4, 0}, {0, 1}, {7, 2}, {4, 3}, {99, 4}, {-5, 5}, {7, 6}};
    for (const auto& [urgency, value] : sent)
        sim.send(actor, parcel_of{urgency, value});
    sim.send(actor, number{7});  // has no priority of its own
    sim.send(actor, gate{});
    sim.run_until_idle();

    CHECK(seen == std::vector{2, 4, 6, 0, 3, 7, 1, 5});
}

TEST_CASE("mailbox_order: behaves as a stable sort by level", "[kernel][mailbox_order]")
{
    CHECK(rc::check("mailbox_order keeps levels and order", [](const std::vector<std::uint8_t>& actions) {
        simulation sim;
        std::vector<int> seen;
        std::vector<std::pair<int, int>> model;
        std::vector<int> expected;
        const pid actor = sim.engine().spawn(
            boxed({.by_priority = true}),
            [](context& self, std::vector<int>* seen) -> task<> {
                // Takes one message for each `gate`, which comes before everything by being asked for.
                while (co_await self.receive<gate>()) {
                    if (auto message = self.try_receive())
                        message.match([&](parcel_of& m) { seen->push_back(m.number); }, [](gate&) {});
                }
            },
            &seen);
        sim.run_until_idle();
        int count = 0;
        for (const std::uint8_t action : actions) {
            if (action % 3 != 0) {
                const int level = action % 8;
                sim.send(actor, parcel_of{level, count});
                model.emplace_back(level, count++);
            } else {
                sim.send(actor, gate{});
                const auto first = std::max_element(model.begin(), model.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
                if (first != model.end()) {
                    expected.push_back(first->second);
                    model.erase(first);
                }
            }
            sim.run_until_idle();
        }
        RC_ASSERT(seen == expected);
    }));
}

TEST_CASE("mailbox_order: what an actor was woken for is not taken away", "[kernel][mailbox_order]")
{
    simulation sim(GENERATE(range(1U, 20U)));
    const bool by_type = GENERATE(true, false);
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        boxed({.limit = 1, .when_full = overflow::drop_oldest}),
        [](context& self, bool by_type, std::vector<int>* seen) -> task<> {
            for (;;) {
                auto message = by_type ? co_await self.receive<number>() : co_await self.receive();
                if (!message)
                    co_return;
                message.match([&](number& m) { seen->push_back(m.value); }, [](parcel_of&) {});
            }
        },
        by_type, &seen);
    sim.run_until_idle();
    // From one turn of a neighbour, so that nothing runs in between.
    sim.engine().spawn(
        on(0),
        [](context& self, pid to) -> task<> {
            self.send(to, number{1});
            for (int i = 0; i < 3; ++i)
                self.send(to, parcel_of{});
            co_return;
        },
        actor);
    sim.run_until_idle();

    CHECK(seen == std::vector{1});
    CHECK(sim.engine().figures().live == 1);
    CHECK(sim.engine().figures().dropped >= 2);
}

TEST_CASE("mailbox_order: news that an actor was woken for are not withdrawn", "[kernel][mailbox_order]")
{
    simulation sim(GENERATE(range(1U, 20U)));
    const pid watched = sim.engine().spawn(on(0), helper);
    int ended = 0;
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, pid watched, int* ended) -> task<> {
            self.watch(watched);
            self.spawn_task([](context& self, pid watched) -> task<> {
                co_await self.wait(watched);
                self.unwatch(watched);
            }(self, watched));
            while (auto message = co_await self.receive())
                message.match([&](terminated&) { ++*ended; });
        },
        watched, &ended);
    sim.run_until_idle();
    sim.stop(watched);
    sim.run_until_idle();

    CHECK(ended <= 1);
    CHECK(sim.engine().station_at(0).find(actor) != nullptr);  // it lives
}

TEST_CASE("mailbox_order: by priority the least urgent is dropped", "[kernel][mailbox_order]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        boxed({.limit = 3, .when_full = overflow::drop_oldest, .by_priority = true}), gated, &seen);
    sim.run_until_idle();
    for (const parcel_of& each : {parcel_of{7, 1}, parcel_of{1, 2}, parcel_of{1, 3}, parcel_of{5, 4}})
        sim.send(actor, each);
    sim.run_until_idle();
    sim.send(actor, parcel_of{6, 5});
    sim.send(actor, gate{});
    sim.run_until_idle();

    CHECK(seen == std::vector{1, 5});  // the gate needed a place too
}

TEST_CASE("mailbox_order: drops by priority as a list of levels does", "[kernel][mailbox_order]")
{
    CHECK(rc::check("a full mailbox by priority", [](std::vector<std::uint8_t> urgencies) {
        constexpr std::size_t limit = 8;
        simulation sim;
        std::vector<int> seen;
        const pid actor = sim.engine().spawn(
            boxed({.limit = limit, .when_full = overflow::drop_oldest, .by_priority = true}), gated, &seen);
        sim.run_until_idle();
        std::vector<parcel_of> list;
        int next = 0;
        for (const std::uint8_t each : urgencies) {
            const parcel_of sent{each % 8, ++next};
            sim.send(actor, sent);
            sim.run_until_idle();
            if (list.size() == limit)
                list.erase(std::min_element(list.begin(), list.end(),
                    [](const auto& one, const auto& other) { return one.urgency < other.urgency; }));
            list.push_back(sent);
        }
        if (list.size() == limit)  // the gate needs a place too
            list.erase(std::min_element(list.begin(), list.end(),
                [](const auto& one, const auto& other) { return one.urgency < other.urgency; }));
        sim.send(actor, gate{});
        sim.run_until_idle();
        std::sort(list.begin(), list.end(), [](const auto& one, const auto& other) {
            return std::pair(-one.urgency, one.number) < std::pair(-other.urgency, other.number);
        });
        std::vector<int> expected;
        for (const parcel_of& each : list)
            expected.push_back(each.number);
        RC_ASSERT(seen == expected);
    }));
}

TEST_CASE("mailbox_order: the long way is left when few wait", "[kernel][mailbox_order]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, std::vector<int>* seen) -> task<> {
            co_await self.receive<gate>();
            self.stash(co_await self.receive());
            while (auto message = co_await self.receive())
                message.match([&](number& m) {
                    seen->push_back(m.value);
                    if (m.value == 30)
                        self.unstash();
                });
        },
        &seen);
    sim.run_until_idle();
    for (int i = 1; i <= 50; ++i)
        sim.send(actor, number{i});
    sim.send(actor, gate{});
    sim.run_until_idle();

    std::vector<int> expected;
    for (int i = 2; i <= 50; ++i) {
        expected.push_back(i);
        if (i == 30)
            expected.push_back(1);
    }
    CHECK(seen == expected);
    CHECK_FALSE(sim.engine().station_at(0).find(actor)->has_extras);
}

TEST_CASE("mailbox_order: control between other messages comes first once there is an order",
    "[kernel][mailbox_order]")
{
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        on(0),
        [](context& self, std::vector<int>* seen) -> task<> {
            if (!co_await self.receive<gate>())
                co_return;
            while (auto message = co_await self.receive())
                message.match(
                    [&](number& m) { seen->push_back(m.value); }, [&](terminated&) { seen->push_back(0); });
        },
        &seen);
    sim.run_until_idle();
    sim.send(actor, number{1});
    sim.send(actor, terminated{});
    sim.send(actor, number{2});
    sim.run_until_idle();
    cell& self = *sim.engine().station_at(0).find(actor);
    self.extras_made();  // as for headers, or for a watched actor that ends
    sim.send(actor, number{3});
    sim.send(actor, gate{});
    sim.run_until_idle();

    CHECK(seen == std::vector{0, 1, 2, 3});
    CHECK_FALSE(self.has_extras);  // nothing needs the long way any more
}

TEST_CASE("mailbox_order: a priority that throws is an ordinary one", "[kernel][mailbox_order]")
{
    struct moody {
        int number = 0;
        int priority() const { throw std::runtime_error("do not ask me"); }
    };
    simulation sim;
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(
        boxed({.by_priority = true}),
        [](context& self, std::vector<int>* seen) -> task<> {
            if (!co_await self.receive<gate>())
                co_return;
            while (auto message = co_await self.receive())
                message.match([&](moody& m) { seen->push_back(m.number); },
                    [&](parcel_of& m) { seen->push_back(m.number); });
        },
        &seen);
    sim.send(actor, parcel_of{3, 1});
    sim.send(actor, moody{2});
    sim.send(actor, parcel_of{5, 3});
    sim.send(actor, gate{});
    sim.run_until_idle();
    CHECK(seen == std::vector{3, 2, 1});
}
