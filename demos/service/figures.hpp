// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/station.hpp>
#include <costar/core/task.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace costar {
class context;
}

namespace service {

/// Times in buckets that are a quarter of an octave wide.
class histogram {
public:
    void add(std::chrono::nanoseconds time) noexcept { buckets_[bucket_of(time)].add(1); }
    std::uint64_t count(std::size_t bucket) const noexcept { return buckets_[bucket].value(); }

    static constexpr std::size_t buckets = 4 * 40;

    /// The longest time that falls into a bucket.
    static std::chrono::nanoseconds limit_of(std::size_t bucket) noexcept;

private:
    static std::size_t bucket_of(std::chrono::nanoseconds time) noexcept;

    std::array<costar::counter, buckets> buckets_;
};

/// What one strand counts.
///
/// Thread safety: written by its strand, read by any thread.
struct alignas(128) tally {
    costar::counter requests;   ///< answered
    costar::counter refused;    ///< of them with a status of 400 or above
    costar::counter accounts;   ///< opened
    costar::counter transfers;  ///< carried out
    costar::counter deposited;  ///< money, in all
    costar::counter opened;     ///< connections
    costar::counter closed;     ///< connections
    histogram times;            ///< from a request's last byte to its answer's
};

/// The sum over all strands.
struct totals {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;
    std::uint64_t accounts = 0;
    std::uint64_t transfers = 0;
    std::uint64_t deposited = 0;
    std::uint64_t connections = 0;
    std::array<std::uint64_t, histogram::buckets> times{};
};

totals sum_of(const std::vector<tally>& tallies) noexcept;

/// The time that `percent` of what was counted between two sums did not exceed.
std::chrono::nanoseconds percentile(const totals& before, const totals& after, double percent) noexcept;

/// An actor that prints a line of figures every second in which there was traffic.
costar::task<> reporter(costar::context& self, const std::vector<tally>* tallies);

}  // namespace service
