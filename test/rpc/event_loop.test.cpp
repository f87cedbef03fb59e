// SPDX-License-Identifier: MIT

#include <costar/rpc/event_loop.hpp>

#include <costar/rpc/await.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <stdexcept>
#include <string>
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

namespace {

/// Begins a call that is never answered, or only a timer beside a promise, and stops the context.
asio::awaitable<void> stops_in_the_middle(
    asio::io_context& io, rpc::nothrow<hub::Hub::Client> hub, bool waits_for_call)
{
    auto request = hub->slowRequest();
    request.setMilliseconds(3'600'000);
    auto call = request.send();
    asio::post(io, [&io] { io.stop(); });
    asio::steady_timer timer(io, 1h);
    if (waits_for_call)
        co_await rpc::async_wait(kj::mv(call), asio::use_awaitable);
    else
        co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

TEST_CASE("event_loop: what a stopped context leaves behind is destroyed with it", "[rpc][event_loop]")
{
    for (const bool waits_for_call : {true, false}) {
        asio::io_context io;
        rpc::event_loop loop(io.get_executor());
        auto ends = std::make_shared<hub_pair>(io);
        const auto holds = [](asio::io_context& io, std::shared_ptr<hub_pair> ends,
                               bool waits_for_call) -> asio::awaitable<void> {
            auto hub = ends->hub();
            co_await stops_in_the_middle(io, hub, waits_for_call);
        };
        asio::co_spawn(io, holds(io, std::move(ends), waits_for_call), asio::detached);
        io.run();
        CHECK(io.stopped());
    }
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    int value = 0;
    rpc::async_wait(kj::Promise<int>(4), [&](std::exception_ptr, int got) { value = got; });
    io.run();
    CHECK(value == 4);
}

TEST_CASE("event_loop: a call that a coroutine still answers when its loop has ended ends with the context",
    "[rpc][event_loop]")
{
    /// Answers a call with a coroutine that waits for a timer.
    class waiting final : public hub::Hub::Server {
    public:
        explicit waiting(asio::io_context& io) : io_(&io) {}

    private:
        kj::Promise<void> slow(SlowContext call) override
        {
            rpc::allow_cancellation(call);
            return rpc::promise_of(waits(*io_, call));
        }

        static asio::awaitable<void> waits(asio::io_context& io, rpc::call<SlowContext> call)
        {
            asio::steady_timer timer(io, 1h);
            co_await timer.async_wait(asio::use_awaitable);
            call->getResults();
        }

        asio::io_context* io_;
    };
    asio::io_context io;
    bool ended = false;
    {
        rpc::event_loop loop(io.get_executor());
        auto [near, far] = connected_pair(io);
        auto served = rpc::connection::server(std::move(far), kj::heap<waiting>(io));
        auto calls = rpc::connection::client(std::move(near));
        auto hub = calls.bootstrap<hub::Hub>();
        rpc::async_wait(hub.slowRequest().send(), [&](std::exception_ptr, auto) { ended = true; });
        io.run_for(5ms);
    }
    CHECK_FALSE(ended);

    // The same where a coroutine holds the connection, and is left when the context is stopped.
    const auto holds = [](auto served, auto calls, auto hub) -> asio::awaitable<void> {
        auto request = (*hub)->slowRequest();
        co_await rpc::async_wait(rpc::send(request), asio::use_awaitable);
        static_cast<void>(served == nullptr || calls == nullptr);
    };
    asio::io_context stopped;
    rpc::event_loop loop(stopped.get_executor());
    {
        auto [near, far] = connected_pair(stopped);
        auto served = std::make_shared<rpc::connection>(
            rpc::connection::server(std::move(far), kj::heap<waiting>(stopped)));
        auto calls = std::make_shared<rpc::connection>(rpc::connection::client(std::move(near)));
        auto hub = std::make_shared<rpc::nothrow<hub::Hub::Client>>(calls->bootstrap<hub::Hub>());
        asio::co_spawn(stopped, holds(std::move(served), std::move(calls), std::move(hub)), asio::detached);
    }
    stopped.run_for(5ms);
}

TEST_CASE("event_loop: one that is over carries nothing, and another one may follow", "[rpc][event_loop]")
{
    asio::io_context io;
    bool called = false;
    {
        rpc::event_loop loop(io.get_executor());
        rpc::async_wait(kj::Promise<void>(kj::NEVER_DONE), [&](std::exception_ptr) { called = true; });
    }
    CHECK_THROWS_AS(
        rpc::async_wait(kj::Promise<void>(kj::READY_NOW), [](std::exception_ptr) {}), std::logic_error);
    io.run();
    CHECK_FALSE(called);

    rpc::event_loop second(io.get_executor());
    io.restart();
    rpc::async_wait(kj::Promise<void>(kj::READY_NOW), [&](std::exception_ptr) { called = true; });
    io.run();
    CHECK(called);
}

TEST_CASE(
    "event_loop: a context that is run again carries on what its first loop has left", "[rpc][event_loop]")
{
    asio::io_context io;
    int answers = 0;
    const auto session = [](asio::io_context& io, int& answers) -> asio::awaitable<void> {
        hub_pair ends(io);
        auto hub = ends.hub();
        for (const auto pause : {0ms, 10ms}) {
            asio::steady_timer timer(io, pause);
            co_await timer.async_wait(asio::use_awaitable);
            auto request = hub.echoRequest();
            request.setText("x");
            co_await rpc::async_wait(rpc::send(request), asio::use_awaitable);
            ++answers;
        }
        kj::Promise<void> never = kj::NEVER_DONE;
        co_await rpc::async_wait(kj::mv(never), asio::use_awaitable);
    };
    for (int round = 0; round < 3; ++round) {
        rpc::event_loop loop(io.get_executor());
        asio::co_spawn(io, session(io, answers), asio::detached);
        io.restart();
        io.run_for(5ms);
    }
    CHECK(answers >= 3);
    rpc::event_loop loop(io.get_executor());
    io.restart();
    io.run_for(50ms);
    CHECK(answers >= 4);
}

TEST_CASE("event_loop: a context may end before its loop", "[rpc][event_loop]")
{
    auto io = std::make_unique<asio::io_context>();
    bool called = false;
    rpc::event_loop loop(io->get_executor());
    rpc::async_wait(kj::Promise<void>(kj::NEVER_DONE),
        asio::bind_executor(*io, [&](std::exception_ptr) { called = true; }));
    asio::co_spawn(
        *io, rpc::async_wait(kj::Promise<void>(kj::NEVER_DONE), asio::use_awaitable), asio::detached);
    io->run_for(1ms);
    io.reset();
    CHECK_FALSE(called);
}

TEST_CASE("event_loop: where there is none a coroutine can catch that", "[rpc][event_loop]")
{
    asio::io_context io;
    std::string said;
    const auto waits = [](std::string& said) -> asio::awaitable<void> {
        kj::Promise<void> ready = kj::READY_NOW;
        try {
            co_await rpc::async_wait(kj::mv(ready), asio::use_awaitable);
        } catch (const std::logic_error& thrown) {
            said = thrown.what();
        }
    };
    asio::co_spawn(io, waits(said), asio::detached);
    io.run();
    CHECK(said.find("no event loop") != std::string::npos);
}
