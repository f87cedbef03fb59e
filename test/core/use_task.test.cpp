// SPDX-License-Identifier: MIT

#include <costar/core/use_task.hpp>

#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include "operations.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using costar::errc;
using costar::task;
using costar::use_task;
using costar::with_timeout;
using support::async_give;
using support::held_operation;
using support::manual_strands;
using support::tracked;
using namespace std::chrono_literals;

const error_code refused = asio::error::connection_refused;

}  // namespace

TEST_CASE("use_task: every form of signature becomes a result", "[core][use_task]")
{
    manual_strands strands;
    const auto body = []() -> task<> {
        co_await async_give<void()>(use_task);
        co_await async_give<void(error_code)>(use_task, error_code());
        co_await async_give<void(std::exception_ptr)>(use_task, std::exception_ptr());
        CHECK(co_await async_give<void(int)>(use_task, 1) == 1);
        CHECK(co_await async_give<void(error_code, int)>(use_task, error_code(), 2) == 2);
        CHECK(co_await async_give<void(std::exception_ptr, int)>(use_task, std::exception_ptr(), 3) == 3);
        auto [number, text] = co_await async_give<void(int, std::string)>(use_task, 4, std::string("four"));
        CHECK(number == 4);
        CHECK(text == "four");
        auto [size, only] = co_await async_give<void(error_code, int, std::unique_ptr<int>)>(
            use_task, error_code(), 5, std::make_unique<int>(6));
        CHECK(size == 5);
        CHECK(*only == 6);
        const std::unique_ptr<int> alone = co_await async_give<void(error_code, std::unique_ptr<int>)>(
            use_task, error_code(), std::make_unique<int>(7));
        CHECK(*alone == 7);
    };

    strands.run(body());
}

TEST_CASE("use_task: a leading error is thrown", "[core][use_task]")
{
    manual_strands strands;
    const auto with_code = []() -> task<> { co_await async_give<void(error_code)>(use_task, refused); };
    const auto with_value = []() -> task<int> {
        co_return co_await async_give<void(error_code, int)>(use_task, refused, 1);
    };
    const auto with_exception = []() -> task<> {
        co_await async_give<void(std::exception_ptr)>(
            use_task, std::make_exception_ptr(std::runtime_error("thrown")));
    };

    auto code = strands.start(with_code());
    auto value = strands.start(with_value());
    strands.run();

    CHECK(code->code() == refused);
    CHECK(value->code() == refused);
    CHECK_THROWS_AS(strands.run(with_exception()), std::runtime_error);
}

TEST_CASE("use_task: as_tuple and redirect_error return the error", "[core][use_task]")
{
    manual_strands strands;
    const auto body = []() -> task<> {
        auto [code, number] =
            co_await async_give<void(error_code, int)>(asio::as_tuple(use_task), refused, 8);
        CHECK(code == refused);
        CHECK(number == 8);
        auto [alone] = co_await async_give<void(error_code)>(asio::as_tuple(use_task), refused);
        CHECK(alone == refused);
        error_code redirected;
        CHECK(co_await async_give<void(error_code, int)>(
                  asio::redirect_error(use_task, redirected), refused, 9) == 9);
        CHECK(redirected == refused);
    };

    strands.run(body());
}

TEST_CASE("use_task: it can be an object's default token", "[core][use_task]")
{
    asio::io_context io;
    costar::machine::scheduler strands({io.get_executor()}, {});
    support::recording_receiver receiver;
    strands.start({&receiver});
    using timer = costar::use_task_t::as_default_on_t<asio::steady_timer>;
    const auto body = [](asio::io_context& io) -> task<int> {
        timer first(io, 0ms);
        co_await first.async_wait();
        auto second = costar::use_task_t::as_default_on(asio::steady_timer(io, 0ms));
        co_await second.async_wait();
        auto third = use_task.as_default_on(asio::steady_timer(io, 0ms));
        auto [code] = co_await third.async_wait(asio::as_tuple(use_task));
        CHECK_FALSE(code);
        co_return 3;
    };

    auto started = support::start(strands.at(0), body(io));
    io.run();

    CHECK(started->get() == 3);
}

