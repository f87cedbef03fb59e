// SPDX-License-Identifier: MIT

#include <costar/ground/ring.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <deque>
#include <utility>
#include <vector>

namespace {

using costar::machine::parcel;
using costar::machine::ring;

parcel marked(std::uint64_t number)
{
    parcel made{};
    made.to = number;
    made.body[47] = static_cast<std::byte>(number);
    return made;
}

}  // namespace

TEST_CASE("ring: a parcel is visible after publish and not before", "[ground][ring]")
{
    ring between(8);

    REQUIRE(between.push(marked(7)));

    CHECK(between.snapshot() == 0);
    CHECK(between.front() == nullptr);
    CHECK(between.publish());
    CHECK(between.front() == nullptr);
    REQUIRE(between.snapshot() == 1);
    CHECK(between.front()->to == 7);
    CHECK(between.front()->body[47] == std::byte{7});
}

TEST_CASE(
    "ring: publish tells whether there is news, also of batches that went by themselves", "[ground][ring]")
{
    ring between(256);
    CHECK_FALSE(between.publish());

    for (std::uint64_t i = 0; i < 64; ++i) {
        REQUIRE(between.push(marked(i)));
    }

    CHECK(between.snapshot() == 64);
    CHECK(between.publish());
    CHECK_FALSE(between.publish());
}

TEST_CASE("ring: a full ring refuses until room was released", "[ground][ring]")
{
    ring between(4);
    for (std::uint64_t i = 0; i < 4; ++i) {
        REQUIRE(between.push(marked(i)));
    }
    CHECK_FALSE(between.push(marked(4)));
    CHECK(between.reserve() == nullptr);
    between.publish();

    REQUIRE(between.snapshot() == 4);
    between.pop();
    CHECK_FALSE(between.push(marked(4)));
    between.release();

    CHECK(between.push(marked(4)));
    CHECK_FALSE(between.push(marked(5)));
}

TEST_CASE("ring: a slot is filled in place", "[ground][ring]")
{
    ring between(2);
    for (std::uint64_t i = 0; i < 100; ++i) {
        parcel* slot = between.reserve();
        REQUIRE(slot != nullptr);
        *slot = marked(i);
        between.commit();
        between.publish();

        REQUIRE(between.snapshot() == 1);
        CHECK(between.front()->to == i);
        between.pop();
        between.release();
    }
    CHECK(between.empty_hint());
}

TEST_CASE("ring: capacity is a power of two, one slot at least", "[ground][ring]")
{
    CHECK(ring(1).capacity() == 1);
    CHECK(ring(3).capacity() == 4);
    CHECK(ring(1024).capacity() == 1024);

    ring single(1);
    CHECK(single.push(marked(1)));
    CHECK_FALSE(single.push(marked(2)));
    REQUIRE(single.snapshot() == 1);
    single.pop();
    CHECK(single.push(marked(2)));
}

TEST_CASE("ring: the hint follows what is published and released", "[ground][ring]")
{
    ring between(8);
    CHECK(between.empty_hint());

    between.push(marked(1));
    CHECK(between.empty_hint());
    between.publish();
    CHECK_FALSE(between.empty_hint());
    between.snapshot();
    between.pop();
    between.release();

    CHECK(between.empty_hint());
}

// Goal: the ring behaves as a bounded queue whose ends see each other only where they publish and release.
// Method: a model with plain counters runs beside it through random steps.
TEST_CASE("ring: behaves as a bounded queue with late publication", "[ground][ring]")
{
    const bool holds = rc::check("ring equals its model", [] {
        const std::size_t capacity = std::size_t{1} << *rc::gen::inRange(0, 9);
        const std::size_t stride = std::min<std::size_t>(std::max<std::size_t>(capacity / 2, 1), 64);
        const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(0, 6), rc::gen::inRange(1, 100)));
        ring between(capacity);
        std::size_t pushed = 0;
        std::size_t published = 0;
        std::size_t announced = 0;
        std::size_t seen = 0;
        std::size_t popped = 0;
        std::size_t released = 0;

        for (auto [step, times] : steps) {
            switch (step) {
            case 0:
            case 1:
                for (int i = 0; i < times; ++i) {
                    const bool fits = pushed - released < capacity;
                    RC_ASSERT(between.push(marked(pushed)) == fits);
                    pushed += fits ? 1 : 0;
                    published = fits && pushed % stride == 0 ? pushed : published;
                }
                break;
            case 2:
                RC_ASSERT(between.publish() == (announced != pushed));
                published = announced = pushed;
                break;
            case 3:
                RC_ASSERT(between.snapshot() == published - popped);
                seen = published;
                break;
            case 4:
                for (int i = 0; i < times && popped != seen; ++i) {
                    RC_ASSERT(between.front() != nullptr);
                    RC_ASSERT(between.front()->to == popped);
                    between.pop();
                    ++popped;
                    released = popped % stride == 0 ? popped : released;
                }
                RC_ASSERT((between.front() == nullptr) == (popped == seen));
                break;
            default:
                between.release();
                released = popped;
            }
            RC_ASSERT(between.empty_hint() == (published == released));
        }
    });
    CHECK(holds);
}
