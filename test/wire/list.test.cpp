// SPDX-License-Identifier: MIT

#include <costar/wire/list.hpp>

#include <cstddef>
#include <stdexcept>

#include <support/catch.hpp>

namespace wire = costar::wire;

TEST_CASE("list: a list that no message can hold is refused", "[wire][list]")
{
    CHECK(wire::count_of((std::size_t{1} << 29) - 1) == (1U << 29) - 1);
    CHECK_THROWS_AS(wire::count_of(std::size_t{1} << 29), std::length_error);
}

TEST_CASE("list: an unknown member of a union is refused by name", "[wire][list]")
{
    CHECK_THROWS_WITH(wire::refuse_unknown_member("of shapes"),
        Catch::Matchers::StartsWith(
            "the union of shapes holds a member that this program's schema does not know"));
    CHECK_THROWS_AS(wire::refuse_unknown_member(""), std::logic_error);
}
