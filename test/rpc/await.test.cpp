// SPDX-License-Identifier: MIT

#include <costar/rpc/await.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when_any.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <memory>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// A promise that never comes, and notes when it is dropped.
rpc::pending<kj::Promise<int>> watched(bool& dropped)
{
    return kj::Promise<int>(kj::NEVER_DONE).attach(kj::defer([&dropped] { dropped = true; }));
}

rpc::pending<kj::Promise<int>> broken(kj::Exception::Type kind)
{
    return kj::Promise<int>(kj::Exception(kind, "", 0, kj::str("first line\nsecond")));
}

}  // namespace

TEST_CASE("await: a promise gives its value", "[rpc][await]")
{
    lone_strand strand;
    const auto body = []() -> task<int> {
        kj::Promise<void> ready = kj::READY_NOW;
        co_await kj::mv(ready);
        kj::Promise<int> has_five(5);
        const int five = co_await kj::mv(has_five);
        auto text = co_await later([] { return kj::str("later"); });
        auto pair = kj::newPromiseAndFulfiller<int>();
        auto chained = pair.promise.then([](int value) { return value * 2; });
        pair.fulfiller->fulfill(21);
        co_return five + static_cast<int>(text.size()) + co_await kj::mv(chained);
    };

    CHECK(strand.run(body()) == 5 + 5 + 42);
}

TEST_CASE(
    "await: an object of this process is called where nothing of Cap'n Proto was used before", "[rpc][await]")
{
    lone_strand strand;
    const auto body = []() -> task<std::string> {
        hub::Hub::Client hub = kj::heap<hub_server>();
        auto request = hub.echoRequest();
        request.setText("here");
        auto answer = co_await rpc::send(request);
        co_return answer.getText().cStr();
    };

    CHECK(strand.run(body()) == "here");
}

TEST_CASE("await: a broken promise throws its kind and a text of one line", "[rpc][await]")
{
    lone_strand strand;
    using type = kj::Exception::Type;
    for (const auto& [kind, code] :
        {std::pair(type::FAILED, rpc::errc::failed), std::pair(type::OVERLOADED, rpc::errc::overloaded),
            std::pair(type::DISCONNECTED, rpc::errc::disconnected),
            std::pair(type::UNIMPLEMENTED, rpc::errc::unimplemented)}) {
        const auto body = [](type kind) -> task<> { co_await broken(kind); };
        try {
            strand.run(body(kind));
            FAIL("nothing was thrown");
        } catch (const rpc::error& thrown) {
            CHECK(thrown.kind() == code);
            CHECK(thrown.code() == code);
            CHECK(std::string(thrown.what()).find("first line second") != std::string::npos);
        }
    }
}

TEST_CASE("await: a task that gives up drops the promise", "[rpc][await]")
{
    lone_strand strand;
    bool dropped = false;
    const auto body = [](bool& dropped) -> task<> { co_await with_timeout(1ms, watched(dropped)); };

    CHECK_THROWS_AS(strand.run(body(dropped)), costar::error);
    CHECK(dropped);
}

TEST_CASE("await: in a cancelled scope nothing is begun", "[rpc][await]")
{
    lone_strand strand;
    int begun = 0;
    const auto body = [](int& begun) -> task<> {
        static_cast<void>(co_await as_result(sleep_for(1h)));
        co_await later([&begun] { ++begun; });
    };
    const auto ends = [](task<> body) -> task<> { co_await when_any(std::move(body), sleep_for(1ms)); };

    strand.run(ends(body(begun)));
    CHECK(begun == 0);
}

TEST_CASE("await: whichever comes first of a promise and a timer", "[rpc][await]")
{
    lone_strand strand;
    const auto body = []() -> task<std::size_t> {
        auto pair = kj::newPromiseAndFulfiller<int>();
        const auto fulfills = [](kj::PromiseFulfiller<int>& fulfiller) -> task<> {
            co_await sleep_for(1ms);
            fulfiller.fulfill(3);
            co_await sleep_for(1h);
        };
        rpc::pending three(kj::mv(pair.promise));
        auto both = co_await when_any(std::move(three), fulfills(*pair.fulfiller));
        co_return both.index();
    };

    CHECK(strand.run(body()) == 0);
}

TEST_CASE("await: what is left when the strand ends is destroyed, and its promises dropped", "[rpc][await]")
{
    bool dropped = false;
    const auto waits = [](bool& dropped) -> task<> { co_await watched(dropped); };
    {
        lone_strand strand;
        async_spawn((*strand).get_executor(), waits(dropped), [](std::exception_ptr) {});
        strand.settle();
        CHECK_FALSE(dropped);
        strand.end();
    }
    CHECK(dropped);
}

TEST_CASE("await: a coroutine of Asio waits for a promise on an executor without an engine", "[rpc][await]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    const auto body = []() -> asio::awaitable<int> {
        co_await rpc::async_wait(later([] {}), asio::use_awaitable);
        co_return co_await rpc::async_wait(later([] { return 17; }), asio::use_awaitable);
    };

    auto ended = asio::co_spawn(io, body(), asio::use_future);
    io.run();
    CHECK(ended.get() == 17);
}

TEST_CASE("await: a coroutine of Asio takes what comes first, and the promise is dropped", "[rpc][await]")
{
    using namespace asio::experimental::awaitable_operators;
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    bool dropped = false;
    const auto body = [](asio::io_context& io, bool& dropped) -> asio::awaitable<std::size_t> {
        asio::steady_timer timer(io, 1ms);
        auto first = co_await (
            rpc::async_wait(watched(dropped), asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
        co_return first.index();
    };

    auto ended = asio::co_spawn(io, body(io, dropped), asio::use_future);
    io.run();
    CHECK(ended.get() == 1);
    CHECK(dropped);
}

TEST_CASE("await: a handler may destroy what it waited for, and wait again", "[rpc][await]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    auto pair = kj::newPromiseAndFulfiller<int>();
    auto forked = std::make_unique<kj::ForkedPromise<int>>(pair.promise.fork());
    std::vector<int> seen;
    rpc::async_wait(forked->addBranch(), [&](std::exception_ptr, int value) {
        seen.push_back(value);
        forked.reset();
        rpc::async_wait(kj::Promise<int>(8), [&](std::exception_ptr, int value) { seen.push_back(value); });
    });
    pair.fulfiller->fulfill(7);
    io.run();

    CHECK(seen == std::vector{7, 8});
}

TEST_CASE("await: a handler that throws leaves the others to the next run", "[rpc][await]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    int second = 0;
    rpc::async_wait(kj::Promise<int>(1), [](std::exception_ptr, int) { throw std::runtime_error("thrown"); });
    rpc::async_wait(kj::Promise<int>(2), [&](std::exception_ptr, int value) { second = value; });

    CHECK_THROWS_AS(io.run(), std::runtime_error);
    io.run();
    CHECK(second == 2);
}

TEST_CASE("await: a signal that comes after the event loop has ended does no harm", "[rpc][await]")
{
    asio::io_context io;
    asio::cancellation_signal signal;
    bool called = false;
    {
        rpc::event_loop loop(io.get_executor());
        rpc::async_wait(kj::Promise<void>(kj::NEVER_DONE),
            asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { called = true; }));
        io.poll();
    }
    signal.emit(asio::cancellation_type::all);
    io.restart();
    io.poll();

    CHECK_FALSE(called);
}
