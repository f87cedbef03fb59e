// SPDX-License-Identifier: MIT

#include <costar/core/branch_group.hpp>

#include <costar/core/timer.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <concepts>
#include <coroutine>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace {

using costar::task;
using support::manual_strands;
using namespace std::chrono_literals;

/// Awaits two tasks and notes in which order they end.
class both final : costar::machine::branch_group {
public:
    both(task<> first, task<> second, int& ended) : tasks_{std::move(first), std::move(second)}, ended_(ended)
    {}

    bool await_ready() const noexcept { return false; }
    template <std::derived_from<costar::machine::promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> caller)
    {
        await_branches(caller.promise(), 2);
        for (int i = 0; i < 2; ++i)
            branches_[i].start(tasks_[i].promise(), caller.promise().scope(), *this);
    }
    void await_resume() noexcept
    {
        for (branch& each : branches_)
            each.close();
    }

private:
    void task_ended(costar::machine::promise_base& promise) noexcept override
    {
        ended_ = ended_ * 10 + (branches_[0].is(promise) ? 1 : 2);
        branch_ended(promise);
    }

    task<> tasks_[2];
    branch branches_[2];
    int& ended_;
};

}  // namespace

static_assert(std::is_same_v<costar::machine::awaited_t<task<int>>, int>);
static_assert(std::is_same_v<costar::machine::awaited_t<costar::machine::sleep_awaiter>, void>);
static_assert(std::is_same_v<costar::machine::something<void>, std::monostate>);
static_assert(std::is_same_v<costar::machine::something<int&>, std::reference_wrapper<int>>);

TEST_CASE("branch_group: who awaits it goes on when the last branch has ended", "[core][branch_group]")
{
    manual_strands strands;
    int ended = 0;
    const auto pause = [](std::chrono::nanoseconds delay) -> task<> { co_await costar::sleep_for(delay); };
    auto started = strands.start(
        [](auto pause, int& ended) -> task<> { co_await both(pause(2ms), pause(1ms), ended); }(pause, ended));

    strands.advance(1ms);
    CHECK(ended == 2);
    CHECK_FALSE(started->has_ended());
    strands.advance(1ms);

    CHECK(ended == 21);
    CHECK(started->has_ended());
}

TEST_CASE("branch_group: anything that can be awaited becomes a task", "[core][branch_group]")
{
    manual_strands strands;
    const auto value = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };

    CHECK(*strands.run(costar::as_task(value())) == 3);
    strands.run(costar::as_task(costar::sleep_for(1ms)));
    CHECK(strands.now() == 1ms);
}

TEST_CASE("branch_group: a task that is empty is refused before another begins", "[core][branch_group]")
{
    const auto work = []() -> task<> { co_return; };
    task<> empty = work();
    const task<> whole = std::move(empty);

    CHECK_NOTHROW(costar::machine::check_begun(whole));
    CHECK_THROWS_AS(costar::machine::check_begun(empty), std::logic_error);
}
