// SPDX-License-Identifier: MIT

#include <costar/ground/ordered_set.hpp>

#include <costar/core/clock.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;

namespace {

/// A value that has more than its key, and keys that collide when `Spread` is small.
struct item {
    std::uint64_t key;
    std::uint64_t more;
    friend bool operator==(const item&, const item&) = default;
};

template <std::uint64_t Spread>
struct poor_hash {
    std::size_t operator()(std::uint64_t key) const noexcept { return key % Spread; }
};

struct key_of_item {
    const std::uint64_t& operator()(const item& value) const noexcept { return value.key; }
};

template <std::uint64_t Spread>
using items = ordered_set<item, key_of_item, poor_hash<Spread>>;

/// Does the same to a set and to a list, and compares them all the time.
template <std::uint64_t Spread>
void behaves_as_a_list(std::uint64_t seed, std::uint64_t keys, std::size_t most)
{
    random_source random(seed);
    items<Spread> set;
    std::vector<item> list;
    const auto in_list = [&](std::uint64_t key) {
        return std::find_if(list.begin(), list.end(), [&](const item& each) { return each.key == key; });
    };
    bool grows = true;
    for (std::uint64_t step = 0; step < 4000; ++step) {
        if (list.empty() || list.size() >= most)
            grows = list.empty();
        const std::uint64_t key = random.below(keys);
        switch (random.below(8)) {
        case 0:
            if (!list.empty()) {
                set.pop_front();
                list.erase(list.begin());
            }
            break;
        case 1:
            if (!list.empty()) {
                set.pop_back();
                list.pop_back();
            }
            break;
        default:
            if (grows == (random.below(4) != 0)) {
                const bool is_new = in_list(key) == list.end();
                REQUIRE(set.insert({key, step}) == is_new);
                if (is_new)
                    list.push_back({key, step});
            } else {
                const auto found = in_list(key);
                REQUIRE(set.erase(key) == (found != list.end()));
                if (found != list.end())
                    list.erase(found);
            }
        }
        REQUIRE(set.size() == list.size());
        REQUIRE(set.empty() == list.empty());
        REQUIRE(set.contains(key) == (in_list(key) != list.end()));
        if (const auto found = set.find(key); found != set.end())
            REQUIRE(*found == *in_list(key));
        if (list.empty()) {
            REQUIRE(set.begin() == set.end());
            continue;
        }
        REQUIRE(set.front() == list.front());
        REQUIRE(set.back() == list.back());
        if (step % 16 == 0)
            REQUIRE(std::equal(set.begin(), set.end(), list.begin(), list.end()));
    }
}

}  // namespace

TEST_CASE("ordered_set: behaves as a list without doubles", "[ground][ordered_set]")
{
    const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 9)));
    behaves_as_a_list<1>(seed, 60, 50);  // all in one chain
    behaves_as_a_list<7>(seed, 200, 150);
    behaves_as_a_list<UINT64_MAX>(seed, 20, 18);
    behaves_as_a_list<UINT64_MAX>(seed, 2000, 1000);
}

TEST_CASE("ordered_set: keeps its order while it grows and shrinks", "[ground][ordered_set]")
{
    ordered_set<std::uint64_t> set;
    for (std::uint64_t i = 0; i < 10'000; ++i)
        CHECK(set.insert(i * 977));
    for (std::uint64_t i = 0; i < 10'000; ++i)
        if (i % 100 != 99)
            CHECK(set.erase(i * 977));
    std::vector<std::uint64_t> left(set.begin(), set.end());
    REQUIRE(left.size() == 100);
    for (std::uint64_t i = 0; i < 100; ++i)
        CHECK(left[i] == (i * 100 + 99) * 977);

    ordered_set<std::uint64_t> moved = std::move(set);
    CHECK(set.empty());
    CHECK(set.insert(1));
    set = std::move(moved);
    CHECK(moved.empty());
    CHECK(set.size() == 100);
    CHECK(std::exchange(set, {}).size() == 100);
    CHECK(set.empty());
    CHECK_FALSE(set.erase(1));
}

TEST_CASE("ordered_set: gives back the memory of what it held once", "[ground][ordered_set]")
{
    if (!arena::is_pooling)
        return;
    ordered_set<std::uint64_t> set;
    for (std::uint64_t i = 0; i < 300; ++i)
        set.insert(i);  // in a block that is too large for the pool
    const std::size_t before = arena::current().live_blocks();
    for (std::uint64_t i = 0; i < 295; ++i)
        set.erase(i);
    CHECK(arena::current().live_blocks() == before + 1);  // now in one that is not
    CHECK(std::vector<std::uint64_t>(set.begin(), set.end()) ==
        std::vector<std::uint64_t>{295, 296, 297, 298, 299});
    set.clear();
    CHECK(arena::current().live_blocks() == before);
    CHECK(sizeof set == sizeof(void*));
}

TEST_CASE("ordered_set: any of its values is as likely as the others", "[ground][ordered_set]")
{
    ordered_set<std::uint64_t> set;
    for (std::uint64_t i = 0; i < 64; ++i)
        set.insert(i);
    for (std::uint64_t i = 0; i < 64; ++i)
        if (i % 3 != 0)
            set.erase(i);
    random_source random(1);
    std::vector<int> counts(64);
    for (int i = 0; i < 22'000; ++i)
        ++counts[set.any([&](std::uint64_t limit) { return random.below(limit); })];
    for (std::size_t i = 0; i < 64; ++i) {
        CHECK((counts[i] == 0) == (i % 3 != 0));
        if (i % 3 == 0) {
            CHECK(counts[i] > 850);  // 1000 with a deviation of 31
            CHECK(counts[i] < 1150);
        }
    }
}
