// SPDX-License-Identifier: MIT

#include <costar/ground/ring.hpp>

#include <support/catch.hpp>

#include <thread>

TEST_CASE("ring: parcels cross between two threads in order and whole", "[thread][ring]")
{
    constexpr std::uint64_t count = 100'000;
    costar::machine::ring between(GENERATE(1, 2, 64, 1024));
    std::uint64_t broken = 0;

    std::thread producer([&] {
        for (std::uint64_t i = 0; i < count; ++i) {
            costar::machine::parcel* slot = between.reserve();
            for (; slot == nullptr; slot = between.reserve()) {
                between.publish();
                std::this_thread::yield();
            }
            slot->to = i;
            slot->body[47] = static_cast<std::byte>(i);
            between.commit();
            if (i % 37 == 0) {
                between.publish();
            }
        }
        between.publish();
    });
    for (std::uint64_t taken = 0; taken < count;) {
        if (between.empty_hint() || between.snapshot() == 0) {
            std::this_thread::yield();
        }
        for (costar::machine::parcel* next = between.front(); next != nullptr; next = between.front()) {
            broken += next->to == taken && next->body[47] == static_cast<std::byte>(taken) ? 0 : 1;
            ++taken;
            between.pop();
        }
        between.release();
    }
    producer.join();

    CHECK(broken == 0);
    CHECK(between.empty_hint());
}
