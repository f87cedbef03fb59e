// SPDX-License-Identifier: MIT

#include <costar/core/strand.hpp>

#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace execution = boost::asio::execution;
using costar::parcel;
using costar::strand;
using costar::strand_context;
using costar::task;
using costar::turn_options;
using support::manual_strands;
using support::numbered;
using support::tiny;
using support::tracked;
using namespace std::chrono_literals;

void send(strand_context& from, strand_context& to, std::uint64_t number)
{
    from.send(to, numbered(number));
}

}  // namespace

static_assert(execution::is_executor_v<strand>);
static_assert(std::is_convertible_v<strand, asio::any_io_executor>);
static_assert(std::is_convertible_v<strand, asio::any_completion_executor>);
static_assert(std::is_nothrow_copy_constructible_v<strand> && std::is_nothrow_move_constructible_v<strand>);

TEST_CASE("strand: dispatch runs at once inside the turn, post and defer never do", "[core][strand]")
{
    manual_strands strands;
    const strand where = strands[0].get_executor();
    std::vector<int> order;

    asio::post(where, [&] {
        CHECK(where.running_in_this_thread());
        asio::post(where, [&] { order.push_back(3); });
        asio::defer(where, [&] { order.push_back(4); });
        asio::dispatch(where, [&] { order.push_back(1); });
        order.push_back(2);
    });
    asio::dispatch(where, [&] { order.push_back(0); });
    CHECK(order.empty());
    CHECK_FALSE(where.running_in_this_thread());
    strands.run();

    // The second was posted from outside as well, so it comes before what the first one posts.
    CHECK(order == std::vector<int>{1, 2, 0, 3, 4});
}

TEST_CASE("strand: waits count from now, however long the turn has lasted", "[core][strand]")
{
    manual_strands strands;
    costar::strand_context& strand = strands[0];
    const auto length = GENERATE(1ms, 99ms, 100ms, 1h);

    asio::post(strand.get_executor(), [&] {
        CHECK(strand.time_for(length) == strands.clock().now());
        strands.clock().advance(10s);
        CHECK(strand.now() < strands.clock().now());
        CHECK(strand.time_for(length) == strands.clock().now());
    });
    strands.run();
}

TEST_CASE("strand: its properties can be required, preferred and queried", "[core][strand]")
{
    manual_strands strands;
    const strand plain = strands[0].get_executor();

    CHECK(asio::query(plain, execution::blocking) == execution::blocking.possibly);
    CHECK(asio::query(asio::require(plain, execution::blocking.never), execution::blocking) ==
        execution::blocking.never);
    CHECK(asio::query(plain, execution::relationship) == execution::relationship.fork);
    CHECK(asio::query(asio::prefer(plain, execution::relationship.continuation), execution::relationship) ==
        execution::relationship.continuation);
    CHECK(asio::query(plain, execution::outstanding_work) == execution::outstanding_work.untracked);
    CHECK(asio::query(asio::prefer(plain, execution::outstanding_work.tracked),
              execution::outstanding_work) == execution::outstanding_work.tracked);
    CHECK(&asio::query(plain, execution::context) == &plain.context());
    const strand changed =
        asio::require(asio::require(plain, execution::blocking.never), execution::outstanding_work.tracked);
    CHECK(changed != plain);
    CHECK(asio::require(asio::require(changed, execution::blocking.possibly),
              execution::outstanding_work.untracked) == plain);
}

TEST_CASE("strand: it works inside Asio's type-erased executors", "[core][strand]")
{
    manual_strands strands(2);
    const asio::any_io_executor any = strands[0].get_executor();
    const asio::any_completion_executor completion = strands[0].get_executor();
    int ran = 0;

    asio::post(any, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; });
    asio::dispatch(completion, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; });
    strands.run();

    CHECK(ran == 2);
    CHECK(any == asio::any_io_executor(strands[0].get_executor()));
    CHECK(any != asio::any_io_executor(strands[1].get_executor()));
    CHECK(*any.target<strand>() == strands[0].get_executor());
}

