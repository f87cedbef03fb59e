// SPDX-License-Identifier: MIT

// Flow control between strands: what a full ring holds back, and what it does not.

#include <costar/core/strand.hpp>

#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

using costar::parcel;
using costar::strand_context;
using costar::task;
using support::manual_strands;
using support::numbered;
using support::tiny;
using namespace std::chrono_literals;

void burst(strand_context& from, strand_context& to, std::uint64_t count)
{
    for (std::uint64_t i = 0; i < count; ++i)
        from.send(to, numbered(i));
}

/// A root with a mailbox as an actor has one: each of its runs takes one message.
class mailbox_root final : public costar::root_scope, public costar::run_node, public costar::task_owner {
public:
    explicit mailbox_root(strand_context& home) : root_scope(home), body_(run(*this))
    {
        body_.promise().start_under(*this, *this);
        waiter = &body_.promise();
        set_receptive(true);
    }

    void put(bool is_borne)
    {
        home().message_queued(*this);
        waiting_.push_back(is_borne);
        if (is_borne)
            home().message_borne(*this);
        if (!is_ready_) {
            is_ready_ = true;
            home().make_ready(*this);
        }
    }

    std::function<void()> on_message;
    int handled = 0;

    void task_ended(costar::promise_base&) noexcept override {}

private:
    static task<> run(mailbox_root& self)
    {
        struct turn_end {
            mailbox_root& self;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<>) const noexcept
            {
                self.is_ready_ = self.queued() != 0;
                if (self.is_ready_)
                    self.home().make_ready(self);
            }
            void await_resume() const noexcept {}
        };
        for (;;) {
            self.home().message_taken(self);
            if (self.waiting_.front())
                self.home().borne_message_taken(self);
            self.waiting_.pop_front();
            ++self.handled;
            if (self.on_message)
                self.on_message();
            co_await turn_end{self};
        }
    }

    std::deque<bool> waiting_;  // the messages: whether each is borne
    bool is_ready_ = false;
    task<> body_;
};

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
    costar::run_node* waiting = nullptr;
    int resumed = 0;
    struct answer {
        costar::run_node node;
        costar::run_node*& waiting;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<costar::task_promise<void>> caller) noexcept
        {
            node.waiter = &caller.promise();
            waiting = &node;
        }
        void await_resume() const noexcept {}
    };
    auto asker =
        strands.start([](manual_strands& strands, costar::run_node*& waiting, int& resumed) -> task<> {
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

TEST_CASE("parking: who floods the inbox of another strand waits until the most is done, or a millisecond",
    "[core][parking]")
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
    SECTION("a millisecond")
    {
        for (int i = 1; i <= 16; ++i) {
            strands.clock().advance(1ms);
            strands[0].turn();
            strands[0].turn();
            CHECK(flooding.handled == 4 + i);
        }
        strands.run();
    }
    SECTION("the most is done")
    {
        while (!strands[0].has_work())
            strands[1].turn();
        CHECK(done > 2000);
        CHECK(done <= 20'000 - 16'384 + 256 * 64);
        strands[0].turn();
        CHECK(flooding.handled > 4);
        strands.run();
    }
    CHECK(flooding.handled == 20);
    CHECK(done == 100'000);
    strands[0].forget(flooding);
}

TEST_CASE("strand: what runs on it does not keep it from what comes from outside", "[core][strand]")
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

TEST_CASE("strand: takes no more than its backlog of messages that wait for the processor", "[core][strand]")
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

TEST_CASE("strand: messages of its own let no more of a flood into a mailbox", "[core][strand]")
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

TEST_CASE("strand: where there is room for one, each ring and each thread has its turn", "[core][strand]")
{
    manual_strands strands(3, tiny(64, 1));
    mailbox_root mailbox(strands[2]);
    strands.receiver(2).on_receive = [&](std::uint64_t) { mailbox.put(true); };
    for (std::uint64_t from = 0; from < 2; ++from) {
        strands[from].post([&strands, from] {
            for (std::uint64_t i = 0; i < 20; ++i)
                strands[from].send(strands[2], numbered(from));
        });
        strands[from].turn();
    }
    std::thread([&] {
        for (std::uint64_t i = 0; i < 20; ++i)
            CHECK(strands[2].send_from_outside(numbered(2)));
    }).join();
    strands.run();
    REQUIRE(strands.receiver(2).received.size() == 60);

    const auto& got = strands.receiver(2).received;
    for (std::uint64_t from = 0; from < 3; ++from)
        CHECK(std::count(got.begin(), got.begin() + 30, from) >= 7);
    strands[2].forget(mailbox);
}

TEST_CASE("strand: threads keep the order of what was sent before their start, by them, and after their end",
    "[core][strand]")
{
    manual_strands strands(1, tiny(64, GENERATE(1, 2048)));
    mailbox_root mailbox(strands[0]);
    strands.receiver(0).on_receive = [&](std::uint64_t) { mailbox.put(true); };
    std::thread([&] {
        CHECK(strands[0].send_from_outside(numbered(0)));  // its queue is known first
        std::thread([&] {
            std::thread([&] {
                for (int i = 0; i < 300; ++i)
                    CHECK(strands[0].send_from_outside(numbered(1)));
            }).join();
            for (int i = 0; i < 300; ++i)
                CHECK(strands[0].send_from_outside(numbered(2)));
        }).join();
        CHECK(strands[0].send_from_outside(numbered(3)));
        strands.run();
    }).join();

    const auto& got = strands.receiver(0).received;
    REQUIRE(got.size() == 602);
    CHECK(std::is_sorted(got.begin(), got.end()));
    strands[0].forget(mailbox);
}

TEST_CASE("strand: siblings begin in the order of their births, and trees one branch after the other",
    "[core][strand]")
{
    struct birth final : costar::root_scope, costar::run_node, costar::task_owner {
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
        void task_ended(costar::promise_base&) noexcept override {}
        task<> body;
    };
    manual_strands strands;
    std::vector<std::unique_ptr<birth>> all;
    const auto bear = [&](std::function<void()> work, birth* elder = nullptr) {
        birth& made = *all.emplace_back(std::make_unique<birth>(strands[0], std::move(work)));
        strands[0].make_fresh(made, made, elder != nullptr && elder->is_unborn() ? elder : nullptr);
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

TEST_CASE("strand: deadlines of what waits in a long line pass", "[core][strand]")
{
    struct timed : costar::timer_node {
        bool fired = false;
    };
    manual_strands strands(2, tiny(64, 1));
    mailbox_root mailbox(strands[0]);
    strands.receiver(0).on_receive = [&](std::uint64_t) { mailbox.put(true); };
    mailbox.on_message = [&] { mailbox.put(true); };
    timed deadline;
    deadline.fire = [](costar::timer_node* timer) { static_cast<timed*>(timer)->fired = true; };
    deadline.due = strands.clock().now() + 1'000'000;
    bool ran = false;
    std::thread([&] {
        for (int i = 0; i < 5000; ++i)
            CHECK(strands[0].send_from_outside(numbered(1)));
        strands[0].post_in_line(costar::make_job([&] { ran = true; }), &deadline);
        strands[0].step();
        strands.clock().advance(1ms);
        strands[0].step();
        strands[0].step();
    }).join();

    CHECK_FALSE(ran);
    CHECK(deadline.fired);
    strands[0].forget(mailbox);
    strands[0].withdraw(mailbox);
}
