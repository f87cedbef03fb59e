// SPDX-License-Identifier: MIT

#include <costar/ground/function_job.hpp>

#include <support/catch.hpp>

#include <memory>
#include <stdexcept>

TEST_CASE("function_job: it calls its function once and gives back its memory", "[ground][function_job]")
{
    const std::size_t before = costar::machine::arena::current().live_blocks();
    int ran = 0;
    costar::machine::job& work =
        costar::machine::make_job([&, held = std::make_unique<int>(7)] { ran += *held; });
    CHECK(costar::machine::arena::current().live_blocks() == before + costar::machine::arena::is_pooling);

    work.run(&work, false);

    CHECK(ran == 7);
    CHECK(costar::machine::arena::current().live_blocks() == before);
}

TEST_CASE("function_job: one that is only destroyed calls nothing", "[ground][function_job]")
{
    const std::size_t before = costar::machine::arena::current().live_blocks();
    auto held = std::make_shared<int>(0);
    costar::machine::job& work = costar::machine::make_job([held] { ++*held; });

    work.run(&work, true);

    CHECK(*held == 0);
    CHECK(held.use_count() == 1);
    CHECK(costar::machine::arena::current().live_blocks() == before);
}

TEST_CASE(
    "function_job: a function that cannot be moved in leaves no memory behind", "[ground][function_job]")
{
    struct unmovable {
        unmovable() = default;
        unmovable(const unmovable&) { throw std::runtime_error("copied"); }
        void operator()() const {}
    };
    const std::size_t before = costar::machine::arena::current().live_blocks();
    const unmovable function;

    CHECK_THROWS_AS(costar::machine::make_job(function), std::runtime_error);

    CHECK(costar::machine::arena::current().live_blocks() == before);
}
