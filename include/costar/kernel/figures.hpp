// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <atomic>
#include <cstdint>

namespace costar::machine {

/// A count that one strand writes and any thread may read.
class counter {
public:
    void add(std::uint64_t more) noexcept { count_.store(value() + more, std::memory_order_relaxed); }
    void subtract(std::uint64_t less) noexcept { count_.store(value() - less, std::memory_order_relaxed); }
    std::uint64_t value() const noexcept { return count_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> count_{0};  // written by its strand, read by any thread; no order needed
};

}  // namespace costar::machine

namespace costar {

/// Counts of one station, or of a whole engine.
struct station_figures {
    std::uint64_t live = 0;          ///< actors
    std::uint64_t spawned = 0;       ///< since the beginning
    std::uint64_t restarts = 0;      ///< since the beginning
    std::uint64_t dead_letters = 0;  ///< since the beginning
    std::uint64_t late_replies = 0;  ///< answers that nobody waited for any more
    std::uint64_t dropped = 0;       ///< messages for full mailboxes, where that is the policy
};

}  // namespace costar
