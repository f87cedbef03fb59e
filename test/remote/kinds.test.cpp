// SPDX-License-Identifier: MIT

#include <costar/remote/kinds.hpp>

#include <stdexcept>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;

namespace {

task<> counts_from(context&, more)
{
    co_return;
}

}  // namespace

TEST_CASE("kinds: each has a name of its own, and says what its arguments are", "[remote][kinds]")
{
    remote::kinds offered;
    offered.add<more>("counter", counts_from, {.spawned_by = remote::anyone}).add("host", host);

    CHECK(offered.find("counter")->arguments == &wire::codec_of<more>);
    CHECK(offered.find("counter")->options.spawned_by.contains("a"));
    CHECK(offered.find("host")->arguments == nullptr);
    CHECK_FALSE(offered.find("host")->options.spawned_by.contains("a"));
    CHECK(offered.find("") == nullptr);
    CHECK_THROWS_AS(offered.add("host", host), std::logic_error);
    CHECK_THROWS_AS(offered.add("", host), std::invalid_argument);

    place there;
    there.node.kind("host", host);
    CHECK_THROWS_AS(there.node.kind("host", host), std::logic_error);
}
