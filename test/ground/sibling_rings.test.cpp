// SPDX-License-Identifier: MIT

#include <costar/ground/sibling_rings.hpp>

#include <support/catch.hpp>
#include <support/parcels.hpp>

#include <array>
#include <cstdint>
#include <vector>

namespace {

using costar::machine::parcel;
using costar::machine::ring;
using costar::machine::sibling_rings;
using support::numbered;

/// Two that send to each other.
struct pair_of_rings {
    explicit pair_of_rings(std::size_t slots) : all{sibling_rings(slots), sibling_rings(slots)}
    {
        for (sibling_rings& each : all)
            each.resize(2);
        all[0].connect(1, all[1], 0);
        all[1].connect(0, all[0], 1);
    }

    bool send(std::size_t from, std::uint64_t number)
    {
        return all[from].send_filled(1 - from, [&](parcel& slot) { slot = numbered(number); });
    }

    /// Takes all that was looked at.
    std::vector<std::uint64_t> take(std::size_t at)
    {
        std::vector<std::uint64_t> taken;
        all[at].take_in_order(
            [&](ring& from, bool&) {
                const std::size_t before = taken.size();
                while (parcel* next = from.front()) {
                    taken.push_back(next->to);
                    from.pop();
                }
                from.release();
                return taken.size() - before;
            },
            [&](std::size_t sibling) { told.push_back(sibling); });
        return taken;
    }

    std::array<sibling_rings, 2> all;
    std::vector<std::size_t> told;
};

}  // namespace

TEST_CASE("sibling_rings: a parcel arrives after it was published and looked at", "[ground][sibling_rings]")
{
    pair_of_rings rings(8);
    std::vector<std::size_t> woken;
    CHECK(rings.send(0, 7));
    CHECK(rings.send(0, 8));
    CHECK_FALSE(rings.all[1].has_input());

    rings.all[0].publish([](std::size_t, std::uint64_t) {}, [&](std::size_t to) { woken.push_back(to); });
    CHECK(rings.all[1].has_input());
    CHECK_FALSE(rings.all[1].has_arrived());
    rings.all[1].look();

    CHECK(woken == std::vector<std::size_t>{1});
    CHECK(rings.all[1].has_arrived());
    CHECK(rings.take(1) == std::vector<std::uint64_t>{7, 8});
    CHECK_FALSE(rings.all[1].has_arrived());
    CHECK(rings.told == std::vector<std::size_t>{0});
}

TEST_CASE("sibling_rings: what finds no room waits in its order", "[ground][sibling_rings]")
{
    pair_of_rings rings(2);
    std::uint64_t moved = 0;
    const auto publish = [&] {
        rings.all[0].publish([&](std::size_t, std::uint64_t count) { moved = count; }, [](std::size_t) {});
    };
    for (std::uint64_t i = 0; i < 5; ++i)
        CHECK(rings.send(0, i) == (i < 2));
    CHECK(rings.all[0].spilled(1) == 3);
    publish();
    CHECK(moved == 0);
    CHECK_FALSE(rings.all[0].has_room());

    rings.all[1].look();
    CHECK(rings.take(1) == std::vector<std::uint64_t>{0, 1});
    CHECK(rings.all[0].has_room());
    publish();
    rings.all[1].look();

    CHECK(moved == 2);
    CHECK(rings.take(1) == std::vector<std::uint64_t>{2, 3});
}

TEST_CASE("sibling_rings: what is left at the end is given out, published or not", "[ground][sibling_rings]")
{
    pair_of_rings rings(2);
    for (std::uint64_t i = 0; i < 3; ++i)
        rings.send(0, i);
    std::vector<std::uint64_t> left;
    const auto note = [&](parcel& each) { left.push_back(each.to); };

    rings.all[0].end(note);
    rings.all[1].end(note);

    CHECK(left == std::vector<std::uint64_t>{2, 0, 1});
}
