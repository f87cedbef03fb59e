// SPDX-License-Identifier: MIT

#include "../../lib/remote/found_names.hpp"

#include <support/catch.hpp>

using namespace costar;

TEST_CASE("found names: they are known for each link until the actor or the link ends", "[remote][names]")
{
    remote::found_names known;
    const pid one_link(1, 0, 1, 1);
    const pid other_link(1, 0, 2, 1);
    const pid anna(2, 0, 1, 1);
    const pid bob(2, 0, 2, 1);

    CHECK(known.enter(one_link, "anna", anna));
    CHECK(known.enter(one_link, "bob", bob));
    CHECK(known.enter(other_link, "anna", anna));
    CHECK_FALSE(known.enter(one_link, "anna", bob));
    CHECK(known.find(one_link, "anna") == anna);
    CHECK_FALSE(known.find(other_link, "bob"));
    CHECK(known.name_of(bob) == "bob");

    known.forget(anna);
    CHECK_FALSE(known.find(one_link, "anna"));
    CHECK_FALSE(known.find(other_link, "anna"));
    CHECK(known.name_of(anna).empty());

    CHECK(known.enter(other_link, "bob", bob));
    known.forget_link(one_link);
    CHECK_FALSE(known.find(one_link, "bob"));
    CHECK(known.name_of(bob) == "bob");
    known.forget_link(other_link);
    CHECK(known.name_of(bob).empty());
}
