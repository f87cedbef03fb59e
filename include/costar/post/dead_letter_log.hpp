// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace costar::machine {

/// Writes dead letters to the log, a few in each interval, and how many it left out.
///
/// Thread safety: from any thread. Cost: a line of text for those that are written, two atomic operations for
/// the others.
class dead_letter_log {
public:
    dead_letter_log() = default;
    dead_letter_log(const dead_letter_log&) = delete;
    dead_letter_log& operator=(const dead_letter_log&) = delete;

    /// Says what was left out last.
    ~dead_letter_log();

    /// Before the first use. No lines means no log.
    void configure(std::uint32_t lines, std::chrono::nanoseconds interval) noexcept;

    /// `now` is strand time.
    void note(std::uint64_t now, const std::function<std::string()>& line) noexcept;

private:
    void report_left_out() noexcept;

    std::uint32_t lines_ = 0;
    std::uint64_t interval_ = 1;
    std::atomic<std::uint64_t> window_{0};    // number of the interval; whoever changes it reports
    std::atomic<std::uint64_t> written_{0};   // in this interval; no order needed
    std::atomic<std::uint64_t> left_out_{0};  // since the last report; no order needed
};

}  // namespace costar::machine
