// SPDX-License-Identifier: MIT

// Flow control between strands: what a full ring holds back, and what it does not.

#include <costar/core/strand_context.hpp>

#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include "mailbox_root.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

using costar::machine::parcel;
using costar::machine::strand_context;
using costar::task;
using support::mailbox_root;
using support::manual_strands;
using support::numbered;
using support::tiny;
using support::tracked;
using namespace std::chrono_literals;

void send(strand_context& from, strand_context& to, std::uint64_t number)
{
    from.send(to, numbered(number));
}

void burst(strand_context& from, strand_context& to, std::uint64_t count)
{
    for (std::uint64_t i = 0; i < count; ++i)
        from.send(to, numbered(i));
}

}  // namespace

TEST_CASE(
    "parking: a root that was parked is on time for all that has a time, and for a stop", "[core][parking]")
{
    manual_strands strands(2, tiny(4));
    const auto sleeps = GENERATE(true, false);
    auto sleeper = strands.start([](manual_strands& strands, bool sleeps) -> task<std::chrono::nanoseconds> {
        burst(strands[0], strands[1], 1000);
        if (sleeps)
            co_await costar::sleep_for(10ms);
        else
            co_await costar::as_result(costar::with_timeout(10ms, costar::sleep_for(1h)));
        co_return strands.now();
    }(strands, sleeps));
    auto stopped = strands.start([](manual_strands& strands) -> task<> {
        burst(strands[0], strands[1], 1000);
        for (;;)
            co_await costar::sleep_for(0ns);
    }(strands));
    strands[0].turn();
    stopped->cancel();
    strands[0].turn();

    strands.clock().advance(10ms);
    strands[0].turn();  // the other strand has not run at all

    CHECK(stopped->has_ended());
    CHECK(sleeper->get() == 10ms);
}

TEST_CASE("parking: a parked root gets its answers, but not without end", "[core][parking]")
{
    manual_strands strands(2, tiny(4));
    costar::machine::run_node* waiting = nullptr;
    int resumed = 0;
    struct answer {
        costar::machine::run_node node;
        costar::machine::run_node*& waiting;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<costar::machine::task_promise<void>> caller) noexcept
        {
            node.waiter = &caller.promise();
            waiting = &node;
        }
        void await_resume() const noexcept {}
    };
    auto asker = strands.start(
        [](manual_strands& strands, costar::machine::run_node*& waiting, int& resumed) -> task<> {
            for (;;) {
                burst(strands[0], strands[1], 5);
                co_await answer{{}, waiting};
                ++resumed;
            }
        }(strands, waiting, resumed));
    strands[0].turn();

    for (int i = 0; i < 100 && waiting != nullptr; ++i) {
        strands[0].make_ready(*std::exchange(waiting, nullptr));
        strands[0].turn();
    }

    CHECK(resumed > 3);
    CHECK(resumed < 50);
    strands.run();
    CHECK(waiting != nullptr);  // with room it went on
    strands[0].make_ready(*waiting);
    asker->cancel();
}

TEST_CASE(
    "parking: who adds to a flood whenever its time has come is held back like others", "[core][parking]")
{
    manual_strands strands(2, tiny(4));
    int resumed = 0;
    auto pausing = strands.start([](manual_strands& strands, int& resumed) -> task<> {
        for (;;) {
            burst(strands[0], strands[1], 5);
            co_await costar::sleep_for(1us);
            ++resumed;
        }
    }(strands, resumed));
    for (int i = 0; i < 100; ++i) {
        strands.clock().advance(1ms);
        strands[0].turn();
    }

    CHECK(resumed >= 2);
    CHECK(resumed < 5);
    const int before = resumed;
    for (int i = 0; i < 100; ++i) {
        strands.clock().advance(1ms);
        strands[1].turn();
        strands[0].turn();
    }
    CHECK(resumed > before + 5);
    pausing->cancel();
    strands.run();
}

