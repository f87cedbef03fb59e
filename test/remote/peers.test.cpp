// SPDX-License-Identifier: MIT

#include <costar/remote/peers.hpp>

#include <support/catch.hpp>

using namespace costar;

TEST_CASE("peers: they are none, all, or those with a name", "[remote][peers]")
{
    CHECK_FALSE(remote::peers().contains("a"));
    CHECK_FALSE(remote::peers(false).contains("a"));
    CHECK(remote::peers(true).contains(""));
    CHECK(remote::peers(remote::anyone).contains("a"));

    const remote::peers some{"a", "b"};
    CHECK(some.contains("a"));
    CHECK(some.contains("b"));
    CHECK_FALSE(some.contains("c"));
    CHECK_FALSE(remote::peers{""}.contains(""));  // who has no name has no right by one
}
