// SPDX-License-Identifier: MIT

#include <costar/core/strand_driver.hpp>

#include <costar/core/strand.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>
#include <support/parcels.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>

#include <cstdint>
#include <vector>

namespace {

using costar::machine::strand_context;
using support::numbered;

/// Notes what a strand asks of it.
class noting_driver final : public costar::machine::strand_driver {
public:
    void kick() noexcept override { ++kicks; }
    bool may_enter() const noexcept override { return true; }
    bool may_hold_back() const noexcept override { return false; }
    bool sleeps_seldom() const noexcept override { return false; }
    void timer_changed(std::uint64_t due) override { announced.push_back(due); }
    void has_entered(std::uint64_t now) noexcept override { entered_at = now; }
    void work_started() noexcept override { ++work; }
    void work_finished() noexcept override { --work; }
    costar::asio::execution_context& context() const noexcept override { return io; }

    int kicks = 0;
    int work = 0;
    std::vector<std::uint64_t> announced;
    std::uint64_t entered_at = 0;
    mutable boost::asio::io_context io;
};

struct driven_strand {
    driven_strand() { context.connect(driver, {&context}, receiver); }
    ~driven_strand() { context.discard_input(); }

    costar::manual_clock clock{1000};
    noting_driver driver;
    support::recording_receiver receiver;
    strand_context context{0, {}, clock};
};

}  // namespace

TEST_CASE("strand_driver: a strand that sleeps is kicked once", "[core][strand_driver]")
{
    driven_strand strand;
    strand.context.post([] {});
    CHECK(strand.driver.kicks == 0);
    strand.context.turn();
    REQUIRE(strand.context.fall_asleep());

    CHECK(strand.context.send_from_outside(numbered(1)));
    CHECK(strand.context.send_from_outside(numbered(2)));
    strand.context.post([] {});

    CHECK(strand.driver.kicks == 1);
    strand.context.turn();
    CHECK(strand.receiver.received == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE(
    "strand_driver: it is told when the next timer is due, and when there is none", "[core][strand_driver]")
{
    driven_strand strand;
    costar::machine::timer_node timer;
    timer.fire = [](costar::machine::timer_node*) {};
    strand.context.turn();
    strand.driver.announced.clear();

    strand.context.enter([&] { strand.context.arm(timer, 5000); });
    strand.context.turn();
    strand.clock.set(5000);
    strand.context.turn();

    CHECK(strand.driver.announced == std::vector<std::uint64_t>{5000, UINT64_MAX});
    CHECK(strand.driver.entered_at == 1000);
}

TEST_CASE("strand_driver: it counts the executors that track work", "[core][strand_driver]")
{
    driven_strand strand;
    {
        const auto working = boost::asio::prefer(
            strand.context.get_executor(), boost::asio::execution::outstanding_work.tracked);
        const auto copy = working;
        CHECK(strand.driver.work == 2);
    }

    CHECK(strand.driver.work == 0);
}
