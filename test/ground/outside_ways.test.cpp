// SPDX-License-Identifier: MIT

#include <costar/ground/outside_ways.hpp>

#include <support/catch.hpp>
#include <support/parcels.hpp>

#include <cstdint>
#include <thread>
#include <vector>

namespace {

using costar::machine::chute;
using costar::machine::outside_sender;
using costar::machine::outside_ways;
using costar::machine::parcel;
using support::numbered;

/// The end of ways that has a number of its own.
class numbered_end {
public:
    ~numbered_end()
    {
        ways.end([](parcel&) {});
    }

    /// The calling thread's way to this end.
    chute& way()
    {
        if (chute* last = outside_sender::last(serial_))
            return *last;
        outside_sender& sender = *outside_sender::of_this_thread();
        chute* known = sender.find(serial_);
        if (known == nullptr) {
            known = &sender.add(serial_);
            outside_ways::adoption(ways, *known)();
        }
        outside_sender::remember(serial_, *known);
        return *known;
    }

    std::vector<std::uint64_t> take(std::size_t share = 1000)
    {
        std::vector<std::uint64_t> taken;
        ways.note_era();
        ways.look();
        ways.take_in_order(share, [&](chute& from, bool& is_more_left) {
            std::size_t count = 0;
            for (parcel* next = from.front();
                next != nullptr && next->kind != costar::machine::own_kinds::era && taken.size() < share;
                next = from.front()) {
                taken.push_back(next->to);
                from.pop();
                ++count;
            }
            is_more_left |= from.front() != nullptr;
            return count;
        });
        return taken;
    }

    outside_ways ways;

private:
    static inline std::uint64_t last_serial_ = UINT64_MAX / 2;
    std::uint64_t serial_ = ++last_serial_;
};

}  // namespace

TEST_CASE("outside_ways: a thread finds its way again, until another has sent", "[ground][outside_ways]")
{
    numbered_end end;
    chute& way = end.way();
    way.push(numbered(1));
    CHECK(&end.way() == &way);
    CHECK(end.ways.has_input());

    std::thread([&] { end.way().push(numbered(2)); }).join();
    CHECK(&end.way() == &way);  // with the mark of another era
    way.push(numbered(3));

    CHECK(end.take() == std::vector<std::uint64_t>{1, 2, 3});
    CHECK_FALSE(end.ways.has_input());
    CHECK(end.take().empty());
    CHECK_FALSE(end.ways.has_arrived());
}

TEST_CASE("outside_ways: what is left over waits for the next taking", "[ground][outside_ways]")
{
    numbered_end end;
    end.way().push(numbered(1));
    end.way().push(numbered(2));

    CHECK(end.take(1) == std::vector<std::uint64_t>{1});
    CHECK(end.ways.has_arrived());
    CHECK(end.take() == std::vector<std::uint64_t>{2});
}

TEST_CASE("outside_ways: a way is closed when its end is gone, and what was inside is given out",
    "[ground][outside_ways]")
{
    numbered_end end;
    chute& way = end.way();
    way.push(numbered(4));
    std::vector<std::uint64_t> left;

    end.ways.end([&](parcel& each) { left.push_back(each.to); });

    CHECK(left == std::vector<std::uint64_t>{4});
    CHECK(way.closed());
}

TEST_CASE("outside_ways: a way that was not adopted is closed, unless something is inside",
    "[ground][outside_ways]")
{
    const bool is_filled = GENERATE(false, true);
    outside_ways ways;
    const costar::machine::late_way way;
    if (is_filled)
        way.queue().push(numbered(5));

    {
        outside_ways::adoption given_up(ways, way.queue());
    }

    CHECK(way.queue().closed() == !is_filled);
    CHECK(ways.has_arrived() == is_filled);
    ways.end([](parcel&) {});
}