TEST_CASE("parking: who makes handlers whenever its time has come is held back", "[core][parking]")
{
    manual_strands strands(1);
    int made = 0;
    int done = 0;
    int most = 0;
    auto pausing = strands.start([](strand_context& strand, int& made, int& done, int& most) -> task<> {
        for (;;) {
            for (int i = 0; i < 1000; ++i)
                strand.post([&done] { ++done; });
            most = std::max(most, (made += 1000) - done);
            co_await costar::sleep_for(1ns);
        }
    }(strands[0], made, done, most));
    for (int i = 0; i < 3000; ++i) {
        strands.clock().advance(1us);
        strands[0].step();
    }
    CHECK(most <= static_cast<int>(strand_context::work_max) + 5 * 1000);
    pausing->cancel();
    strands.run();
}

TEST_CASE("parking: who makes too much work and ends does not set another one free", "[core][parking]")
{
    manual_strands strands(1);
    int made = 0;
    int done = 0;
    int most = 0;
    const auto makes = [&](int count) {
        for (int i = 0; i < count; ++i)
            strands[0].post([&done] { ++done; });
        most = std::max(most, (made += count) - done);
    };
    alignas(mailbox_root) std::byte place[sizeof(mailbox_root)];
    auto* ending = ::new (place) mailbox_root(strands[0]);
    ending->on_message = [&] {
        makes(5000);
        strands[0].forget(*ending);
    };
    ending->put(false);
    strands[0].step();
    while (ending->handled == 0)
        strands[0].step();
    ending->~mailbox_root();
    auto* second = ::new (place) mailbox_root(strands[0]);
    second->on_message = [&] { makes(100); };
    for (int i = 0; i < 1000; ++i)
        second->put(false);
    strands.run();

    CHECK(done == 5000 + 100'000);
    CHECK(most <= static_cast<int>(strand_context::work_max) + 5000 + 200);
    strands[0].forget(*second);
    second->~mailbox_root();
}

TEST_CASE("parking: who has flooded one inbox does not wait for another", "[core][parking]")
{
    manual_strands strands(3);
    mailbox_root first(strands[0]);
    mailbox_root second(strands[0]);
    int done = 0;
    first.on_message = [&] {
        for (int i = 0; i < 20'000; ++i)
            strands[1].post([&done] { ++done; });
    };
    second.on_message = [&] {
        for (int i = 0; i < 20'000; ++i)
            strands[2].post([&done] { ++done; });
    };
    first.put(false);
    first.put(false);
    second.put(false);
    second.put(false);
    for (int i = 0; i < 10; ++i)
        strands[0].turn();
    CHECK(first.handled == 1);
    CHECK(second.handled == 1);

    for (int i = 0; i < 100 && first.handled == 1; ++i) {
        strands[1].turn();
        strands[0].turn();
    }
    CHECK(first.handled == 2);
    CHECK(second.handled == 1);
    strands.run();
    CHECK(second.handled == 2);
    strands[0].forget(first);
    strands[0].forget(second);
}

TEST_CASE("parking: handlers that stand on a strand for ever keep nobody waiting who posts there",
    "[core][parking]")
{
    manual_strands strands(2);
    bool over = false;
    struct standing {
        strand_context* strand;
        bool* over;
        void operator()() const
        {
            if (!*over)
                strand->post(standing(*this));
        }
    };
    for (int i = 0; i < 20'000; ++i)
        strands[1].post(standing{&strands[1], &over});
    for (int i = 0; i < 100; ++i)
        strands[1].step();  // the clock stands still, and a turn would not end
    mailbox_root poster(strands[0]);
    int done = 0;
    poster.on_message = [&] { strands[1].post([&done] { ++done; }); };
    for (int i = 0; i < 100; ++i)
        poster.put(false);
    for (int i = 0; i < 300; ++i) {
        strands[0].turn();
        strands[1].step();
    }

    CHECK(poster.handled == 100);
    CHECK(done == 100);
    over = true;
    strands.run();
    strands[0].forget(poster);
}

TEST_CASE("parking: who waits for one ring does not wait for another", "[core][parking]")
{
    manual_strands strands(3, tiny(4));
    const auto sender = [](manual_strands& strands, std::size_t to, bool& done) -> task<> {
        burst(strands[0], strands[to], 10);
        co_await costar::yield();
        done = true;
    };
    bool slow_done = false;
    bool fast_done = false;
    strands.start(sender(strands, 1, slow_done));
    strands.start(sender(strands, 2, fast_done));
    strands[0].turn();
    CHECK_FALSE(fast_done);

    for (int i = 0; i < 4; ++i) {
        strands[2].turn();
        strands[0].turn();
    }

    CHECK(fast_done);
    CHECK_FALSE(slow_done);
    strands.run();
    CHECK(slow_done);
}

TEST_CASE("parking: who has filled two rings waits for both", "[core][parking]")
{
    manual_strands strands(3, tiny(4));
    bool done = false;
    strands.start([](manual_strands& strands, bool& done) -> task<> {
        burst(strands[0], strands[1], 10);
        burst(strands[0], strands[2], 10);
        co_await costar::yield();
        done = true;
    }(strands, done));
    strands[0].turn();

    for (int i = 0; i < 4; ++i) {
        strands[2].turn();
        strands[0].turn();
    }
    CHECK_FALSE(done);
    strands.run();

    CHECK(done);
}

TEST_CASE(
    "parking: two strands that flood each other while others are ready come to an end", "[core][parking]")
{
    // Each message that an actor handles is answered by two for a while: both rings fill, both actors are
    // parked with long mailboxes, and something else is ready on both strands all the time.
    const auto backlog = GENERATE(1, 4, 2048);
    manual_strands strands(2, tiny(2, backlog));
    mailbox_root actors[] = {mailbox_root(strands[0]), mailbox_root(strands[1])};
    int left = 2000;
    for (std::size_t i = 0; i < 2; ++i) {
        strands.receiver(i).on_receive = [&actors, i](std::uint64_t) { actors[i].put(true); };
        actors[i].on_message = [&strands, &left, i] {
            for (int k = 0; k < 2 && left > 0; ++k, --left)
                strands[i].send(strands[1 - i], numbered(1));
        };
        strands[i].post([&, i] { burst(strands[i], strands[1 - i], 50); });
        strands.start(
            [](int& left) -> task<> {
                while (left > 0)
                    co_await costar::yield();
            }(left),
            i);
    }

    for (int turns = 0; turns < 20'000 && actors[0].handled + actors[1].handled < 2100; ++turns) {
        strands[0].step();
        strands[1].step();
    }

    CHECK(actors[0].handled + actors[1].handled == 2100);
    for (std::size_t i = 0; i < 2; ++i)
        strands[i].forget(actors[i]);
}

TEST_CASE("parking: who floods a strand of another engine goes on once in a millisecond", "[core][parking]")
{
    manual_strands mine;
    manual_strands other;
    mailbox_root flooding(mine[0]);
    int each = 10'000;
    flooding.on_message = [&] {
        for (int i = 0; i < each; ++i)
            CHECK(other[0].send_from_outside(numbered(1)));
    };
    for (int i = 0; i < 10; ++i)
        flooding.put(false);
    auto sleeper = mine.start([]() -> task<> { co_await costar::sleep_for(100us); }());

    mine[0].turn();
    mine[0].turn();
    CHECK(flooding.handled == 1);
    mine.clock().advance(500us);
    mine[0].turn();
    CHECK(sleeper->has_ended());  // nobody else waits
    CHECK(flooding.handled == 1);
    mine.clock().advance(1ms);
    mine[0].turn();
    CHECK(flooding.handled == 2);

    each = 1;
    other.run();
    mine.clock().advance(1ms);
    mine[0].turn();

    CHECK(flooding.handled == 10);
    other.run();
    CHECK(other.receiver(0).received.size() == 20'008);
    mine[0].forget(flooding);
}

TEST_CASE("parking: who floods the inbox of another strand waits until the most is done", "[core][parking]")
{
    manual_strands strands(2);
    mailbox_root flooding(strands[0]);
    int done = 0;
    flooding.on_message = [&] {
        for (int i = 0; i < 5000; ++i)
            strands[1].post([&done] { ++done; });
    };
    for (int i = 0; i < 20; ++i)
        flooding.put(false);

    for (int i = 0; i < 5; ++i)
        strands[0].turn();
    CHECK(flooding.handled == 4);  // 20,000 jobs
    CHECK_FALSE(strands[0].has_work());
    for (int i = 1; i <= 16; ++i) {
        strands.clock().advance(1ms);
        strands[0].turn();
        strands[0].turn();
        CHECK(flooding.handled == 4);
    }
    SECTION("it is told")
    {
        while (!strands[0].has_work())
            strands[1].turn();
        CHECK(done > 2000);
        CHECK(done <= 20'000 - 16'384 + 256 * 64);
        strands[0].turn();
        CHECK(flooding.handled > 4);
    }
    SECTION("it looks again, should it not have been told")
    {
        for (int i = 0; i < 100; ++i)
            strands[1].turn();
        strands.clock().advance(1ms);
        strands[0].turn();
        strands[0].turn();
        CHECK(flooding.handled > 4);
    }
    strands.run();
    CHECK(flooding.handled == 20);
    CHECK(done == 100'000);
    strands[0].forget(flooding);
}

TEST_CASE("parking: who posts more handlers to its own strand than that runs is held back", "[core][parking]")
{
    constexpr int each = 1000;
    manual_strands strands(1);
    mailbox_root maker(strands[0]);
    int made = 0;
    int done = 0;
    int waited = 0;  // at most
    maker.on_message = [&] {
        for (int i = 0; i < each; ++i)
            strands[0].post([&done] { ++done; });
        made += each;
        waited = std::max(waited, made - done);
    };
    for (int i = 0; i < 1000; ++i)
        maker.put(false);
    strands.run();

    CHECK(maker.handled == 1000);
    CHECK(done == 1000 * each);
    CHECK(waited <= static_cast<int>(strand_context::work_max) + 2 * each);
    strands[0].forget(maker);
}

TEST_CASE("parking: the root that sends into a full ring is parked, and goes on when there is room",
    "[core][parking]")
{
    manual_strands strands(2, tiny(4));
    int sent = 0;
    int other = 0;
    auto sender = strands.start([](manual_strands& strands, int& sent) -> task<> {
        for (std::uint64_t i = 0; i < 20; ++i) {
            send(strands[0], strands[1], i);
            ++sent;
            co_await costar::yield();
        }
    }(strands, sent));
    auto bystander = strands.start([](int& other) -> task<> {
        for (int i = 0; i < 10; ++i) {
            ++other;
            co_await costar::yield();
        }
    }(other));

    strands[0].turn();
    CHECK(sent == 5);  // four in the ring, one beside it
    CHECK(other == 10);
    CHECK_FALSE(strands[0].has_work());
    strands[1].turn();
    CHECK(strands[0].has_work());
    strands.run();

    CHECK(sent == 20);
    CHECK(sender->has_ended());
    CHECK(bystander->has_ended());
    CHECK(strands.receiver(1).received.size() == 20);
    CHECK(std::is_sorted(strands.receiver(1).received.begin(), strands.receiver(1).received.end()));
}

TEST_CASE("parking: a parked task can be cancelled, and destroyed where it is", "[core][parking]")
{
    int alive = 0;
    {
        manual_strands strands(2, tiny(1));
        const auto body = [](manual_strands& strands, tracked) -> task<> {
            for (std::uint64_t i = 0;; ++i) {
                send(strands[0], strands[1], i);
                send(strands[0], strands[1], i);
                co_await costar::sleep_for(1ms);
            }
        };
        auto cancelled = strands.start(body(strands, tracked(alive)));
        strands.start(body(strands, tracked(alive)));
        strands[0].turn();
        cancelled->cancel();
        strands[0].turn();
        CHECK(cancelled->code() == costar::errc::cancelled);
        CHECK(alive == 1);
    }

    CHECK(alive == 0);
}
