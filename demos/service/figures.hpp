// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/kernel/station.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
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

    std::array<costar::machine::counter, buckets> buckets_;
};

/// The requests of one strand that have no answer yet, in the order in which they came to it.
///
/// Thread safety: `oldest` from any thread, all else from its strand.
class unanswered {
public:
    using time = std::chrono::steady_clock::time_point;

    /// One of them, as long as it lives.
    class request {
    public:
        request(unanswered& all, time since) noexcept;
        request(const request&) = delete;
        ~request();

    private:
        friend class unanswered;

        unanswered& all_;
        time since_;
        request* before_;
        request* behind_ = nullptr;
    };

    /// Since when the first of them waits; nothing when there is none.
    std::optional<time> oldest() const noexcept;

private:
    void publish() noexcept;

    static constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::max();

    request* first_ = nullptr;
    request* last_ = nullptr;
    std::atomic<std::int64_t> oldest_{nobody};  // written by its strand, read by any thread; no order needed
};

/// What one strand counts.
///
/// Thread safety: written by its strand, read by any thread.
struct alignas(128) tally {
    costar::machine::counter requests;  ///< answered
    costar::machine::counter refused;   ///< of them with a status of 400 or above
    costar::machine::counter accounts;  ///< opened
    costar::machine::counter accounts_ended;
    costar::machine::counter keys_kept;
    costar::machine::counter keys_dropped;
    costar::machine::counter transfers;  ///< whose money has arrived
    costar::machine::counter deposited;  ///< money, in all, counted where it is written down
    costar::machine::counter opened;     ///< connections
    costar::machine::counter closed;     ///< connections
    histogram times;                     ///< from the arrival of a request's last byte to its answer's last
    unanswered waiting;

    // Known to its strand alone: how old bytes are that busy connections have sent, by the last look.
    unsigned busy_reads = 0;
    std::chrono::steady_clock::duration age_of_busy_reads{};
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
    std::optional<unanswered::time> oldest_unanswered;
};

totals sum_of(const std::vector<tally>& tallies) noexcept;

/// The time that `percent` of what was counted between two sums did not exceed.
std::chrono::nanoseconds percentile(const totals& before, const totals& after, double percent) noexcept;

/// An actor that prints a line of figures every second in which there was traffic or somebody waited.
costar::task<> reporter(costar::context& self, const std::vector<tally>* tallies);

}  // namespace service
