// SPDX-License-Identifier: MIT

#include <costar/post/pid.hpp>

#include <rapidcheck.h>

#include <fmt/format.h>

#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>

#include <support/catch.hpp>

using costar::pid;

static_assert(std::is_trivially_copyable_v<pid>);
static_assert(sizeof(pid) == 16);

TEST_CASE("pid: a default-made one is nobody's", "[post][pid]")
{
    const pid nobody;

    CHECK_FALSE(nobody);
    CHECK(nobody == pid());
    CHECK(pid(1, 0, 0, 1));
}

TEST_CASE("pid: its numbers come back whole", "[post][pid]")
{
    CHECK(rc::check("numbers",
        [](std::uint32_t node, std::uint16_t strand, std::uint32_t slot, std::uint32_t generation) {
            const pid one(node, strand, slot, generation);
            RC_ASSERT(one.node() == node);
            RC_ASSERT(one.strand() == strand);
            RC_ASSERT(one.slot() == slot);
            RC_ASSERT(one.generation() == generation);
            RC_ASSERT(pid(one.place(), one.key()) == one);
            RC_ASSERT(pid::place_of(node, strand) == one.place());
        }));
}

TEST_CASE("pid: has a text form", "[post][pid]")
{
    const pid one(3, 1, 42, 7);

    CHECK(one.to_string() == "3/$1-42-7");
    CHECK(fmt::format("{:>12}", one) == "   3/$1-42-7");
    CHECK(pid::parse("3/$1-42-7") == one);
}

TEST_CASE("pid: parsing gives back what was written", "[post][pid]")
{
    CHECK(rc::check("round trip",
        [](std::uint32_t node, std::uint16_t strand, std::uint32_t slot, std::uint32_t generation) {
            const pid one(node, strand, slot, generation);
            RC_ASSERT(pid::parse(one.to_string()) == one);
        }));
}

TEST_CASE("pid: anything else is not parsed", "[post][pid]")
{
    const char* text =
        GENERATE("", "3", "3/1-42-7", "3/$1-42", "3/$1-42-", "3/$1-42-7 ", " 3/$1-42-7", "3/$01-42-7",
            "-3/$1-42-7", "+3/$1-42-7", "3/$65536-42-7", "4294967296/$1-42-7", "3/$1-42-7-1", "greeter");

    CHECK_FALSE(pid::parse(text).has_value());
}

TEST_CASE("pid: can be sorted and hashed", "[post][pid]")
{
    std::set<pid> sorted;
    std::unordered_set<pid> hashed;
    for (std::uint32_t slot = 0; slot < 100; ++slot) {
        sorted.insert(pid(1, 0, slot, 1));
        hashed.insert(pid(1, 0, slot, 1));
        hashed.insert(pid(1, 1, slot, 1));
    }

    CHECK(sorted.size() == 100);
    CHECK(hashed.size() == 200);
    CHECK(*sorted.begin() == pid(1, 0, 0, 1));
    CHECK(hashed.count(pid(1, 1, 99, 1)) == 1);
    CHECK(hashed.count(pid(1, 1, 99, 3)) == 0);
}