TEST_CASE("use_task: deferred operations and asio coroutines can be awaited", "[core][use_task]")
{
    asio::io_context io;
    costar::machine::scheduler strands({io.get_executor()}, {});
    support::recording_receiver receiver;
    strands.start({&receiver});
    const auto coroutine = [](costar::machine::strand_context& home,
                               std::string text) -> asio::awaitable<std::string> {
        CHECK(costar::machine::strand_context::current() == &home);
        asio::steady_timer timer(co_await asio::this_coro::executor, 0ms);
        co_await timer.async_wait(asio::use_awaitable);
        CHECK(costar::machine::strand_context::current() == &home);
        co_return text;
    };
    const auto failing = []() -> asio::awaitable<void> {
        throw std::runtime_error("in asio");
        co_return;
    };
    const auto body = [](auto coroutine, auto failing, costar::machine::strand_context& home) -> task<> {
        CHECK(co_await coroutine(home, "bridged") == "bridged");
        CHECK_THROWS_AS(co_await failing(), std::runtime_error);
        CHECK(co_await async_give<void(error_code, int)>(asio::deferred, error_code(), 4) == 4);
        auto both =
            co_await costar::when_all(coroutine(home, "one"), async_give<void(int)>(asio::deferred, 2));
        CHECK(std::get<0>(both) == "one");
        CHECK(std::get<1>(both) == 2);
    };

    auto started = support::start(strands.at(0), body(coroutine, failing, strands.at(0)));
    io.run();

    started->get();
}

TEST_CASE("use_task: an asio coroutine that is awaited is cancelled with its task", "[core][use_task]")
{
    asio::io_context io;
    costar::machine::scheduler strands({io.get_executor()}, {});
    support::recording_receiver receiver;
    strands.start({&receiver});
    int alive = 0;
    const auto coroutine = [](tracked) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
        co_await timer.async_wait(asio::use_awaitable);
    };
    const auto body = [](auto coroutine, int& alive) -> task<> { co_await coroutine(tracked(alive)); };

    auto started = support::start(strands.at(0), body(coroutine, alive));
    io.poll();
    CHECK(alive != 0);
    started->cancel();
    io.run();

    CHECK(started->code() == std::errc::operation_canceled);
    CHECK(alive == 0);
}

TEST_CASE("use_task: composed operations run on the strand", "[core][use_task]")
{
    manual_strands strands;
    const auto compose = [](auto&& token) {
        return asio::async_compose<decltype(token), void(error_code, int)>(
            [rounds = 0](auto& self, error_code = {}) mutable {
                CHECK(costar::machine::strand_context::current() != nullptr);
                if (++rounds == 4)
                    self.complete({}, rounds);
                else
                    async_give<void(error_code)>(std::move(self), error_code());
            },
            token);
    };

    CHECK(strands.run([](auto compose) -> task<int> { co_return co_await compose(use_task); }(compose)) == 4);
}

TEST_CASE("use_task: what an initiation throws passes to the coroutine", "[core][use_task]")
{
    manual_strands strands;
    const auto body = [](bool moves) -> task<std::string> {
        try {
            co_await asio::async_initiate<const costar::use_task_t, void(int)>(
                [](auto handler, bool moves) {
                    const auto taken = moves ? std::optional(std::move(handler)) : std::nullopt;
                    throw std::runtime_error("not begun");
                },
                use_task, moves);
        } catch (const std::runtime_error& thrown) {
            co_return thrown.what();
        }
        co_return "nothing";
    };

    CHECK(strands.run(body(false)) == "not begun");
    CHECK(strands.run(body(true)) == "not begun");
}

TEST_CASE("use_task: an operation may complete inside its initiation", "[core][use_task]")
{
    manual_strands strands;
    const auto body = []() -> task<int> {
        int sum = 0;
        for (int i = 0; i < 1000; ++i)
            sum += co_await asio::async_initiate<const costar::use_task_t, void(int)>(
                [](auto handler, int value) { std::move(handler)(value); }, use_task, 1);
        co_return sum;
    };

    CHECK(strands.run(body()) == 1000);
}

TEST_CASE("use_task: in a cancelled scope nothing is started, whatever the token", "[core][use_task]")
{
    manual_strands strands;
    held_operation<error_code> operation;
    int caught = 0;
    auto started = strands.start([](auto& operation, int& caught) -> task<> {
        try {
            co_await operation.async_wait(use_task);
        } catch (const costar::error& thrown) {
            caught += thrown.code() == errc::cancelled ? 1 : 0;
        }
        try {
            co_await operation.async_wait(asio::as_tuple(use_task));
        } catch (const costar::error& thrown) {
            caught += thrown.code() == errc::cancelled ? 1 : 0;
        }
    }(operation, caught));

    started->cancel();
    strands.run();

    CHECK(caught == 2);
    CHECK(operation.started == 0);
}

TEST_CASE("use_task: with_timeout cancels an operation", "[core][use_task]")
{
    asio::io_context io;
    costar::machine::scheduler strands({io.get_executor()}, {});
    support::recording_receiver receiver;
    strands.start({&receiver});
    const auto body = [](asio::io_context& io) -> task<> {
        asio::steady_timer timer(io, 1h);
        co_await costar::with_timeout(1us, timer.async_wait(use_task));
    };

    auto started = support::start(strands.at(0), body(io));
    io.run();

    CHECK(started->code() == errc::timed_out);
}
