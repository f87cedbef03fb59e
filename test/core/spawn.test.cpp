// SPDX-License-Identifier: MIT

#include <costar/core/spawn.hpp>

#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>

namespace {

namespace asio = boost::asio;
using costar::async_spawn;
using costar::task;
using support::manual_strands;
using support::tracked;
using namespace std::chrono_literals;

task<std::string> answer(std::string text)
{
    co_await costar::sleep_for(1ms);
    co_return text;
}

task<int> failing()
{
    co_await costar::yield();
    throw std::runtime_error("broken");
}

struct throws_on_move {
    throws_on_move() = default;
    throws_on_move(throws_on_move&& other) : armed(other.armed)
    {
        if (armed)
            throw std::runtime_error("cannot move");
    }
    bool armed = false;
};

}  // namespace

TEST_CASE("spawn: a callback gets the value on the strand, and never inside the initiation", "[core][spawn]")
{
    manual_strands strands;
    std::string got;
    costar::machine::strand_context* where = nullptr;

    async_spawn(
        strands[0].get_executor(), answer("hello"), [&](std::exception_ptr failure, std::string value) {
            CHECK_FALSE(failure);
            got = std::move(value);
            where = costar::machine::strand_context::current();
        });
    CHECK(got.empty());
    strands.advance(1ms);

    CHECK(got == "hello");
    CHECK(where == &strands[0]);
}

TEST_CASE("spawn: a callback gets the exception and an empty value", "[core][spawn]")
{
    manual_strands strands;
    bool called = false;

    async_spawn(strands[0].get_executor(), failing(), [&](std::exception_ptr failure, int value) {
        called = true;
        CHECK(value == 0);
        CHECK_THROWS_AS(std::rethrow_exception(failure), std::runtime_error);
    });
    strands.run();

    CHECK(called);
}

TEST_CASE("spawn: a value that throws when it is moved becomes the exception", "[core][spawn]")
{
    manual_strands strands;
    std::exception_ptr got;
    const auto make = []() -> task<throws_on_move> {
        throws_on_move made;
        made.armed = true;
        co_return made;
    };

    async_spawn(strands[0].get_executor(), make(),
        [&](std::exception_ptr failure, throws_on_move) { got = std::move(failure); });
    strands.run();

    REQUIRE(got);
    CHECK_THROWS_AS(std::rethrow_exception(got), std::runtime_error);
}

TEST_CASE("spawn: futures, tuples, deferred and detached completions", "[core][spawn]")
{
    manual_strands strands;
    const costar::strand where = strands[0].get_executor();

    SECTION("use_future with a value, an exception and nothing")
    {
        auto value = async_spawn(where, answer("future"), asio::use_future);
        auto failure = async_spawn(where, failing(), asio::use_future);
        auto none = async_spawn(where, []() -> task<> { co_return; }(), asio::use_future);
        strands.advance(1ms);
        CHECK(value.get() == "future");
        CHECK_THROWS_AS(failure.get(), std::runtime_error);
        CHECK_NOTHROW(none.get());
    }
    SECTION("as_tuple")
    {
        std::string got;
        async_spawn(where, answer("tuple"),
            asio::as_tuple([&](std::tuple<std::exception_ptr, std::string> all) { got = std::get<1>(all); }));
        strands.advance(1ms);
        CHECK(got == "tuple");
    }
    SECTION("deferred: nothing runs until it is called")
    {
        bool ran = false;
        const auto body = [](bool& ran) -> task<> {
            ran = true;
            co_return;
        };
        auto later = async_spawn(where, body(ran), asio::deferred);
        strands.run();
        CHECK_FALSE(ran);
        bool called = false;
        std::move(later)([&](std::exception_ptr) { called = true; });
        strands.run();
        CHECK(ran);
        CHECK(called);
    }
    SECTION("detached, with an exception that nobody sees")
    {
        int alive = 0;
        async_spawn(
            where,
            [](tracked) -> task<> {
                co_await costar::yield();
                throw std::runtime_error("unseen");
            }(tracked(alive)),
            asio::detached);
        strands.run();
        CHECK(alive == 0);
    }
    SECTION("a value that can only be moved, for a handler that can only be moved")
    {
        std::unique_ptr<int> got;
        const auto make = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(9); };
        async_spawn(where, make(),
            [&, only = std::make_unique<int>(1)](
                std::exception_ptr, std::unique_ptr<int> value) { got = std::move(value); });
        strands.run();
        CHECK(*got == 9);
    }
}

