// SPDX-License-Identifier: MIT

#include <costar/core/strand_context.hpp>

#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

namespace asio = boost::asio;
using costar::machine::strand_context;
using costar::task;
using support::manual_strands;
using support::numbered;
using support::tracked;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("strand_context: waits count from now, however long the turn has lasted", "[core][strand_context]")
{
    manual_strands strands;
    costar::machine::strand_context& strand = strands[0];
    const auto length = GENERATE(1ms, 99ms, 100ms, 1h);

    asio::post(strand.get_executor(), [&] {
        CHECK(strand.time_for(length) == strands.clock().now());
        strands.clock().advance(10s);
        CHECK(strand.now() < strands.clock().now());
        CHECK(strand.time_for(length) == strands.clock().now());
    });
    strands.run();
}

TEST_CASE(
    "strand_context: jobs of one thread run in order, those from outside as well", "[core][strand_context]")
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

TEST_CASE("strand_context: what a job throws passes out of the turn, and the rest runs in the next",
    "[core][strand_context]")
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

TEST_CASE("strand_context: jobs that were not run are destroyed with it", "[core][strand_context]")
{
    int alive = 0;
    {
        manual_strands strands(2);
        strands[0].post([local = tracked(alive)] {});
        strands[0].post_in_line(costar::machine::make_job([local = tracked(alive)] {}));
        strands[1].post([&, local = tracked(alive)] {
            strands[1].post([local] {});
            strands[0].post_in_line(costar::machine::make_job([local] {}));
            throw std::runtime_error("left in the middle of a turn");
        });
        CHECK_THROWS(strands[1].turn());
        CHECK(alive == 4);
    }

    CHECK(alive == 0);
}

TEST_CASE("strand_context: what is posted while the strand ends is destroyed", "[core][strand_context]")
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

TEST_CASE("strand_context: a turn has a budget, and says that more is ready", "[core][strand_context]")
{
    class stepping final : public costar::clock {
    public:
        std::uint64_t now() noexcept override { return now_ += 10'000; }

    private:
        std::uint64_t now_ = 0;
    };
    stepping clock;
    costar::machine::scheduler_options options;
    options.clock = &clock;
    support::recording_receiver receiver;
    costar::machine::scheduler strands(costar::machine::scheduler::manual{}, options);
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

TEST_CASE("strand_context: it sleeps only when there is nothing to do", "[core][strand_context]")
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
