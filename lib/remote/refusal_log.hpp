// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/log.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace costar::remote {

/// Which lines about peers that are not there are written: the first that says something, and then one a
/// minute with how many were left out. Who knocks a thousand times fills no disk.
///
/// Thread safety: any thread.
class refusal_log {
public:
    /// Of how many different lines it knows; beyond, all count as one.
    static constexpr std::size_t lines_max = 256;
    static constexpr std::uint64_t interval = 60'000'000'000;

    /// What is to be written of a line now, if anything. `what` says which lines are alike; `now` is the time
    /// of a strand.
    std::optional<std::string> note(std::uint64_t now, const std::string& what, std::string line);

    /// Writes that.
    void write(log_level level, std::uint64_t now, const std::string& what, std::string line);

private:
    struct written {
        std::uint64_t at = 0;
        std::uint64_t left_out = 0;
    };

    std::mutex mutex_;
    std::map<std::string, written> lines_;
};

}  // namespace costar::remote
