// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/asymmetric_fence.hpp>

#include <atomic>
#include <cstdint>

namespace costar::machine {

/// Says whether somebody sleeps, so that one of those who bring him something wakes him.
///
/// Who brings something publishes it and then calls `take`; who falls asleep calls `raise` and then looks
/// whether something is there. At least one of them sees the other.
///
/// Thread safety: `take` from any thread, all else from the one who sleeps.
class idle_flag {
public:
    idle_flag() noexcept = default;
    idle_flag(const idle_flag&) = delete;
    idle_flag& operator=(const idle_flag&) = delete;

    /// Spares all who call `take` a locked instruction, at the price of a costly fence in each `raise`.
    /// Before anybody else knows the flag.
    void spare_takers() noexcept { spares_takers_ = true; }

    /// True for the one who has to wake the sleeper.
    bool take() noexcept
    {
        // What the caller published comes before the look at the flag: here by the light half of the fence
        // whose heavy half is in `raise`, else by an exchange that meets the one there.
        if (spares_takers_) {
            asymmetric_fence::light();
            if (is_raised_.load(std::memory_order_relaxed) == 0)
                return false;
        }
        return is_raised_.exchange(0, std::memory_order_acq_rel) != 0;
    }

    void raise() noexcept
    {
        is_raised_.exchange(1, std::memory_order_acq_rel);
        if (spares_takers_)
            asymmetric_fence::heavy();
    }

    /// An exchange too: between two of the takers' a plain store would hide what the second one published.
    void lower() noexcept { is_raised_.exchange(0, std::memory_order_acq_rel); }

private:
    alignas(128) std::atomic<std::uint32_t> is_raised_{0};
    bool spares_takers_ = false;
};

}  // namespace costar::machine
