// SPDX-License-Identifier: MIT

// Strands with threads of their own.

#include <costar/core/scheduler.hpp>

#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "running_scheduler.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include <ctime>

namespace {

namespace asio = boost::asio;
using costar::async_spawn;
using costar::machine::scheduler;
using costar::machine::strand_context;
using costar::task;
using costar::use_task;
using support::echo_once;
using support::get;
using support::owned;
using support::running;
using support::thread_of;
using support::tracked;
using namespace std::chrono_literals;

task<std::string> call(asio::ip::tcp::endpoint where, asio::any_io_executor executor)
{
    asio::ip::tcp::socket socket(executor);
    co_await socket.async_connect(where, use_task);
    co_await asio::async_write(socket, asio::buffer("hello", 5), use_task);
    std::string text(5, ' ');
    co_await asio::async_read(socket, asio::buffer(text), use_task);
    co_return text;
}

}  // namespace

TEST_CASE("owned_driver: timers of an owned strand fire, while it spins and while it sleeps",
    "[core][owned_driver]")
{
    running strands(owned(1, GENERATE(0ns, 50'000ns)));
    const auto body = []() -> task<int> {
        const auto begin = std::chrono::steady_clock::now();
        int rounds = 0;
        for (; rounds < 5; ++rounds)
            co_await costar::sleep_for(200us);
        CHECK(std::chrono::steady_clock::now() - begin >= 1ms);
        co_return rounds;
    };

    CHECK(get(strands[0], body()) == 5);
}

TEST_CASE("owned_driver: an owned strand that waits uses no processor", "[core][owned_driver]")
{
    running strands(owned(1, 50us));
    const auto body = []() -> task<std::chrono::nanoseconds> {
        const auto used = [] {
            timespec time{};
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
            return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
        };
        const auto before = used();
        co_await costar::sleep_for(200ms);
        co_return used() - before;
    };

    // Far more than the one spin and the wake-up, far less than a thread that polls.
    CHECK(get(strands[0], body()) < 20ms);
}

TEST_CASE(
    "owned_driver: a strand that is busy gives sockets, timers and posts their share", "[core][owned_driver]")
{
    running strands(owned(1));
    std::atomic<bool> stop{false};
    auto busy = async_spawn(
        strands[0].get_executor(),
        [](std::atomic<bool>& stop) -> task<> {
            while (!stop.load(std::memory_order_relaxed))
                co_await costar::yield();
        }(stop),
        asio::use_future);
    asio::ip::tcp::acceptor acceptor(strands[0].get_executor(), {asio::ip::address_v4::loopback(), 0});

    auto served = async_spawn(strands[0].get_executor(), echo_once(acceptor), asio::use_future);
    auto called = async_spawn(strands[0].get_executor(),
        call(acceptor.local_endpoint(), strands[0].get_executor()), asio::use_future);
    auto slept = async_spawn(
        strands[0].get_executor(), []() -> task<> { co_await costar::sleep_for(1ms); }(), asio::use_future);
    std::promise<void> posted;
    asio::post(strands[0].get_executor(), [&] { posted.set_value(); });

    CHECK(served.get() == "hello");
    CHECK(called.get() == "hello");
    slept.get();
    posted.get_future().get();
    stop = true;
    busy.get();
    async_spawn(
        strands[0].get_executor(),
        [](asio::ip::tcp::acceptor& acceptor) -> task<> {
            acceptor.close();
            co_return;
        }(acceptor),
        asio::use_future)
        .get();
}

TEST_CASE("owned_driver: handlers of a strand's sockets run inside its turn", "[core][owned_driver]")
{
    running strands(owned(1));
    std::promise<bool> inside;
    asio::steady_timer timer(strands[0].get_executor(), 0ms);

    timer.async_wait(
        [&](boost::system::error_code) { inside.set_value(strand_context::current() == &strands[0]); });

    CHECK(inside.get_future().get());
}

TEST_CASE("owned_driver: what is pending on an owned strand ends with it", "[core][owned_driver]")
{
    int alive = 0;
    {
        running strands(owned(2));
        asio::co_spawn(
            strands[0].get_executor(),
            [](tracked) -> asio::awaitable<void> {
                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                co_await timer.async_wait(asio::use_awaitable);
            }(tracked(alive)),
            asio::detached);
        async_spawn(
            strands[1].get_executor(),
            [](tracked) -> task<> {
                asio::steady_timer timer(strand_context::current()->get_executor(), 1h);
                co_await costar::when_all(timer.async_wait(use_task), costar::sleep_for(1h));
            }(tracked(alive)),
            asio::detached);
        get(strands[0], thread_of());
        get(strands[1], thread_of());
    }

    CHECK(alive == 0);
}

TEST_CASE("owned_driver: a task of an owned strand waits for an operation of a foreign context",
    "[core][owned_driver]")
{
    asio::io_context io;
    auto guard = asio::make_work_guard(io);
    std::thread foreign([&] { io.run(); });
    asio::steady_timer never(io, 1h);
    {
        running strands(owned(1));
        const auto body = [](asio::io_context& io) -> task<bool> {
            for (int i = 0; i < 100; ++i) {
                asio::steady_timer timer(io, 0ms);
                co_await timer.async_wait(use_task);
            }
            co_return strand_context::current() != nullptr;
        };
        CHECK(get(strands[0], body(io)));
        async_spawn(
            strands[0].get_executor(),
            [](asio::steady_timer& never) -> task<> { co_await never.async_wait(use_task); }(never),
            asio::detached);
        get(strands[0], thread_of());
    }
    guard.reset();
    asio::post(io, [&] { never.cancel(); });
    foreign.join();

    CHECK(io.stopped());
}

TEST_CASE("owned_driver: strands that sleep wake each other ten thousand times", "[core][owned_driver]")
{
    // Goal: no wake-up is lost between two strands that park after each message. Method: a ball, no spinning.
    constexpr std::uint64_t rounds = 10'000;
    class player final : public costar::machine::parcel_receiver {
    public:
        void receive(costar::machine::parcel& arrived) override
        {
            if (arrived.to == 0) {
                over.set_value();
                return;
            }
            --arrived.to;
            home->send(*other, arrived);
        }
        void discard(costar::machine::parcel&) noexcept override {}
        void reap(costar::machine::run_node&) noexcept override {}

        strand_context* home = nullptr;
        strand_context* other = nullptr;
        std::promise<void> over;
    };
    player players[2];
    scheduler strands(owned(2));
    for (std::size_t i = 0; i < 2; ++i) {
        players[i].home = &strands.at(i);
        players[i].other = &strands.at(1 - i);
    }
    auto over = players[0].over.get_future();
    strands.start({&players[0], &players[1]});

    strands.at(0).post([&] {
        costar::machine::parcel ball{};
        ball.to = 2 * rounds - 1;
        strands.at(0).send(strands.at(1), ball);
    });

    over.get();
    SUCCEED();
}