TEST_CASE("strand: foreign executors, guards and coroutines lie on it", "[core][strand]")
{
    manual_strands strands;
    const strand where = strands[0].get_executor();
    int ran = 0;

    SECTION("asio::strand")
    {
        const auto inner = asio::make_strand(where);
        asio::post(inner, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; });
        asio::dispatch(inner, [&] { ran += inner.running_in_this_thread() ? 1 : 0; });
        strands.run();
        CHECK(ran == 2);
    }
    SECTION("bind_executor and a work guard")
    {
        auto guard = asio::make_work_guard(where);
        CHECK(guard.owns_work());
        asio::post(
            asio::bind_executor(where, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; }));
        guard.reset();
        strands.run();
        CHECK(ran == 1);
    }
    SECTION("co_spawn")
    {
        asio::co_spawn(
            where,
            [&]() -> asio::awaitable<void> {
                ran += strand_context::current() == &strands[0] ? 1 : 0;
                co_await asio::post(where, asio::use_awaitable);
                ran += strand_context::current() == &strands[0] ? 1 : 0;
            },
            asio::detached);
        strands.run();
        CHECK(ran == 2);
    }
}

TEST_CASE("strand: jobs of one thread run in order, those from outside as well", "[core][strand]")
{
    manual_strands strands;
    std::vector<int> order;
    for (int i = 0; i < 500; ++i)
        strands[0].post([&, i] {
            order.push_back(i);
            strands[0].post([&, i] { order.push_back(1000 + i); });
        });

    strands.run();

    REQUIRE(order.size() == 1000);
    const auto in_order = [&](int first) {
        std::vector<int> some;
        std::copy_if(order.begin(), order.end(), std::back_inserter(some),
            [&](int i) { return first <= i && i < first + 1000; });
        return some.size() == 500 && std::is_sorted(some.begin(), some.end());
    };
    CHECK(in_order(0));
    CHECK(in_order(1000));
}

TEST_CASE("strand: what a job throws passes out of the turn, and the rest runs in the next", "[core][strand]")
{
    manual_strands strands;
    std::vector<int> ran;
    strands[0].post([&] { ran.push_back(1); });
    strands[0].post([] { throw std::runtime_error("thrown"); });
    strands[0].post([&] { ran.push_back(2); });

    CHECK_THROWS_AS(strands[0].turn(), std::runtime_error);
    CHECK(strand_context::current() == nullptr);
    CHECK(strands[0].has_work());
    strands.run();

    CHECK(ran == std::vector<int>{1, 2});
}

TEST_CASE("strand: jobs that were not run are destroyed with it", "[core][strand]")
{
    int alive = 0;
    {
        manual_strands strands(2);
        strands[0].post([local = tracked(alive)] {});
        strands[0].post_in_line(costar::make_job([local = tracked(alive)] {}));
        strands[1].post([&, local = tracked(alive)] {
            strands[1].post([local] {});
            strands[0].post_in_line(costar::make_job([local] {}));
            throw std::runtime_error("left in the middle of a turn");
        });
        CHECK_THROWS(strands[1].turn());
        CHECK(alive == 4);
    }

    CHECK(alive == 0);
}

TEST_CASE("strand: what is posted while the strand ends is destroyed", "[core][strand]")
{
    int alive = 0;
    struct poster {
        strand_context& home;
        int& alive;
        ~poster()
        {
            home.post([local = tracked(alive)] {});
        }
    };
    {
        manual_strands strands;
        strands[0].post([held = std::make_unique<poster>(poster{strands[0], alive})] {});
        strands.start([](poster) -> task<> { co_await costar::sleep_for(1h); }(poster{strands[0], alive}));
        strands.run();
        strands[0].post([held = std::make_unique<poster>(poster{strands[0], alive})] {});
    }

    CHECK(alive == 0);
}

TEST_CASE("strand: an executor that tracks work may outlive the strand, and refuses", "[core][strand]")
{
    int alive = 0;
    int ran = 0;
    asio::any_io_executor left;
    {
        manual_strands strands;
        left = asio::prefer(strands[0].get_executor(), execution::outstanding_work.tracked);
    }

    asio::post(left, [&, local = tracked(alive)] { ++ran; });
    asio::dispatch(left, [&, local = tracked(alive)] { ++ran; });

    CHECK(ran == 0);
    CHECK(alive == 0);
}

