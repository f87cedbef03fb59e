// SPDX-License-Identifier: MIT

// How parcels come to a strand: from its siblings, and from threads that belong to none.

#include <costar/core/strand_context.hpp>

#include <costar/core/timer.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include "mailbox_root.hpp"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using costar::machine::parcel;
using costar::machine::strand_context;
using costar::task;
using support::mailbox_root;
using support::manual_strands;
using support::numbered;
using support::tiny;
using namespace std::chrono_literals;

void send(strand_context& from, strand_context& to, std::uint64_t number)
{
    from.send(to, numbered(number));
}

}  // namespace

TEST_CASE("ways: parcels arrive in order, jobs in line among them, and what was posted first before",
    "[core][ways]")
{
    manual_strands strands(2);
    std::vector<std::uint64_t>& got = strands.receiver(1).received;
    strands[0].post([&] {
        strands[1].post([&] { got.push_back(100); });
        strands[0].send(strands[1], numbered(1));
        strands[1].post_in_line(costar::machine::make_job([&] { got.push_back(101); }));
        strands[0].send(strands[1], numbered(2));
    });

    strands.run();

    CHECK(got == std::vector<std::uint64_t>{100, 1, 101, 2});
}

TEST_CASE("ways: parcels of a foreign thread arrive in order, after what it had posted", "[core][ways]")
{
    manual_strands strands;
    std::vector<std::uint64_t>& got = strands.receiver().received;
    std::thread([&] {
        strands[0].post([&] { got.push_back(1000); });
        for (std::uint64_t i = 0; i < 999; ++i)
            CHECK(strands[0].send_from_outside(numbered(i)));
    }).join();

    strands.run();

    REQUIRE(got.size() == 1000);
    CHECK(got.front() == 1000);
    CHECK(std::is_sorted(got.begin() + 1, got.end()));
}

TEST_CASE("ways: parcels that were not taken are discarded, each once", "[core][ways]")
{
    // Goal: nothing is lost when strands end in the middle. Method: leave parcels in rings, published or not,
    // in overflows and in a foreign thread's queue.
    int received = 0;
    int discarded = 0;
    class counting final : public costar::machine::parcel_receiver {
    public:
        counting(int& received, int& discarded) : received_(received), discarded_(discarded) {}
        void receive(parcel&) override { ++received_; }
        void discard(parcel&) noexcept override { ++discarded_; }
        void reap(costar::machine::run_node&) noexcept override {}

    private:
        int& received_;
        int& discarded_;
    };
    counting receiver(received, discarded);
    {
        costar::machine::scheduler_options options;
        options.strands = 2;
        options.turn = tiny(8);
        costar::machine::scheduler strands(costar::machine::scheduler::manual{}, options);
        strands.start({&receiver, &receiver});
        for (std::uint64_t i = 0; i < 5; ++i)
            CHECK(strands.at(0).send_from_outside(numbered(i)));
        strands.at(0).post([&] {
            for (std::uint64_t i = 0; i < 20; ++i)
                strands.at(0).send(strands.at(1), numbered(i));
        });
        strands.at(1).post([&] {
            strands.at(1).send(strands.at(0), numbered(1));
            throw std::runtime_error("before anything is published");
        });
        CHECK(strands.at(0).turn() == false);
        CHECK_THROWS(strands.at(1).turn());
    }

    CHECK(received + discarded == 26);
    CHECK(discarded >= 1);
}

TEST_CASE("ways: rings of any size go to rest", "[core][ways]")
{
    const std::size_t slots = GENERATE(1, 2, 3, 4, 8);
    manual_strands strands(3, tiny(slots));
    strands[0].post([&] {
        for (std::uint64_t i = 0; i < 10; ++i)
            strands[0].send(strands[1], numbered(i));
    });

    strands.run();

    CHECK(strands.receiver(1).received.size() == 10);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK_FALSE(strands[i].has_work());
}

TEST_CASE("ways: nothing is lost or reordered among three strands with tiny rings", "[core][ways]")
{
    const bool holds = rc::check("rings keep order", [] {
        const auto slots = *rc::gen::element<std::size_t>(1, 2, 4, 8);
        const auto backlog = *rc::gen::element<std::int64_t>(0, 1, 5, 2048);
        const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(0, 9), rc::gen::inRange(1, 12)));
        manual_strands strands(3, tiny(slots, backlog));
        std::uint64_t next[3][3] = {};
        std::uint64_t expected[3][3] = {};
        bool in_order = true;
        std::uint64_t total = 0;
        for (std::size_t to = 0; to < 3; ++to) {
            strands.receiver(to).on_receive = [&, to](std::uint64_t number) {
                const auto from = static_cast<std::size_t>(number >> 32);
                in_order = in_order && (number & 0xffffffff) == expected[from][to]++;
            };
        }
        for (const auto& [what, count] : steps) {
            const auto from = static_cast<std::size_t>(what % 3);
            const auto to = static_cast<std::size_t>(what / 3);
            if (from == to) {
                strands[from].turn();
                continue;
            }
            total += static_cast<std::uint64_t>(count);
            // A task that yields now and then, so that it may be parked, or a job, which may not.
            if (count % 2 == 0)
                strands.start(
                    [](manual_strands& strands, std::size_t from, std::size_t to, int count,
                        std::uint64_t& next) -> task<> {
                        for (int i = 0; i < count; ++i) {
                            send(strands[from], strands[to], std::uint64_t{from} << 32 | next++);
                            if (i % 3 == 2)
                                co_await costar::yield();
                        }
                    }(strands, from, to, count, next[from][to]),
                    from);
            else
                strands[from].post([&strands, from, to, count = count, &next = next[from][to]] {
                    for (int i = 0; i < count; ++i)
                        strands[from].send(strands[to], numbered(std::uint64_t{from} << 32 | next++));
                });
        }
        strands.run();
        RC_ASSERT(in_order);
        std::uint64_t received = 0;
        for (std::size_t i = 0; i < 3; ++i)
            received += strands.receiver(i).received.size();
        RC_ASSERT(received == total);
    });

    CHECK(holds);
}

TEST_CASE("ways: where there is room for one, each ring and each thread has its turn", "[core][ways]")
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

TEST_CASE("ways: threads keep the order of what was sent before their start, by them, and after their end",
    "[core][ways]")
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

TEST_CASE("ways: deadlines of what waits in a long line pass", "[core][ways]")
{
    struct timed : costar::machine::timer_node {
        bool fired = false;
    };
    manual_strands strands(2, tiny(64, 1));
    mailbox_root mailbox(strands[0]);
    strands.receiver(0).on_receive = [&](std::uint64_t) { mailbox.put(true); };
    mailbox.on_message = [&] { mailbox.put(true); };
    timed deadline;
    deadline.fire = [](costar::machine::timer_node* timer) { static_cast<timed*>(timer)->fired = true; };
    deadline.due = strands.clock().now() + 1'000'000;
    bool ran = false;
    std::thread([&] {
        for (int i = 0; i < 5000; ++i)
            CHECK(strands[0].send_from_outside(numbered(1)));
        strands[0].post_in_line(costar::machine::make_job([&] { ran = true; }), &deadline);
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
