// SPDX-License-Identifier: MIT

#include <costar/core/operation_state.hpp>

#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "operations.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <stdexcept>
#include <string>
#include <thread>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using costar::errc;
using costar::task;
using costar::use_task;
using costar::with_timeout;
using support::held_operation;
using support::manual_strands;
using support::tracked;
using namespace std::chrono_literals;

const error_code refused = asio::error::connection_refused;

}  // namespace

TEST_CASE(
    "operation_state: a handler that is dropped without a call ends the wait", "[core][operation_state]")
{
    manual_strands strands;
    held_operation<int> operation;
    const auto body = [](held_operation<int>& operation) -> task<> {
        co_await operation.async_wait(use_task);
    };
    auto started = strands.start(body(operation));
    strands.run();
    REQUIRE(operation.has_handler());

    SECTION("in the turn")
    {
        asio::post(strands[0].get_executor(), [&] { operation.drop(); });
    }
    SECTION("outside of it")
    {
        operation.drop();
    }
    SECTION("on another thread")
    {
        std::thread([&] { operation.drop(); }).join();
    }
    strands.run();

    CHECK(started->code() == errc::cancelled);
}

TEST_CASE("operation_state: an outcome that comes on another thread resumes on the strand",
    "[core][operation_state]")
{
    manual_strands strands;
    held_operation<error_code, std::string> operation;
    const auto body = [](auto& operation, costar::machine::strand_context& home) -> task<std::string> {
        auto text = co_await operation.async_wait(use_task);
        CHECK(costar::machine::strand_context::current() == &home);
        co_return text;
    };
    auto started = strands.start(body(operation, strands[0]));
    strands.run();

    std::thread([&] { operation.complete({}, "from afar"); }).join();
    CHECK_FALSE(started->has_ended());
    strands.run();

    CHECK(started->get() == "from afar");
}

TEST_CASE("operation_state: cancellation reaches the operation once, and its outcome counts",
    "[core][operation_state]")
{
    manual_strands strands;
    held_operation<error_code, int> operation;
    auto started = strands.start(
        [](auto& operation) -> task<int> { co_return co_await operation.async_wait(use_task); }(operation));
    strands.run();
    started->cancel();
    started->cancel();
    strands.run();
    CHECK(operation.cancelled == 1);
    CHECK_FALSE(started->has_ended());

    SECTION("it was cancelled")
    {
        operation.complete(asio::error::operation_aborted, 0);
        strands.run();
        CHECK(started->code() == std::errc::operation_canceled);
    }
    SECTION("it had succeeded")
    {
        operation.complete({}, 5);
        strands.run();
        CHECK(started->get() == 5);
    }
}

TEST_CASE("operation_state: an operation may complete inside its cancellation", "[core][operation_state]")
{
    manual_strands strands;
    held_operation<error_code> operation;
    operation.on_cancel = [&] { operation.complete(asio::error::operation_aborted); };
    auto started =
        strands.start([](auto& operation) -> task<> { co_await operation.async_wait(use_task); }(operation));
    strands.run();

    started->cancel();
    strands.run();

    CHECK(started->code() == asio::error::operation_aborted);
}

TEST_CASE("operation_state: an outcome that cannot be stored becomes an exception", "[core][operation_state]")
{
    struct throws_on_copy {
        throws_on_copy() = default;
        throws_on_copy(const throws_on_copy& other) : armed(other.armed)
        {
            if (armed)
                throw std::runtime_error("cannot copy");
        }
        bool armed = false;
    };
    manual_strands strands;
    const auto body = []() -> task<> {
        co_await asio::async_initiate<const costar::use_task_t, void(throws_on_copy)>(
            [](auto handler) {
                throws_on_copy value;
                value.armed = true;
                std::move(handler)(value);
            },
            use_task);
    };

    CHECK_THROWS_AS(strands.run(body()), std::runtime_error);
}

