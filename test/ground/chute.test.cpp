// SPDX-License-Identifier: MIT

#include <costar/ground/chute.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>
#include <support/parcels.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace {

using costar::machine::chute;
using costar::machine::parcel;
using support::numbered;

// Both holds in one hand.
struct drop_both {
    void operator()(chute* held) const
    {
        held->drop();
        held->drop();
    }
};

using held_chute = std::unique_ptr<chute, drop_both>;

std::size_t take_all(chute& from, std::uint64_t& expected)
{
    std::size_t taken = 0;
    while (from.snapshot() != 0) {
        for (parcel* next = from.front(); next != nullptr; next = from.front()) {
            CHECK(next->to == expected);
            ++expected;
            ++taken;
            from.pop();
        }
        from.release();
    }
    return taken;
}

}  // namespace

TEST_CASE("chute: a parcel is visible at once", "[ground][chute]")
{
    held_chute between(chute::make());
    CHECK(between->empty_hint());
    CHECK(between->snapshot() == 0);

    REQUIRE(between->push(numbered(7)));

    CHECK_FALSE(between->empty_hint());
    REQUIRE(between->snapshot() == 1);
    CHECK(between->front()->to == 7);
    between->pop();
    CHECK(between->front() == nullptr);
    CHECK(between->empty_hint());
}

TEST_CASE("chute: it is full when its segment is, and grows when pushed nevertheless", "[ground][chute]")
{
    held_chute between(chute::make());
    for (std::uint64_t i = 0; i < chute::first_slots; ++i) {
        REQUIRE_FALSE(between->full());
        between->push(numbered(i));
    }
    REQUIRE(between->full());

    REQUIRE(between->push(numbered(chute::first_slots)));

    CHECK_FALSE(between->full());
    std::uint64_t expected = 0;
    CHECK(take_all(*between, expected) == chute::first_slots + 1);
}

TEST_CASE("chute: released room is used again", "[ground][chute]")
{
    held_chute between(chute::make());
    std::uint64_t sent = 0;
    std::uint64_t expected = 0;

    for (int round = 0; round < 100; ++round) {
        while (!between->full()) {
            between->push(numbered(sent++));
        }
        CHECK(take_all(*between, expected) == chute::first_slots);
    }
}

TEST_CASE("chute: a long queue keeps its order over many segments", "[ground][chute]")
{
    held_chute between(chute::make());

    for (std::uint64_t i = 0; i < 50'000; ++i) {
        REQUIRE(between->push(numbered(i)));
    }

    std::uint64_t expected = 0;
    CHECK(take_all(*between, expected) == 50'000);
}

TEST_CASE("chute: a closed chute refuses parcels and still gives out what it holds", "[ground][chute]")
{
    held_chute between(chute::make());
    between->push(numbered(0));
    CHECK_FALSE(between->closed());

    between->close();

    CHECK(between->closed());
    CHECK_FALSE(between->push(numbered(1)));
    std::uint64_t expected = 0;
    CHECK(take_all(*between, expected) == 1);
}

TEST_CASE("chute: the last to drop it disposes of what was left inside", "[ground][chute]")
{
    chute* between = chute::make();
    const std::uint64_t count = 1000;
    for (std::uint64_t i = 0; i < count; ++i) {
        between->push(numbered(i));
    }
    REQUIRE(between->snapshot() != 0);
    between->pop();
    std::uint64_t disposed = 0;
    const auto dispose = [&](parcel& left) { disposed += left.to; };

    between->drop(dispose);
    CHECK(disposed == 0);
    between->drop(dispose);

    CHECK(disposed == count * (count - 1) / 2);
}

// Goal: the chute behaves as an unbounded queue whatever the rhythm of its two ends.
TEST_CASE("chute: behaves as an unbounded queue", "[ground][chute]")
{
    const bool holds = rc::check("chute equals its model", [] {
        const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(0, 4), rc::gen::inRange(1, 2000)));
        held_chute between(chute::make());
        std::uint64_t pushed = 0;
        std::uint64_t popped = 0;

        for (auto [step, times] : steps) {
            if (step <= 1) {
                for (int i = 0; i < times; ++i) {
                    RC_ASSERT(between->push(numbered(pushed++)));
                }
            } else {
                const std::size_t visible = between->snapshot();
                RC_ASSERT((visible == 0) == (pushed == popped));
                RC_ASSERT(visible <= pushed - popped);
                std::size_t taken = 0;
                while (between->front() != nullptr && taken < static_cast<std::size_t>(times)) {
                    RC_ASSERT(between->front()->to == popped);
                    between->pop();
                    ++popped;
                    ++taken;
                }
                RC_ASSERT(taken == std::min(visible, static_cast<std::size_t>(times)));
                if (step == 3) {
                    between->release();
                }
            }
            RC_ASSERT(between->empty_hint() == (pushed == popped));
        }
    });
    CHECK(holds);
}
