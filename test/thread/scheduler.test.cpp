// SPDX-License-Identifier: MIT

#include <costar/core/scheduler.hpp>

#include <costar/actor/engine.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace costar;
using namespace costar::machine;
using namespace std::chrono_literals;

/// Holds those up who come from another thread than the test's, until the test has gone on or a moment has
/// passed.
class gate {
public:
    void pass() noexcept
    {
        if (std::this_thread::get_id() == owner_)
            return;
        is_inside = true;
        const auto end = std::chrono::steady_clock::now() + 50ms;
        while (!is_open && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        was_open_inside = is_open.load();
    }

    std::atomic<bool> is_inside{false};
    std::atomic<bool> is_open{false};
    std::atomic<bool> was_open_inside{false};

private:
    std::thread::id owner_ = std::this_thread::get_id();
};

/// The executor of an `io_context`, behind a gate.
class gated_executor {
public:
    gated_executor(asio::io_context& io, gate& way) noexcept : io_(&io), way_(&way) {}

    template <class Function>
    void execute(Function&& function) const
    {
        way_->pass();
        io_->get_executor().execute(std::forward<Function>(function));
    }

    asio::execution_context& query(asio::execution::context_t) const noexcept { return *io_; }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept
    {
        return asio::execution::blocking.never;
    }
    gated_executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

    friend bool operator==(const gated_executor&, const gated_executor&) noexcept = default;

private:
    asio::io_context* io_;
    gate* way_;
};

class nobody final : public parcel_receiver {
public:
    void receive(parcel&) override {}
    void discard(parcel&) noexcept override {}
    void reap(run_node&) noexcept override {}
};

/// Waits for what a context with threads of its own does, again and again.
task<> waits(context& self, asio::io_context* foreign, int number)
{
    for (int i = number; !self.stopping(); ++i) {
        if (i % 2 == 0) {
            co_await shield(as_task(asio::post(*foreign, use_task)));
        } else {
            asio::steady_timer timer(*foreign, std::chrono::microseconds(i * 7 % 100));
            co_await shield(as_task(timer.async_wait(use_task)));
        }
    }
}

}  // namespace

TEST_CASE("scheduler: the end of borrowed strands waits for those who are waking one", "[thread][scheduler]")
{
    asio::io_context io;
    gate way;
    nobody receiver;
    auto strands = std::make_unique<scheduler>(
        std::vector<asio::any_io_executor>{gated_executor(io, way)}, scheduler_options());
    strands->start({&receiver});
    io.run();

    std::thread foreign([&,
                            work = strands->at(0).get_executor().require(
                                asio::execution::outstanding_work.tracked)]() mutable {
        asio::post(work, [] {});
        work = asio::require(std::move(work), asio::execution::outstanding_work.untracked);
    });
    while (!way.is_inside)
        std::this_thread::yield();
    strands.reset();
    way.is_open = true;
    foreign.join();

    CHECK_FALSE(way.was_open_inside);
}

TEST_CASE("scheduler: operations of another context complete while their engine is destroyed",
    "[thread][scheduler]")
{
    support::quiet_log quiet;
    const bool is_owned = GENERATE(true, false);
    asio::io_context foreign;
    auto guard = asio::make_work_guard(foreign);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] { foreign.run(); });

    for (int round = 0; round < 40; ++round) {
        asio::io_context mine;
        {
            engine_options options{.strands = 2, .dead_letter_lines = 0, .shutdown_timeout = 0ms};
            const auto made = is_owned ? std::make_unique<engine>(options)
                                       : std::make_unique<engine>(mine.get_executor(), options);
            for (int number = 0; number < 30; ++number)
                made->spawn(waits, &foreign, number);
            if (is_owned)
                foreign.run_for(std::chrono::microseconds(round * 10));
            else
                mine.run_for(std::chrono::microseconds(round * 10));
        }
    }

    guard.reset();
    for (std::thread& each : threads)
        each.join();
    CHECK(foreign.stopped());
}

TEST_CASE("scheduler: a context that somebody has stopped goes on", "[thread][scheduler]")
{
    engine running({.strands = 1, .spin = GENERATE(0us, 50us)});
    auto& io = static_cast<asio::io_context&>(asio::query(running.get_executor(0), asio::execution::context));
    for (int i = 0; i < 3; ++i) {
        io.stop();
        std::promise<void> called;
        asio::post(io, [&] { called.set_value(); });
        REQUIRE(called.get_future().wait_for(30s) == std::future_status::ready);
    }
}
