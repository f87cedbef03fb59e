// SPDX-License-Identifier: MIT

#include <costar/ground/asymmetric_fence.hpp>

#include <support/catch.hpp>

#include <atomic>
#include <thread>

// Goal: of two threads that each write, pass their half and read what the other wrote, one at least reads it.
// Method: many rounds of just that; without the halves some of them fail within seconds on most machines.
TEST_CASE("asymmetric_fence: two threads cannot both miss what the other wrote", "[ground][asymmetric_fence]")
{
    constexpr int rounds = 5000;
    std::atomic<int> often{0};
    std::atomic<int> seldom{0};
    std::atomic<int> arrived{0};
    const auto meet = [&](int count) {
        arrived.fetch_add(1);
        while (arrived.load() < count)
            std::this_thread::yield();
    };
    std::atomic<int> seen_by_often{0};
    int both_missed = 0;

    std::thread other([&] {
        for (int round = 1; round <= rounds; ++round) {
            meet(4 * round - 2);
            often.store(round, std::memory_order_relaxed);
            costar::machine::asymmetric_fence::light();
            seen_by_often.store(seldom.load(std::memory_order_relaxed), std::memory_order_relaxed);
            meet(4 * round);
        }
    });
    for (int round = 1; round <= rounds; ++round) {
        meet(4 * round - 2);
        seldom.store(round, std::memory_order_relaxed);
        costar::machine::asymmetric_fence::heavy();
        const int seen = often.load(std::memory_order_relaxed);
        meet(4 * round);
        both_missed += seen != round && seen_by_often.load(std::memory_order_relaxed) != round;
    }
    other.join();

    CHECK(both_missed == 0);
}
