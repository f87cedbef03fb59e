// SPDX-License-Identifier: MIT

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
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>

namespace {

namespace asio = boost::asio;
using costar::async_spawn;
using costar::machine::scheduler;
using costar::machine::scheduler_options;
using costar::task;
using costar::use_task;
using support::echo_once;
using support::get;
using support::owned;
using support::running;
using support::thread_of;
using support::tracked;
using namespace std::chrono_literals;

std::size_t threads_of_this_process()
{
    std::size_t count = 0;
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr)
        return 0;  // a folder made for tests has no /proc
    while (readdir(folder) != nullptr)
        ++count;
    closedir(folder);
    return count;
}

}  // namespace

TEST_CASE("scheduler: an owned one runs each strand on a thread of its own", "[core][scheduler]")
{
    scheduler_options options = owned(2, 10us);
    options.pin_threads = GENERATE(false, true);
    running strands(options);

    const auto first = get(strands[0], thread_of());
    const auto second = get(strands[1], thread_of());

    CHECK(first != second);
    CHECK(first != std::this_thread::get_id());
    CHECK(get(strands[0], thread_of()) == first);
    CHECK((*strands).is_owned());
    CHECK_FALSE((*strands).is_own_thread());
    CHECK(get(
        strands[0], [](scheduler& strands) -> task<bool> { co_return strands.is_own_thread(); }(*strands)));
}

TEST_CASE(
    "scheduler: a borrowed one starts no thread and holds no work while it is idle", "[core][scheduler]")
{
    asio::io_context io;
    const std::size_t before = threads_of_this_process();
    running strands({io.get_executor()});

    CHECK(threads_of_this_process() == before);
    CHECK_FALSE((*strands).is_owned());
    CHECK(io.run() == 0);
    io.restart();
    auto started = support::start(strands[0], []() -> task<int> {
        co_await costar::sleep_for(1ms);
        co_await costar::yield();
        co_return 4;
    }());
    io.run();

    CHECK(started->get() == 4);
    io.restart();
    auto kept = async_spawn(strands[0].get_executor(), thread_of(), asio::use_future);
    io.run();
    CHECK(kept.get() == std::this_thread::get_id());
    CHECK(threads_of_this_process() == before);
}

TEST_CASE("scheduler: an engine may end while its context has work left, and before or after its sockets",
    "[core][scheduler]")
{
    int alive = 0;
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    {
        running strands({io.get_executor()});
        support::start(strands[0], [](asio::ip::tcp::acceptor& acceptor, tracked) -> task<> {
            co_await costar::when_any(echo_once(acceptor), costar::sleep_for(1h));
        }(acceptor, tracked(alive)));
        asio::co_spawn(
            strands[0].get_executor(),
            [](tracked) -> asio::awaitable<void> {
                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                co_await timer.async_wait(asio::use_awaitable);
            }(tracked(alive)),
            asio::detached);
        io.poll();
        support::start(strands[0], [](tracked) -> task<> { co_return; }(tracked(alive)));
    }

    SECTION("the context never runs again") {}
    SECTION("the context goes on")
    {
        acceptor.close();
        io.poll();
    }
}

TEST_CASE("scheduler: an engine needs an executor", "[core][scheduler]")
{
    CHECK_THROWS_AS(costar::machine::scheduler(
                        std::vector<asio::any_io_executor>(), costar::machine::scheduler_options()),
        std::invalid_argument);
}

TEST_CASE("scheduler: rings of a size that cannot be are refused", "[core][scheduler]")
{
    const auto slots = GENERATE(costar::turn_options::ring_slots_max + 1, std::size_t{1} << 62, SIZE_MAX);
    CHECK_THROWS_AS(costar::machine::scheduler(
                        costar::machine::scheduler::manual(), {.strands = 2, .turn = {.ring_slots = slots}}),
        std::invalid_argument);
}

TEST_CASE("scheduler: a timer of a stopped engine does no harm", "[core][scheduler]")
{
    asio::io_context io;
    {
        running strands({io.get_executor()});
        support::start(strands[0], []() -> task<> { co_await costar::sleep_for(1ns); }());
        io.poll_one();
    }

    CHECK_NOTHROW(io.run());
    CHECK(io.stopped());
}
