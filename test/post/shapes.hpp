// SPDX-License-Identifier: MIT

#pragma once

#include <cstdint>

namespace support {

// Messages of each size that matters: what fits an envelope's own place, and what is a byte or an alignment
// too large.

struct empty {};
struct sixteen {
    std::uint64_t a;
    std::uint64_t b;
};
struct seventeen {
    char bytes[17];
};
struct alignas(16) wide {
    float lanes[4];
};

/// Counts how many of its kind are alive.
struct counted {
    explicit counted(int& alive) : alive(&alive) { ++alive; }
    counted(counted&& other) noexcept : alive(other.alive) { ++*alive; }
    ~counted() { --*alive; }
    int* alive;
};

}  // namespace support
