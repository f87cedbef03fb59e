// SPDX-License-Identifier: MIT

#include <costar/ground/idle_flag.hpp>

#include <support/catch.hpp>

TEST_CASE("idle_flag: one of those who take it has to wake the sleeper", "[ground][idle_flag]")
{
    costar::machine::idle_flag idle;
    if (GENERATE(false, true))
        idle.spare_takers();
    CHECK_FALSE(idle.take());

    idle.raise();

    CHECK(idle.take());
    CHECK_FALSE(idle.take());
}

TEST_CASE("idle_flag: nobody wakes who is awake again", "[ground][idle_flag]")
{
    costar::machine::idle_flag idle;
    if (GENERATE(false, true))
        idle.spare_takers();

    idle.raise();
    idle.lower();

    CHECK_FALSE(idle.take());
}
