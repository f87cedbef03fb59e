// SPDX-License-Identifier: MIT

#include <costar/ground/consistent_hash.hpp>

#include <costar/core/clock.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;

namespace {

constexpr std::uint64_t keys = 2000;

std::vector<consistent_hash::place> homes(const consistent_hash& hash)
{
    std::vector<consistent_hash::place> all;
    for (std::uint64_t key = 0; key < keys; ++key)
        all.push_back(hash(stable_hash(key)));
    return all;
}

/// Each place should have as many keys as the others: within six standard deviations.
bool is_even(const std::vector<consistent_hash::place>& homes, const std::set<consistent_hash::place>& there)
{
    const double expected = static_cast<double>(keys) / static_cast<double>(there.size());
    return std::all_of(there.begin(), there.end(), [&](consistent_hash::place each) {
        const double off = static_cast<double>(std::count(homes.begin(), homes.end(), each)) - expected;
        return off * off < 36 * expected + 36;
    });
}

}  // namespace

TEST_CASE("consistent_hash: only the keys of a place that goes move", "[ground][consistent_hash]")
{
    random_source random(static_cast<std::uint64_t>(GENERATE(range(1, 13))));
    consistent_hash hash;
    std::set<consistent_hash::place> there;
    std::vector<consistent_hash::place> before;
    bool grows = true;
    for (int step = 0; step < 150; ++step) {
        if (there.size() < 2 || there.size() > 40)
            grows = there.size() < 2;
        if (grows == (random.below(4) != 0)) {
            const consistent_hash::place added = hash.add();
            REQUIRE(there.insert(added).second);
            const auto after = homes(hash);
            for (std::size_t key = 0; key < before.size(); ++key)
                REQUIRE((after[key] == before[key] || after[key] == added));
            before = after;
        } else if (!there.empty()) {
            const auto removed = std::next(there.begin(), static_cast<long>(random.below(there.size())));
            const consistent_hash::place gone = *removed;
            hash.remove(gone);
            there.erase(removed);
            if (there.empty()) {
                before.clear();
                continue;
            }
            const auto after = homes(hash);
            for (std::size_t key = 0; key < before.size(); ++key)
                REQUIRE((before[key] == gone ? there.contains(after[key]) : after[key] == before[key]));
            before = after;
        }
        REQUIRE(hash.size() == there.size());
        REQUIRE(hash.empty() == there.empty());
        REQUIRE(is_even(before, there));
    }
}

TEST_CASE("consistent_hash: is the same in every run", "[ground][consistent_hash]")
{
    consistent_hash hash;
    for (int i = 0; i < 10; ++i)
        hash.add();
    hash.remove(3);
    std::vector<consistent_hash::place> found;
    for (std::uint64_t key = 0; key < 12; ++key)
        found.push_back(hash(stable_hash(key)));
    consistent_hash other;
    for (int i = 0; i < 10; ++i)
        other.add();
    other.remove(3);
    for (std::uint64_t key = 0; key < 12; ++key)
        CHECK(other(stable_hash(key)) == found[key]);
    CHECK(std::count(found.begin(), found.end(), 3U) == 0);
}
