// SPDX-License-Identifier: MIT

#include <costar/core/strand.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/strand.hpp>

#include <type_traits>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace execution = boost::asio::execution;
using costar::machine::strand_context;
using costar::strand;
using support::manual_strands;
using support::tracked;

}  // namespace

static_assert(execution::is_executor_v<strand>);
static_assert(std::is_convertible_v<strand, asio::any_io_executor>);
static_assert(std::is_convertible_v<strand, asio::any_completion_executor>);
static_assert(std::is_nothrow_copy_constructible_v<strand> && std::is_nothrow_move_constructible_v<strand>);

TEST_CASE("strand: dispatch runs at once inside the turn, post and defer never do", "[core][strand]")
{
    manual_strands strands;
    const strand where = strands[0].get_executor();
    std::vector<int> order;

    asio::post(where, [&] {
        CHECK(where.running_in_this_thread());
        asio::post(where, [&] { order.push_back(3); });
        asio::defer(where, [&] { order.push_back(4); });
        asio::dispatch(where, [&] { order.push_back(1); });
        order.push_back(2);
    });
    asio::dispatch(where, [&] { order.push_back(0); });
    CHECK(order.empty());
    CHECK_FALSE(where.running_in_this_thread());
    strands.run();

    // The second was posted from outside as well, so it comes before what the first one posts.
    CHECK(order == std::vector<int>{1, 2, 0, 3, 4});
}

TEST_CASE("strand: its properties can be required, preferred and queried", "[core][strand]")
{
    manual_strands strands;
    const strand plain = strands[0].get_executor();

    CHECK(asio::query(plain, execution::blocking) == execution::blocking.possibly);
    CHECK(asio::query(asio::require(plain, execution::blocking.never), execution::blocking) ==
        execution::blocking.never);
    CHECK(asio::query(plain, execution::relationship) == execution::relationship.fork);
    CHECK(asio::query(asio::prefer(plain, execution::relationship.continuation), execution::relationship) ==
        execution::relationship.continuation);
    CHECK(asio::query(plain, execution::outstanding_work) == execution::outstanding_work.untracked);
    CHECK(asio::query(asio::prefer(plain, execution::outstanding_work.tracked),
              execution::outstanding_work) == execution::outstanding_work.tracked);
    CHECK(&asio::query(plain, execution::context) == &plain.context());
    const strand changed =
        asio::require(asio::require(plain, execution::blocking.never), execution::outstanding_work.tracked);
    CHECK(changed != plain);
    CHECK(asio::require(asio::require(changed, execution::blocking.possibly),
              execution::outstanding_work.untracked) == plain);
}

TEST_CASE("strand: it works inside Asio's type-erased executors", "[core][strand]")
{
    manual_strands strands(2);
    const asio::any_io_executor any = strands[0].get_executor();
    const asio::any_completion_executor completion = strands[0].get_executor();
    int ran = 0;

    asio::post(any, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; });
    asio::dispatch(completion, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; });
    strands.run();

    CHECK(ran == 2);
    CHECK(any == asio::any_io_executor(strands[0].get_executor()));
    CHECK(any != asio::any_io_executor(strands[1].get_executor()));
    CHECK(*any.target<strand>() == strands[0].get_executor());
}

TEST_CASE("strand: foreign executors, guards and coroutines lie on it", "[core][strand]")
{
    manual_strands strands;
    const strand where = strands[0].get_executor();
    int ran = 0;

    SECTION("asio::strand")
    {
        const auto inner = asio::make_strand(where);
        asio::post(inner, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; });
        asio::dispatch(inner, [&] { ran += inner.running_in_this_thread() ? 1 : 0; });
        strands.run();
        CHECK(ran == 2);
    }
    SECTION("bind_executor and a work guard")
    {
        auto guard = asio::make_work_guard(where);
        CHECK(guard.owns_work());
        asio::post(
            asio::bind_executor(where, [&] { ran += strand_context::current() == &strands[0] ? 1 : 0; }));
        guard.reset();
        strands.run();
        CHECK(ran == 1);
    }
    SECTION("co_spawn")
    {
        asio::co_spawn(
            where,
            [&]() -> asio::awaitable<void> {
                ran += strand_context::current() == &strands[0] ? 1 : 0;
                co_await asio::post(where, asio::use_awaitable);
                ran += strand_context::current() == &strands[0] ? 1 : 0;
            },
            asio::detached);
        strands.run();
        CHECK(ran == 2);
    }
}

TEST_CASE("strand: an executor that tracks work may outlive the strand, and refuses", "[core][strand]")
{
    int alive = 0;
    int ran = 0;
    asio::any_io_executor left;
    {
        manual_strands strands;
        left = asio::prefer(strands[0].get_executor(), execution::outstanding_work.tracked);
    }

    asio::post(left, [&, local = tracked(alive)] { ++ran; });
    asio::dispatch(left, [&, local = tracked(alive)] { ++ran; });

    CHECK(ran == 0);
    CHECK(alive == 0);
}
