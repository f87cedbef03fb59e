// SPDX-License-Identifier: MIT

#include <costar/ground/chute.hpp>

#include <support/catch.hpp>

#include <thread>

namespace {

using costar::machine::chute;
using costar::machine::parcel;

parcel numbered(std::uint64_t number)
{
    parcel made{};
    made.to = number;
    made.body[47] = static_cast<std::byte>(number);
    return made;
}

}  // namespace

TEST_CASE("chute: parcels cross between two threads in order and whole", "[thread][chute]")
{
    constexpr std::uint64_t count = 100'000;
    const bool waits = GENERATE(false, true);
    chute* between = chute::make();
    std::uint64_t broken = 0;
    std::uint64_t taken = 0;

    std::thread producer([&] {
        for (std::uint64_t i = 0; i < count; ++i) {
            while (waits && between->full()) {
                std::this_thread::yield();
            }
            between->push(numbered(i));
        }
        between->close();
        between->drop();
    });
    for (bool is_last_look = false; !is_last_look;) {
        is_last_look = between->closed();
        while (between->snapshot() != 0) {
            for (parcel* next = between->front(); next != nullptr; next = between->front()) {
                broken += next->to == taken && next->body[47] == static_cast<std::byte>(taken) ? 0 : 1;
                ++taken;
                between->pop();
            }
            between->release();
        }
        std::this_thread::yield();
    }
    between->drop();
    producer.join();

    CHECK(broken == 0);
    CHECK(taken == count);
}

TEST_CASE("chute: each parcel is taken, disposed of or refused when the consumer leaves", "[thread][chute]")
{
    constexpr std::uint64_t count = 10'000;
    for (std::uint64_t leaves_after = 0; leaves_after < 50; ++leaves_after) {
        chute* between = chute::make();
        std::uint64_t refused = 0;
        std::uint64_t disposed_by_producer = 0;
        std::uint64_t disposed_by_consumer = 0;
        std::uint64_t taken = 0;

        std::thread producer([&] {
            for (std::uint64_t i = 0; i < count; ++i) {
                refused += between->push(numbered(i)) ? 0 : 1;
            }
            between->drop([&](parcel&) { ++disposed_by_producer; });
        });
        while (taken < leaves_after) {
            if (between->snapshot() == 0) {
                std::this_thread::yield();
            }
            while (taken < leaves_after && between->front() != nullptr) {
                ++taken;
                between->pop();
            }
        }
        between->close();
        between->drop([&](parcel&) { ++disposed_by_consumer; });
        producer.join();

        CHECK(taken + refused + disposed_by_producer + disposed_by_consumer == count);
    }
}
