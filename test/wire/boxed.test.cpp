// SPDX-License-Identifier: MIT

#include <costar/wire/boxed.hpp>

#include <type_traits>
#include <utility>

#include <support/catch.hpp>

using costar::wire::boxed;

namespace {

struct tree {
    int value = 0;
    boxed<tree> left;
    boxed<tree> right;

    bool operator==(const tree& other) const
    {
        return value == other.value && left == other.left && right == other.right;
    }
};

}  // namespace

TEST_CASE("boxed: a type holds itself, and is copied and compared as a value", "[wire][boxed]")
{
    tree first{1, tree{2, {}, {}}, {}};
    tree second = first;

    CHECK(second == first);
    second.left->value = 3;
    CHECK_FALSE(second == first);
    CHECK(first.left->value == 2);
    second = first;
    CHECK(second == first);
    first.left.reset();
    CHECK_FALSE(second == first);
    CHECK_FALSE(first == second);
}

TEST_CASE("boxed: it is empty at first, and when it was moved from", "[wire][boxed]")
{
    boxed<int> made;
    CHECK_FALSE(made);
    CHECK(made == boxed<int>(nullptr));

    made.emplace() = 4;
    CHECK(*made == 4);
    const boxed<int> taken = std::move(made);
    CHECK(*taken == 4);
    CHECK_FALSE(made);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<boxed<int>>);
}
