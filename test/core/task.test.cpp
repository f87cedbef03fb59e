// SPDX-License-Identifier: MIT

#include <costar/core/task.hpp>

#include <costar/core/timer.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using costar::task;
using support::manual_strands;
using support::tracked;
using namespace std::chrono_literals;

task<int> number(int value)
{
    co_return value;
}

task<> nothing()
{
    co_return;
}

task<int> thrower()
{
    throw std::runtime_error("broken");
    co_return 0;
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

/// Looks at the promise of whoever awaits it.
struct peek {
    costar::machine::promise_base*& found;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        found = &caller.promise();
        CHECK(std::string(found->where().file_name()).find("task.test.cpp") != std::string::npos);
        REQUIRE(found->parent() != nullptr);
        CHECK(found->parent()->parent() == nullptr);
        CHECK(&found->parent()->scope() == &found->scope());
        return false;
    }
    void await_resume() const noexcept {}
};

}  // namespace

TEST_CASE("task: an empty one is refused wherever it would run", "[core][task]")
{
    manual_strands strands;
    const auto awaits = [](task<int> first, task<int> second) -> task<int> {
        co_return co_await std::move(first) + co_await std::move(second);
    };
    const auto awaits_all = [](task<int> first, task<int> second) -> task<int> {
        const auto [one, other] = co_await costar::when_all(std::move(first), std::move(second));
        co_return one + other;
    };

    CHECK(strands.run(awaits(number(1), number(2))) == 3);
    CHECK_THROWS_AS(strands.run(awaits(number(1), task<int>())), std::logic_error);
    CHECK(strands.run(awaits_all(number(1), number(2))) == 3);
    CHECK_THROWS_AS(strands.run(awaits_all(number(1), task<int>())), std::logic_error);
    CHECK_THROWS_AS(strands.run(task<int>()), std::logic_error);
}

TEST_CASE("task: it is lazy and ends without running when nobody awaits it", "[core][task]")
{
    bool ran = false;
    int alive = 0;
    const auto body = [](bool& ran, tracked) -> task<> {
        ran = true;
        co_return;
    };

    {
        const task<> unused = body(ran, tracked(alive));
        CHECK(alive == 1);
    }

    CHECK_FALSE(ran);
    CHECK(alive == 0);
}

TEST_CASE("task: it passes values, references and nothing", "[core][task]")
{
    manual_strands strands;

    SECTION("a value")
    {
        CHECK(strands.run(number(7)) == 7);
    }
    SECTION("nothing")
    {
        bool done = false;
        strands.run([](bool& done) -> task<> {
            co_await nothing();
            done = true;
        }(done));
        CHECK(done);
    }
    SECTION("a reference to the same object")
    {
        int object = 1;
        const auto refer = [](int& object) -> task<int&> { co_return object; };
        strands.run([](auto refer, int& object) -> task<> {
            int& same = co_await refer(object);
            same = 2;
            CHECK(&same == &object);
        }(refer, object));
        CHECK(object == 2);
    }
    SECTION("a value that can only be moved")
    {
        const auto make = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
        CHECK(*strands.run(make()) == 3);
    }
    SECTION("a value in braces")
    {
        const auto make = []() -> task<std::pair<int, std::string>> { co_return {1, "one"}; };
        CHECK(strands.run(make()).second == "one");
    }
    SECTION("a value without default constructor")
    {
        struct exact {
            explicit exact(int value) : value(value) {}
            int value;
        };
        const auto outer = []() -> task<int> {
            const auto inner = []() -> task<exact> { co_return exact(4); };
            co_return (co_await inner()).value;
        };
        CHECK(strands.run(outer()) == 4);
    }
}

TEST_CASE("task: an exception passes to whoever awaits", "[core][task]")
{
    manual_strands strands;
    const auto outer = []() -> task<std::string> {
        try {
            co_await thrower();
        } catch (const std::runtime_error& thrown) {
            co_return thrown.what();
        }
        co_return "nothing";
    };

    CHECK(strands.run(outer()) == "broken");
    CHECK_THROWS_AS(strands.run(thrower()), std::runtime_error);
}

TEST_CASE("task: a value that throws when it is moved makes the await throw", "[core][task]")
{
    manual_strands strands;
    const auto make = []() -> task<throws_on_move> {
        throws_on_move made;
        made.armed = true;
        co_return made;
    };
    const auto outer = [](auto make) -> task<bool> {
        try {
            co_await make();
        } catch (const std::runtime_error&) {
            co_return true;
        }
        co_return false;
    };

    CHECK(strands.run(outer(make)));
}

TEST_CASE("task: locals end in order, the inner coroutine's before the outer's", "[core][task]")
{
    manual_strands strands;
    std::vector<std::string> order;
    struct note {
        std::vector<std::string>& order;
        std::string name;
        ~note() { order.push_back(name); }
    };
    const auto inner = [](std::vector<std::string>& order) -> task<> {
        const note first{order, "inner first"};
        const note second{order, "inner second"};
        co_await costar::yield();
    };
    const auto outer = [](auto inner, std::vector<std::string>& order) -> task<> {
        const note first{order, "outer"};
        co_await inner(order);
        order.emplace_back("after");
    };

    strands.run(outer(inner, order));

    CHECK(order == std::vector<std::string>{"inner second", "inner first", "after", "outer"});
}

TEST_CASE("task: one that is destroyed where it waits destroys what it awaits", "[core][task]")
{
    int alive = 0;
    {
        manual_strands strands;
        const auto inner = [](int& alive) -> task<> {
            const tracked local(alive);
            co_await costar::sleep_for(1h);
        };
        const auto outer = [](auto inner, int& alive) -> task<> {
            const tracked local(alive);
            co_await inner(alive);
        };
        strands.start(outer(inner, alive));
        strands.run();
        REQUIRE(alive == 2);
    }

    CHECK(alive == 0);
}

TEST_CASE("task: it can be moved until it is awaited", "[core][task]")
{
    manual_strands strands;
    task<int> first = number(1);
    task<int> second = std::move(first);
    CHECK_FALSE(static_cast<bool>(first));
    first = number(2);
    first.swap(second);

    CHECK(strands.run(std::move(first)) == 1);
    CHECK(strands.run(std::move(second)) == 2);
}

TEST_CASE("task: it knows where it waits and for whom", "[core][task]")
{
    manual_strands strands;
    costar::machine::promise_base* inner_promise = nullptr;
    const auto inner = [](costar::machine::promise_base*& found) -> task<> { co_await peek{found}; };

    strands.run([](auto inner, costar::machine::promise_base*& found) -> task<> { co_await inner(found); }(
                                                                          inner, inner_promise));

    CHECK(inner_promise != nullptr);
}

// GCC makes a tail call of a symmetric transfer only when it optimizes and no sanitizer is in the way.
#if defined(__clang__) || \
    (defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__))

namespace {

task<int> depth(int left)
{
    if (left == 0)
        co_return 0;
    co_return 1 + co_await depth(left - 1);
}

}  // namespace

TEST_CASE("task: a chain of 100 000 awaits does not grow the stack", "[core][task]")
{
    manual_strands strands;

    CHECK(strands.run(depth(100'000)) == 100'000);
}

TEST_CASE("task: a million tasks that end at once do not grow the stack", "[core][task]")
{
    manual_strands strands;
    const auto loop = []() -> task<std::int64_t> {
        std::int64_t sum = 0;
        for (int i = 0; i < 1'000'000; ++i)
            sum += co_await number(i);
        co_return sum;
    };

    CHECK(strands.run(loop()) == std::int64_t{499'999'500'000});
}

#endif
