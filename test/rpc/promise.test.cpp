// SPDX-License-Identifier: MIT

#include <costar/rpc/promise.hpp>

#include <costar/rpc/await.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

task<int> counts_to(int count)
{
    for (int i = 0; i < count; ++i)
        co_await yield();
    co_return count;
}

task<std::unique_ptr<int>> gives_pointer()
{
    co_await yield();
    co_return std::make_unique<int>(9);
}

task<> waits_and_notes(std::string* how)
{
    try {
        co_await sleep_for(1h);
        *how = "woke";
    } catch (const costar::error& thrown) {
        *how = thrown.code() == costar::errc::cancelled ? "cancelled" : "failed";
        throw;
    }
}

}  // namespace

TEST_CASE("promise: a task becomes a promise, and back", "[rpc][promise]")
{
    lone_strand strand;
    const auto body = []() -> task<int> {
        auto promised = rpc::promise_of(gives_pointer());
        auto pointer = co_await kj::mv(promised);
        auto doubled = rpc::promise_of(counts_to(5)).then([](int value) { return 2 * value; });
        co_return *pointer + co_await kj::mv(doubled);
    };

    CHECK(strand.run(body()) == 19);
}

TEST_CASE("promise: what a task throws keeps its kind", "[rpc][promise]")
{
    lone_strand strand;
    const auto fails = [](costar::error_code code) -> task<int> {
        co_await yield();
        throw costar::error(code, "said so");
    };
    const auto body = [](task<int> failing) -> task<> {
        auto promised = rpc::promise_of(std::move(failing));
        static_cast<void>(co_await kj::mv(promised));
    };
    const auto kind = [&](costar::error_code code) {
        try {
            strand.run(body(fails(code)));
        } catch (const rpc::error& thrown) {
            CHECK(std::string(thrown.what()).find("said so") != std::string::npos);
            return thrown.kind();
        }
        throw std::logic_error("nothing was thrown");
    };

    CHECK(kind(rpc::errc::overloaded) == rpc::errc::overloaded);
    CHECK(kind(rpc::errc::unimplemented) == rpc::errc::unimplemented);
    CHECK(kind(costar::errc::mailbox_full) == rpc::errc::overloaded);
    CHECK(kind(costar::errc::actor_stopped) == rpc::errc::disconnected);
    CHECK(kind(costar::errc::no_such_actor) == rpc::errc::failed);
    CHECK(kind(asio::error::make_error_code(asio::error::connection_reset)) == rpc::errc::disconnected);
}

TEST_CASE("promise: dropping it cancels the task", "[rpc][promise]")
{
    lone_strand strand;
    std::string how;
    const auto body = [](std::string& how) -> task<> {
        {
            kj::Promise<void> dropped = rpc::promise_of(waits_and_notes(&how));
            co_await sleep_for(1ms);
        }
        while (how.empty())
            co_await yield();
    };

    strand.run(body(how));
    CHECK(how == "cancelled");
}

TEST_CASE("promise: a strand may end while its tasks are promised", "[rpc][promise]")
{
    std::string how;
    lone_strand strand;
    const auto body = [](std::string& how) -> task<> {
        auto promised = rpc::promise_of(waits_and_notes(&how));
        co_await kj::mv(promised);
    };
    async_spawn((*strand).get_executor(), body(how), [](std::exception_ptr) {});
    strand.settle();
    strand.end();
    CHECK(how.empty());
}

TEST_CASE("promise: a coroutine of Asio becomes one, and is cancelled when it is dropped", "[rpc][promise]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    std::string how;
    const auto waits = [](asio::io_context& io, std::string* how,
                           std::chrono::nanoseconds delay) -> asio::awaitable<int> {
        asio::steady_timer timer(io, delay);
        try {
            co_await timer.async_wait(asio::use_awaitable);
        } catch (const boost::system::system_error& thrown) {
            *how = thrown.code().message();
            throw;
        }
        co_return 4;
    };
    int value = 0;
    rpc::async_wait(rpc::promise_of(waits(io, &how, 1ms)), [&](std::exception_ptr, int got) { value = got; });
    {
        kj::Promise<int> dropped = rpc::promise_of(waits(io, &how, 1h));
        io.poll();
    }
    io.restart();
    io.run();

    CHECK(value == 4);
    CHECK(how == "Operation canceled");
}

TEST_CASE("promise: a task outside of a strand is refused with a sentence", "[rpc][promise]")
{
    std::string said;
    try {
        rpc::promise_of(counts_to(1));
    } catch (const std::logic_error& thrown) {
        said = thrown.what();
    }
    CHECK(said.find("in a turn of a strand") != std::string::npos);
}
