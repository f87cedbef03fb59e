// SPDX-License-Identifier: MIT

#include <costar/ground/hash.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;

TEST_CASE("hash: is the same in every run", "[ground][hash]")
{
    CHECK(stable_hash("") == mixed(0xcbf29ce484222325));   // FNV-1a of nothing
    CHECK(stable_hash("a") == mixed(0xaf63dc4c8601ec8c));  // its published test vectors
    CHECK(stable_hash("foobar") == mixed(0x85944171f73967e8));
    CHECK(stable_hash(UINT64_C(0)) == 0xe220a8397b1dcdaf);  // the first number of splitmix64 from 0
}

TEST_CASE("hash: spreads neighbours evenly", "[ground][hash]")
{
    const bool of_texts = GENERATE(false, true);
    constexpr std::size_t places = 16;
    constexpr std::size_t keys = 16'000;
    std::vector<std::size_t> counts(places);
    for (std::size_t i = 0; i < keys; ++i)
        ++counts[(of_texts ? stable_hash("user-" + std::to_string(i)) : stable_hash(i)) % places];

    // 1000 each are expected, with a standard deviation of 31.
    CHECK(*std::min_element(counts.begin(), counts.end()) > 850);
    CHECK(*std::max_element(counts.begin(), counts.end()) < 1150);
}