TEST_CASE("strand: parcels arrive in order, jobs in line among them, and what was posted first before",
    "[core][strand]")
{
    manual_strands strands(2);
    std::vector<std::uint64_t>& got = strands.receiver(1).received;
    strands[0].post([&] {
        strands[1].post([&] { got.push_back(100); });
        strands[0].send(strands[1], numbered(1));
        strands[1].post_in_line(costar::make_job([&] { got.push_back(101); }));
        strands[0].send(strands[1], numbered(2));
    });

    strands.run();

    CHECK(got == std::vector<std::uint64_t>{100, 1, 101, 2});
}

TEST_CASE("strand: parcels of a foreign thread arrive in order, after what it had posted", "[core][strand]")
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

TEST_CASE("strand: parcels that were not taken are discarded, each once", "[core][strand]")
{
    // Goal: nothing is lost when strands end in the middle. Method: leave parcels in rings, published or not,
    // in overflows and in a foreign thread's queue.
    int received = 0;
    int discarded = 0;
    class counting final : public costar::parcel_receiver {
    public:
        counting(int& received, int& discarded) : received_(received), discarded_(discarded) {}
        void receive(parcel&) override { ++received_; }
        void discard(parcel&) noexcept override { ++discarded_; }
        void reap(costar::run_node&) noexcept override {}

    private:
        int& received_;
        int& discarded_;
    };
    counting receiver(received, discarded);
    {
        costar::scheduler_options options;
        options.strands = 2;
        options.turn = tiny(8);
        costar::scheduler strands(costar::scheduler::manual{}, options);
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

TEST_CASE("strand: the root that sends into a full ring is parked, and goes on when there is room",
    "[core][strand]")
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

TEST_CASE("strand: a parked task can be cancelled, and destroyed where it is", "[core][strand]")
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

TEST_CASE("strand: rings of any size go to rest", "[core][strand]")
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

TEST_CASE("strand: nothing is lost or reordered among three strands with tiny rings", "[core][strand]")
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

TEST_CASE("strand: a turn has a budget, and says that more is ready", "[core][strand]")
{
    class stepping final : public costar::clock {
    public:
        std::uint64_t now() noexcept override { return now_ += 10'000; }

    private:
        std::uint64_t now_ = 0;
    };
    stepping clock;
    costar::scheduler_options options;
    options.clock = &clock;
    support::recording_receiver receiver;
    costar::scheduler strands(costar::scheduler::manual{}, options);
    strands.start({&receiver});
    std::uint64_t rounds = 0;
    support::start(strands.at(0), [](std::uint64_t& rounds) -> task<> {
        for (;;) {
            ++rounds;
            co_await costar::yield();
        }
    }(rounds));

    CHECK(strands.at(0).turn());

    CHECK(rounds > 100);
    CHECK(rounds < 25'000);
}

TEST_CASE("strand: the last of the ready can be withdrawn, and others follow", "[core][strand]")
{
    manual_strands strands;
    costar::run_node first;
    costar::run_node last;
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

TEST_CASE("strand: it sleeps only when there is nothing to do", "[core][strand]")
{
    manual_strands strands(2);
    CHECK(strands[0].fall_asleep());
    strands[0].stay_awake();

    SECTION("a job")
    {
        strands[0].post([] {});
    }
    SECTION("a parcel from a foreign thread")
    {
        CHECK(strands[0].send_from_outside(numbered(1)));
    }
    SECTION("a parcel from a sibling")
    {
        strands[1].post([&] { strands[1].send(strands[0], numbered(1)); });
        strands[1].turn();
    }

    CHECK_FALSE(strands[0].fall_asleep());
    strands.run();
    CHECK(strands[0].fall_asleep());
}

TEST_CASE("strand: an order that was chosen by a seed is the same for the same seed", "[core][strand]")
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