TEST_CASE("operation_state: an operation may outlive its coroutine and its strand", "[core][operation_state]")
{
    held_operation<error_code, int> operation;
    int alive = 0;
    {
        manual_strands strands;
        strands.start([](auto& operation, int& alive) -> task<> {
            const tracked local(alive);
            co_await operation.async_wait(use_task);
        }(operation, alive));
        strands.run();
        REQUIRE(alive == 1);
    }
    CHECK(alive == 0);

    SECTION("dropped")
    {
        operation.drop();
    }
    SECTION("completed")
    {
        operation.complete({}, 1);
    }
    SECTION("completed on another thread")
    {
        std::thread([&] { operation.complete({}, 1); }).join();
    }
}

TEST_CASE("operation_state: operations that are pending in a borrowed context outlive the engine",
    "[core][operation_state]")
{
    asio::io_context io;
    asio::steady_timer timer(io, 1h);
    int alive = 0;
    {
        costar::machine::scheduler strands({io.get_executor()}, {});
        support::recording_receiver receiver;
        strands.start({&receiver});
        support::start(strands.at(0), [](asio::steady_timer& timer, int& alive) -> task<> {
            const tracked local(alive);
            co_await timer.async_wait(use_task);
        }(timer, alive));
        io.poll();
        REQUIRE(alive == 1);
    }
    CHECK(alive == 0);

    SECTION("and end with the context") {}
    SECTION("and are refused when they complete")
    {
        timer.cancel();
        io.run();
        CHECK(io.stopped());
    }
}

TEST_CASE("operation_state: an operation that had completed when its time was over keeps its outcome",
    "[core][operation_state]")
{
    manual_strands strands;
    held_operation<error_code, int> operation;

    SECTION("with a value")
    {
        auto started = strands.start(costar::as_task(with_timeout(1ms, operation.async_wait(use_task))));
        strands.advance(1ms);
        CHECK(operation.cancelled == 1);
        operation.complete(error_code(), 5);
        strands.run();
        CHECK(started->get() == 5);
    }
    SECTION("with an error of its own")
    {
        auto started = strands.start(costar::as_task(with_timeout(1ms, operation.async_wait(use_task))));
        strands.advance(1ms);
        operation.complete(asio::error::eof, 0);
        strands.run();
        CHECK(started->code() == asio::error::eof);
    }
    SECTION("not with its cancellation")
    {
        const error_code how = GENERATE(error_code(asio::error::operation_aborted),
            error_code(asio::experimental::error::channel_cancelled));
        auto started = strands.start(costar::as_task(with_timeout(1ms, operation.async_wait(use_task))));
        strands.advance(1ms);
        operation.complete(how, 0);
        strands.run();
        CHECK(started->code() == errc::timed_out);
    }
    SECTION("beside a pause")
    {
        const auto body = [](held_operation<error_code, int>& operation) -> task<std::size_t> {
            const auto first = co_await costar::when_any(
                costar::sleep_for(1ms), operation.async_wait(asio::as_tuple(use_task)));
            co_return first.index();
        };
        auto completed = strands.start(body(operation));
        strands.advance(1ms);
        operation.complete(error_code(), 5);
        strands.run();
        CHECK(completed->get() == 1);
        auto cancelled = strands.start(body(operation));
        strands.advance(1ms);
        operation.complete(asio::error::operation_aborted, 0);
        strands.run();
        CHECK(cancelled->get() == 0);
    }
}

TEST_CASE("operation_state: a coroutine on another context may end while its cancellation is under way",
    "[core][operation_state]")
{
    // Goal: the signal of a cancellation reaches no memory that is gone. Method: cancel after each number of
    // steps of the other context in turn, and let the strand hear of the end before the other context hears
    // of the cancellation.
    const auto elsewhere = []() -> asio::awaitable<int> {
        for (int i = 0; i < 3; ++i)
            co_await asio::post(asio::use_awaitable);
        co_return 7;
    };
    for (int steps = 0; steps < 12; ++steps) {
        asio::io_context other;
        manual_strands strands;
        auto started =
            strands.start(costar::as_task(with_timeout(1ms, asio::co_spawn(other, elsewhere(), use_task))));
        strands.run();
        for (int i = 0; i < steps; ++i)
            other.poll_one();
        strands.advance(1ms);
        while (!started->has_ended()) {
            other.restart();
            other.poll_one();
            strands.run();
        }
        other.restart();
        other.poll();

        if (started->code())
            CHECK(started->code() == errc::timed_out);
        else
            CHECK(started->get() == 7);
    }
}
