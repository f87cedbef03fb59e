// SPDX-License-Identifier: MIT

#include <costar/core/run_queue.hpp>

#include <costar/core/strand.hpp>
#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include "mailbox_root.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace {

using costar::machine::strand_context;
using costar::task;
using support::mailbox_root;
using support::manual_strands;
using support::numbered;
using support::tiny;

void burst(strand_context& from, strand_context& to, std::uint64_t count)
{
    for (std::uint64_t i = 0; i < count; ++i)
        from.send(to, numbered(i));
}

}  // namespace

TEST_CASE("run_queue: the last of the ready can be withdrawn, and others follow", "[core][run_queue]")
{
    manual_strands strands;
    costar::machine::run_node first;
    costar::machine::run_node last;
    strands[0].make_ready(first);
    strands[0].make_ready(last);

    strands[0].withdraw(last);
    strands[0].withdraw(first);

    CHECK_FALSE(strands[0].has_work());
    bool ran = false;
    strands.start([](bool& ran) -> task<> {
        ran = true;
        co_return;
    }(ran));
    strands.run();
    CHECK(ran);
}

TEST_CASE("run_queue: siblings begin in the order of their births, and trees one branch after the other",
    "[core][run_queue]")
{
    struct birth final : costar::machine::root_scope, costar::machine::run_node, costar::machine::task_owner {
        birth(strand_context& home, std::function<void()> work) : root_scope(home), body(run(std::move(work)))
        {
            body.promise().start_under(*this, *this);
            waiter = &body.promise();
        }
        static task<> run(std::function<void()> work)
        {
            work();
            co_return;
        }
        void task_ended(costar::machine::promise_base&) noexcept override {}
        task<> body;
    };
    manual_strands strands;
    std::vector<std::unique_ptr<birth>> all;
    const auto bear = [&](std::function<void()> work, birth* elder = nullptr) {
        birth& made = *all.emplace_back(std::make_unique<birth>(strands[0], std::move(work)));
        if (elder != nullptr && elder->is_unborn())
            strands[0].make_fresh_behind(*elder, *elder, made, made);
        else
            strands[0].make_fresh(made, made);
        return &made;
    };

    SECTION("a tree")
    {
        std::vector<int> order;
        const auto parent = [&](int number) {
            return [&, number] {
                order.push_back(number);
                birth* elder = nullptr;
                for (int child = 1; child <= 3; ++child)
                    elder = bear([&, id = number * 10 + child] { order.push_back(id); }, elder);
            };
        };
        birth* first = bear(parent(1));
        bear(parent(2), first);

        strands.run();

        CHECK(order == std::vector<int>{1, 11, 12, 13, 2, 21, 22, 23});
    }
    SECTION("an elder that waits long is not forgotten for the younger")
    {
        int generations = 0;
        int begun_at = 0;
        std::function<void()> breed = [&] {
            if (++generations < 10'000)
                bear(breed);
        };
        bear([&] {
            birth* chain = bear(breed);
            bear([&] { begun_at = generations; }, chain);
        });

        strands.run();

        CHECK(generations == 10'000);
        CHECK(begun_at <= 2 * (strand_context::births_in_a_row + 1));
    }
    SECTION("one that is withdrawn leaves the others in their order")
    {
        std::vector<int> order;
        birth* one = bear([&] { order.push_back(1); });
        birth* two = bear([&] { order.push_back(2); }, one);
        birth* three = bear([&] { order.push_back(3); }, two);
        strands[0].withdraw(*three);
        strands[0].withdraw(*one);
        bear([&] { order.push_back(4); }, two);

        strands.run();

        CHECK(order == std::vector<int>{2, 4});
    }
}

TEST_CASE("run_queue: an order that was chosen by a seed is the same for the same seed", "[core][run_queue]")
{
    const auto run = [](std::uint64_t seed) {
        manual_strands strands;
        costar::random_source source(seed);
        strands[0].choose_order_by(source);
        std::vector<int> order;
        for (int i = 0; i < 8; ++i)
            strands.start([](int number, std::vector<int>& order) -> task<> {
                co_await costar::yield();
                order.push_back(number);
            }(i, order));
        strands.run();
        return order;
    };

    CHECK(run(1).size() == 8);
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
}

TEST_CASE(
    "run_queue: takes no more than its backlog of messages that wait for the processor", "[core][run_queue]")
{
    manual_strands strands(2, tiny(64, 4));
    mailbox_root mailbox(strands[1]);
    strands.receiver(1).on_receive = [&](std::uint64_t) { mailbox.put(true); };
    strands[0].post([&] { burst(strands[0], strands[1], 20); });
    strands[0].turn();

    strands[1].step();
    const auto taken = strands.receiver(1).received.size();
    strands.run();

    CHECK(taken == 4);
    CHECK(mailbox.handled == 20);
    strands[1].forget(mailbox);
}

TEST_CASE("run_queue: messages of its own let no more of a flood into a mailbox", "[core][run_queue]")
{
    manual_strands strands(2, tiny(8, 64));
    mailbox_root flooded(strands[0]);
    strands.receiver(0).on_receive = [&](std::uint64_t) { flooded.put(true); };
    flooded.on_message = [&] {
        if (flooded.handled % 4 == 0)
            flooded.put(false);
    };
    std::uint32_t most = 0;
    for (int i = 0; i < 10'000; ++i) {
        strands[1].post([&] { burst(strands[1], strands[0], 2); });
        strands[1].turn();
        strands[0].step();
        most = std::max(most, flooded.queued());
    }

    CHECK(flooded.handled == 10'000);
    CHECK(most <= 64 + 64 / 3 + 1);  // the backlog, and its own: one of four
    strands[0].forget(flooded);
    strands[0].withdraw(flooded);
}

TEST_CASE("run_queue: what runs on it does not keep it from what comes from outside", "[core][run_queue]")
{
    // Thousands of coroutines are ready all the time, and the mailbox of one is longer than any backlog.
    manual_strands strands(2, tiny(8, 4));
    int rounds = 0;
    bool is_over = false;
    for (int i = 0; i < 3000; ++i)
        strands.start([](int& rounds, bool& is_over) -> task<> {
            while (!is_over) {
                ++rounds;
                co_await costar::yield();
            }
        }(rounds, is_over));
    mailbox_root crowded(strands[0]);
    for (int i = 0; i < 3000; ++i)
        crowded.put(false);
    for (int i = 0; i < 100; ++i)
        strands[0].step();
    strands[1].post([&] { burst(strands[1], strands[0], 4); });
    strands[1].turn();
    std::thread([&] { CHECK(strands[0].send_from_outside(numbered(7))); }).join();

    strands[0].step();

    CHECK(strands.receiver(0).received.size() == 5);
    is_over = true;
    strands[0].forget(crowded);
    strands[0].withdraw(crowded);
    strands.run();
}
