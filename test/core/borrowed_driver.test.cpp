// SPDX-License-Identifier: MIT

// Strands on somebody else's executors.

#include <costar/core/scheduler.hpp>

#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "running_scheduler.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using costar::async_spawn;
using costar::machine::strand_context;
using costar::task;
using support::get;
using support::running;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE(
    "borrowed_driver: a timer that was cancelled does not keep a borrowed context", "[core][borrowed_driver]")
{
    asio::io_context io;
    running strands({io.get_executor()});
    const auto begin = std::chrono::steady_clock::now();
    const auto body = []() -> task<> {
        co_await costar::with_timeout(1h, costar::sleep_for(1ms));
        co_await costar::when_any(costar::sleep_for(2h), costar::sleep_for(1ms));
    };

    auto started = support::start(strands[0], body());
    io.run();

    started->get();
    CHECK(std::chrono::steady_clock::now() - begin < 1min);
}

TEST_CASE("borrowed_driver: a borrowed context lives as long as somebody tracks work on the strand",
    "[core][borrowed_driver]")
{
    asio::io_context io;
    running strands({io.get_executor()});
    auto guard = std::make_optional(asio::make_work_guard(strands[0].get_executor()));
    auto other = *guard;

    CHECK(io.poll() == 0);
    CHECK_FALSE(io.stopped());
    guard.reset();
    io.poll();
    CHECK_FALSE(io.stopped());
    asio::post(strands[0].get_executor(), [&] { other.reset(); });
    io.run();

    CHECK(io.stopped());
}

TEST_CASE("borrowed_driver: what a handler throws passes out of run, and the rest runs afterwards",
    "[core][borrowed_driver]")
{
    asio::io_context io;
    running strands({io.get_executor()});
    std::vector<int> ran;
    auto started = support::start(strands[0], [](std::vector<int>& ran) -> task<> {
        co_await costar::yield();
        ran.push_back(3);
    }(ran));
    asio::post(strands[0].get_executor(), [&] { ran.push_back(1); });
    asio::post(strands[0].get_executor(), [] { throw std::runtime_error("thrown"); });
    asio::post(strands[0].get_executor(), [&] { ran.push_back(2); });

    CHECK_THROWS_AS(io.run(), std::runtime_error);
    CHECK(strand_context::current() == nullptr);
    io.run();

    std::sort(ran.begin(), ran.end());
    CHECK(ran == std::vector<int>{1, 2, 3});
    CHECK(started->has_ended());
}

TEST_CASE("borrowed_driver: turns of a borrowed strand never overlap, whoever runs its context",
    "[core][borrowed_driver]")
{
    asio::io_context io;
    running strands({io.get_executor(), io.get_executor()});
    int count[2] = {};  // not atomic: the strand guards it
    std::atomic<int> inside[2] = {0, 0};
    std::atomic<bool> overlapped{false};
    const auto body = [](int& count, std::atomic<int>& inside, std::atomic<bool>& overlapped) -> task<> {
        for (int i = 0; i < 200; ++i) {
            if (inside.fetch_add(1) != 0)
                overlapped = true;
            ++count;
            inside.fetch_sub(1);
            if (i % 20 == 0)
                co_await costar::sleep_for(1us);
            else
                co_await costar::yield();
        }
    };
    for (std::size_t i = 0; i < 2; ++i)
        for (int k = 0; k < 10; ++k)
            async_spawn(strands[i].get_executor(), body(count[i], inside[i], overlapped), asio::detached);

    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] { io.run(); });
    for (std::thread& each : threads)
        each.join();

    CHECK(count[0] == 2000);
    CHECK(count[1] == 2000);
    CHECK_FALSE(overlapped);
}

TEST_CASE("borrowed_driver: what is pending in another context may outlive the engine and its context",
    "[core][borrowed_driver]")
{
    auto other = std::make_unique<asio::io_context>();
    {
        asio::io_context io;
        running strands({io.get_executor()});
        support::start(strands[0],
            [](asio::io_context& other) -> task<> { co_await asio::post(other, costar::use_task); }(*other));
        io.poll();
    }

    SECTION("and is destroyed last") {}
    SECTION("and completes last")
    {
        CHECK(other->run() == 1);
    }
    other.reset();
}
