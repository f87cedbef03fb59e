// SPDX-License-Identifier: MIT

#include <costar/core/result.hpp>

#include <costar/testing/simulation.hpp>

#include "support/catch.hpp"

#include <stdexcept>
#include <string>

using namespace costar;
using namespace std::chrono_literals;

namespace {

task<std::string> word()
{
    co_return "word";
}

task<std::string> late()
{
    co_await sleep_for(1s);
    throw error(errc::timed_out);
}

task<> nothing_at_all()
{
    co_return;
}

/// An error code could be one of these too.
task<bool> late_truth(bool is_late)
{
    co_await yield();
    if (is_late)
        throw error(errc::timed_out);
    co_return true;
}

task<> broken()
{
    co_await yield();
    throw std::logic_error("broken");
}

}  // namespace

TEST_CASE("result: a value stays a value", "[core][result]")
{
    testing::simulation sim;

    const result<std::string> got = sim.run(as_result(word()));

    REQUIRE(got.has_value());
    CHECK(got.value() == "word");
    CHECK(sim.run(as_result(nothing_at_all())).has_value());
}

TEST_CASE("result: a system error becomes its code", "[core][result]")
{
    testing::simulation sim;

    const result<std::string> got = sim.run(as_result(late()));

    REQUIRE(got.has_error());
    CHECK(got.error() == errc::timed_out);
}

TEST_CASE("result: a truth and its error are told apart", "[core][result]")
{
    testing::simulation sim;

    const result<bool> got = sim.run(as_result(late_truth(false)));
    REQUIRE(got.has_value());
    CHECK(got.value());
    const result<bool> failed = sim.run(as_result(late_truth(true)));
    REQUIRE(failed.has_error());
    CHECK(failed.error() == errc::timed_out);
}

TEST_CASE("result: another exception passes", "[core][result]")
{
    testing::simulation sim;

    CHECK_THROWS_AS(sim.run(as_result(broken())), std::logic_error);
}
