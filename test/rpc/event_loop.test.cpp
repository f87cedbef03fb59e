// SPDX-License-Identifier: MIT

#include <costar/rpc/event_loop.hpp>

#include <costar/rpc/await.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <thread>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

TEST_CASE("event_loop: without one a wait says what to do", "[rpc][event_loop]")
{
    std::string said;
    try {
        rpc::async_wait(kj::Promise<int>(1), [](std::exception_ptr, int) {});
    } catch (const std::logic_error& thrown) {
        said = thrown.what();
    }
    CHECK(said.find("make a costar::rpc::event_loop in the thread") != std::string::npos);
}

TEST_CASE("event_loop: a thread has one, and another one when it has ended", "[rpc][event_loop]")
{
    asio::io_context io;
    {
        rpc::event_loop loop(io.get_executor());
        CHECK_THROWS_AS(rpc::event_loop(io.get_executor()), std::logic_error);
    }
    rpc::event_loop again(io.get_executor());
    int value = 0;
    rpc::async_wait(kj::Promise<int>(4), [&](std::exception_ptr, int got) { value = got; });
    io.run();
    CHECK(value == 4);
}

TEST_CASE("event_loop: an executor that another thread runs is refused with a sentence", "[rpc][event_loop]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    rpc::async_wait(kj::evalLater([] { return 1; }), [](std::exception_ptr, int) {});
    std::string said;
    std::thread([&] {
        try {
            io.run();
        } catch (const std::logic_error& thrown) {
            said = thrown.what();
        }
    }).join();

    CHECK(said.find("belongs to the thread that made it") != std::string::npos);
}

TEST_CASE("event_loop: a flood of events lets handlers of the same context through", "[rpc][event_loop]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    bool over = false;
    std::uint64_t rounds = 0;
    const std::function<kj::Promise<void>()> again = [&]() -> kj::Promise<void> {
        ++rounds;
        if (over)
            return kj::READY_NOW;
        return kj::evalLater([&] { return again(); });
    };
    bool ended = false;
    rpc::async_wait(again(), [&](std::exception_ptr) { ended = true; });
    asio::post(io, [&] { asio::post(io, [&] { over = true; }); });
    io.run();

    CHECK(ended);
    CHECK(rounds < 20'000);
}

TEST_CASE(
    "event_loop: a strand whose turns come from several threads has its loop in each", "[rpc][event_loop]")
{
    asio::thread_pool pool(3);
    running strands(std::vector<asio::any_io_executor>{pool.get_executor()});
    const auto body = []() -> task<int> {
        int sum = 0;
        for (int i = 0; i < 200; ++i) {
            sum += co_await later([i] { return i; });
            co_await sleep_for(1us);
        }
        co_return sum;
    };

    CHECK(get(strands[0], body()) == 199 * 100);
    CHECK(get(strands[0], body()) == 199 * 100);
}

TEST_CASE("event_loop: strands of one thread have loops of their own, beside that of the thread",
    "[rpc][event_loop]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    running strands(std::vector<asio::any_io_executor>{io.get_executor(), io.get_executor()});
    const auto body = [](int from) -> task<int> {
        for (int i = 0; i < 10; ++i)
            from += co_await later([i] { return i; });
        co_return from;
    };
    auto first = async_spawn(strands[0].get_executor(), body(100), asio::use_future);
    auto second = async_spawn(strands[1].get_executor(), body(200), asio::use_future);
    int plain = 0;
    rpc::async_wait(kj::evalLater([] { return 3; }), [&](std::exception_ptr, int value) { plain = value; });
    io.run();

    CHECK(first.get() == 145);
    CHECK(second.get() == 245);
    CHECK(plain == 3);
}

TEST_CASE("event_loop: a promise that a handler makes and drops keeps nothing waiting", "[rpc][event_loop]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    rpc::async_wait(kj::Promise<int>(1), [](std::exception_ptr, int) {
        const kj::Promise<void> dropped = kj::evalLater([] {}).eagerlyEvaluate(nullptr);
    });
    io.run();
    io.restart();
    auto pair = kj::newPromiseAndFulfiller<int>();
    int value = 0;
    rpc::async_wait(kj::mv(pair.promise), [&](std::exception_ptr, int got) { value = got; });
    pair.fulfiller->fulfill(5);
    io.run();

    CHECK(value == 5);
}

TEST_CASE("event_loop: what other threads give to KJ's executor is run", "[rpc][event_loop]")
{
    asio::io_context io;
    auto guard = asio::make_work_guard(io);
    rpc::event_loop loop(io.get_executor());
    const kj::Executor& executor = kj::getCurrentThreadExecutor();
    int value = 0;
    std::thread other([&] {
        value = executor.executeSync([] { return 6; });
        guard.reset();
    });
    io.run();
    other.join();
    CHECK(value == 6);
}
