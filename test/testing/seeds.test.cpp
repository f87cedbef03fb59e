// SPDX-License-Identifier: MIT

#include <costar/testing/seeds.hpp>

#include <costar/testing/simulation.hpp>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;

TEST_CASE("seeds: a test over many seeds says which one failed", "[testing][seeds]")
{
    std::vector<std::uint64_t> tried;
    const auto test = [&](simulation& sim) {
        tried.push_back(sim.seed());
        if (sim.seed() == 3)
            throw std::runtime_error("found it");
    };
    CHECK_THROWS_WITH(for_each_seed(5, {}, test), "COSTAR_SEED=3: found it");
    CHECK(tried == std::vector<std::uint64_t>{1, 2, 3});
    CHECK_THROWS_AS(for_each_seed(5, {}, [](simulation&) { throw 1; }), seed_failed);
    CHECK(for_each_seed(2, {}, test) == 2);
}
