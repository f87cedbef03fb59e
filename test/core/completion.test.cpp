// SPDX-License-Identifier: MIT

#include <costar/core/completion.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <vector>

namespace {

namespace asio = boost::asio;
using costar::machine::completion;
using support::manual_strands;

struct cancellable {
    void cancel() noexcept { ++cancelled; }
    int cancelled = 0;
};

/// Runs everything at once, has no context and does not track work.
struct inline_executor {
    template <class Function>
    void execute(Function function) const
    {
        std::move(function)();
    }
    bool operator==(const inline_executor&) const noexcept { return true; }
    bool operator!=(const inline_executor&) const noexcept { return false; }
};

template <class Handler>
completion<Handler> make_completion(costar::machine::strand_context& home, Handler handler)
{
    return completion<Handler>(home, std::move(handler));
}

}  // namespace

TEST_CASE("completion: without executor the strand calls the handler in the same turn", "[core][completion]")
{
    manual_strands strands;
    int got = 0;
    strands[0].post([&] {
        make_completion(strands[0], [&](int value, std::unique_ptr<int> more) { got = value + *more; })(
            1, std::make_unique<int>(2));
        CHECK(got == 3);
    });

    strands.run();

    CHECK(got == 3);
}

TEST_CASE("completion: an executor of the context that runs the strand calls outside of the turn",
    "[core][completion]")
{
    asio::io_context io;
    auto strands = std::make_optional<costar::machine::scheduler>(
        std::vector<asio::any_io_executor>{io.get_executor()}, costar::machine::scheduler_options{});
    support::recording_receiver receiver;
    strands->start({&receiver});
    bool called = false;
    strands->at(0).post([&] {
        make_completion(strands->at(0), asio::bind_executor(io, [&] {
            called = true;
            CHECK(costar::machine::strand_context::current() == nullptr);
            strands.reset();  // as a coroutine does that has made an engine of its own
        }))();
        CHECK_FALSE(called);
    });

    io.run();

    CHECK(called);
}

TEST_CASE("completion: a future's promise is kept at once", "[core][completion]")
{
    manual_strands strands;
    auto kept = asio::async_initiate<const asio::use_future_t<>, void(int)>(
        [&](auto handler) {
            strands[0].post([&strands, handler = std::move(handler)]() mutable {
                make_completion(strands[0], std::move(handler))(3);
            });
        },
        asio::use_future);

    strands.run();

    REQUIRE(kept.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    CHECK(kept.get() == 3);
}

TEST_CASE("completion: its executor has work as long as it lives", "[core][completion]")
{
    manual_strands strands;
    asio::io_context io;
    {
        const auto waiting = make_completion(strands[0], asio::bind_executor(io, [] {}));
        io.poll();
        CHECK_FALSE(io.stopped());
    }

    io.poll();

    CHECK(io.stopped());
}

TEST_CASE("completion: an executor that cannot track work will do", "[core][completion]")
{
    manual_strands strands;
    int called = 0;
    strands[0].post(
        [&] { make_completion(strands[0], asio::bind_executor(inline_executor(), [&] { ++called; }))(); });

    strands.run();

    CHECK(called == 1);
}

TEST_CASE(
    "completion: the slot cancels the operation in a turn, as long as it has not ended", "[core][completion]")
{
    manual_strands strands;
    asio::cancellation_signal signal;
    cancellable operation;
    auto waiting =
        std::make_optional(make_completion(strands[0], asio::bind_cancellation_slot(signal.slot(), [] {})));
    waiting->connect_cancellation(strands[0], operation);

    signal.emit(asio::cancellation_type::total);
    CHECK(operation.cancelled == 0);
    strands.run();
    CHECK(operation.cancelled == 1);

    SECTION("its handler was called")
    {
        strands[0].post([&] { (*waiting)(); });
        strands.run();
    }
    SECTION("it was destroyed")
    {
        waiting.reset();
    }
    SECTION("it was destroyed when the emission was on its way")
    {
        signal.emit(asio::cancellation_type::terminal);
        waiting.reset();
    }
    signal.emit(asio::cancellation_type::terminal);
    strands.run();
    CHECK(operation.cancelled == 1);
}

TEST_CASE("completion: moved, it lets go of its operation, which may end first", "[core][completion]")
{
    manual_strands strands;
    asio::cancellation_signal signal;
    cancellable operation;
    bool called = false;
    auto first =
        make_completion(strands[0], asio::bind_cancellation_slot(signal.slot(), [&] { called = true; }));
    first.connect_cancellation(strands[0], operation);

    strands[0].post([second = std::move(first)]() mutable { second(); });
    signal.emit(asio::cancellation_type::all);
    strands.run();

    CHECK(called);
    CHECK(operation.cancelled == 0);
}