namespace {

/// Has no empty value.
struct receipt {
    explicit receipt(int number) : number(number) {}
    int number;
};

task<receipt> receipt_or_failure(bool fails)
{
    co_await costar::yield();
    if (fails)
        throw std::runtime_error("broken");
    co_return receipt(3);
}

task<int&> refers_to(int* place)
{
    co_await costar::yield();
    co_return *place;
}

}  // namespace

TEST_CASE("spawn: a value that cannot be empty comes as optional, a reference as pointer", "[core][spawn]")
{
    manual_strands strands;
    std::optional<receipt> seen;
    bool failed = false;
    int place = 4;
    int* found = nullptr;

    async_spawn(strands[0].get_executor(), receipt_or_failure(false),
        [&](std::exception_ptr, std::optional<receipt> value) { seen = value; });
    async_spawn(strands[0].get_executor(), receipt_or_failure(true),
        [&](std::exception_ptr failure, std::optional<receipt> value) { failed = failure && !value; });
    async_spawn(
        strands[0].get_executor(), refers_to(&place), [&](std::exception_ptr, int* value) { found = value; });
    strands.run();

    REQUIRE(seen);
    CHECK(seen->number == 3);
    CHECK(failed);
    CHECK(found == &place);
}

TEST_CASE("spawn: an asio coroutine awaits a task in its own context", "[core][spawn]")
{
    manual_strands strands;
    asio::io_context io;
    std::string got;
    bool threw = false;

    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            got = co_await async_spawn(strands[0].get_executor(), answer("awaited"), asio::use_awaitable);
            CHECK(costar::machine::strand_context::current() == nullptr);
            try {
                co_await async_spawn(strands[0].get_executor(), failing(), asio::use_awaitable);
            } catch (const std::runtime_error&) {
                threw = true;
            }
        },
        asio::detached);
    while (!threw && (io.poll() != 0 || !io.stopped())) {
        strands.advance(1ms);
        io.poll();
    }

    CHECK(got == "awaited");
    CHECK(threw);
}

TEST_CASE("spawn: a task that never begins or never ends is destroyed with its strand", "[core][spawn]")
{
    int alive = 0;
    std::future<void> broken;
    const auto body = [](tracked) -> task<> { co_await costar::sleep_for(1h); };
    {
        manual_strands strands;
        const bool begins = GENERATE(false, true);
        broken = async_spawn(strands[0].get_executor(), body(tracked(alive)), asio::use_future);
        if (begins)
            strands.run();
        CHECK(alive == 1);
    }

    CHECK(alive == 0);
    CHECK_THROWS_AS(broken.get(), std::future_error);
}

TEST_CASE("spawn: a task can be spawned from inside the strand and from another thread", "[core][spawn]")
{
    manual_strands strands;
    std::string inside;
    std::future<std::string> outside;

    strands.start([](manual_strands& strands, std::string& inside) -> task<> {
        async_spawn(strands[0].get_executor(), answer("inside"),
            [&inside](std::exception_ptr, std::string text) { inside = std::move(text); });
        co_return;
    }(strands, inside));
    std::thread([&] {
        outside = async_spawn(strands[0].get_executor(), answer("outside"), asio::use_future);
    }).join();
    strands.advance(1ms);

    CHECK(inside == "inside");
    CHECK(outside.get() == "outside");
}
