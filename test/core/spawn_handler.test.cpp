// SPDX-License-Identifier: MIT

// What `async_spawn` asks of its completion handler: executor, allocator and cancellation slot.

#include <costar/core/spawn.hpp>

#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace {

namespace asio = boost::asio;
using costar::async_spawn;
using costar::errc;
using costar::task;
using support::manual_strands;
using namespace std::chrono_literals;

task<std::string> says(std::string text)
{
    co_await costar::sleep_for(1ms);
    co_return text;
}

/// Counts the blocks that are out.
template <class Value>
struct counting_allocator {
    using value_type = Value;

    counting_allocator(int& live, int& total) noexcept : live(&live), total(&total) {}
    template <class Other>
    counting_allocator(const counting_allocator<Other>& other) noexcept : live(other.live), total(other.total)
    {}
    Value* allocate(std::size_t count)
    {
        ++*live;
        ++*total;
        return std::allocator<Value>().allocate(count);
    }
    void deallocate(Value* values, std::size_t count) noexcept
    {
        --*live;
        std::allocator<Value>().deallocate(values, count);
    }
    template <class Other>
    bool operator==(const counting_allocator<Other>& other) const noexcept
    {
        return live == other.live;
    }

    int* live;
    int* total;
};

}  // namespace

TEST_CASE(
    "spawn_handler: the handler's executor calls it, outside of the strand's turn", "[core][spawn_handler]")
{
    manual_strands strands;
    asio::io_context io;
    bool called = false;

    async_spawn(strands[0].get_executor(), says("there"),
        asio::bind_executor(io, [&](std::exception_ptr, std::string) {
            called = true;
            CHECK(io.get_executor().running_in_this_thread());
            CHECK(costar::machine::strand_context::current() == nullptr);
        }));
    strands.advance(1ms);
    CHECK_FALSE(called);
    io.run();

    CHECK(called);
}

TEST_CASE(
    "spawn_handler: the handler's executor has work until the handler is called", "[core][spawn_handler]")
{
    manual_strands strands;
    asio::io_context io;
    async_spawn(strands[0].get_executor(), says("work"),
        asio::bind_executor(io, [](std::exception_ptr, std::string) {}));

    CHECK(io.poll() == 0);
    CHECK_FALSE(io.stopped());
    strands.advance(1ms);
    CHECK(io.poll() == 1);

    CHECK(io.stopped());
}

TEST_CASE(
    "spawn_handler: the handler's allocator gives the memory and has it back before the handler is called",
    "[core][spawn_handler]")
{
    int live = 0;
    int total = 0;
    manual_strands strands;
    asio::io_context io;
    const counting_allocator<void> allocator(live, total);
    bool called = false;
    const auto handler = [&](std::exception_ptr, std::string) {
        called = true;
        CHECK(live == 0);
    };

    SECTION("on the strand")
    {
        async_spawn(strands[0].get_executor(), says("memory"), asio::bind_allocator(allocator, handler));
        CHECK(live == 1);
        strands.advance(1ms);
    }
    SECTION("on another executor")
    {
        async_spawn(strands[0].get_executor(), says("memory"),
            asio::bind_allocator(allocator, asio::bind_executor(io, handler)));
        strands.advance(1ms);
        CHECK(live == 1);
        io.run();
    }

    CHECK(called);
    CHECK(live == 0);
    CHECK(total > 0);
}

TEST_CASE(
    "spawn_handler: a cancellation slot cancels the task before, during and after", "[core][spawn_handler]")
{
    manual_strands strands;
    int steps = 0;
    auto started = strands.start([](int& steps) -> task<> {
        ++steps;
        co_await costar::sleep_for(1s);
        ++steps;
    }(steps));

    SECTION("before it has begun")
    {
        started->cancel();
        strands.run();
        CHECK(started->code() == errc::cancelled);
        CHECK(steps == 1);
    }
    SECTION("while it waits")
    {
        strands.run();
        started->cancel();
        started->cancel();
        strands.run();
        CHECK(started->code() == errc::cancelled);
        CHECK(steps == 1);
    }
    SECTION("when it has ended, but its handler was not called")
    {
        strands.run();
        strands.clock().advance(1s);
        started->cancel();
        strands.run();
        CHECK(started->has_ended());
    }
    SECTION("after its handler was called")
    {
        strands.advance(1s);
        started->cancel();
        strands.run();
        CHECK_FALSE(started->code());
        CHECK(steps == 2);
    }
}

TEST_CASE("spawn_handler: a signal may be emitted after the strand has ended", "[core][spawn_handler]")
{
    std::shared_ptr<support::outcome<void>> started;
    {
        manual_strands strands;
        started = strands.start([]() -> task<> { co_await costar::sleep_for(1h); }());
        strands.run();
    }

    CHECK_NOTHROW(started->cancel());
    CHECK_FALSE(started->has_ended());
}
