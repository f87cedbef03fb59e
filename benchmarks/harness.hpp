// SPDX-License-Identifier: MIT

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// What the benchmark programs share: one program for each peer, one process for each run, one line of JSON
/// for each outcome.
namespace bench {

/// What one run is to do.
struct order {
    std::size_t strands = 1;
    bool quick = false;  ///< tiny counts, to see that it runs

    /// `full` in a measurement, a hundredth of it in a quick run.
    std::uint64_t count(std::uint64_t full) const noexcept { return quick ? full / 100 : full; }
};

/// One measured figure.
struct figure {
    std::string name;
    double value = 0;
    std::string unit;
    bool more_is_better = true;
};

/// What a process has used.
struct usage {
    double cpu_seconds = 0;
    std::uint64_t peak_bytes = 0;  ///< of memory
};

/// What the calling process has used until now.
usage usage_so_far();

/// What a run measured.
struct outcome {
    std::vector<figure> figures;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t allocations =
        0;  ///< calls of operator new between the start and the end of the measurement
    std::string note;
    usage beside;  ///< of a second process, which is added to that of the first one
};

/// A workload as one peer does it.
struct workload {
    std::string name;
    std::string peer;
    std::vector<std::size_t> strands;  ///< numbers of worker threads with which it makes sense
    std::size_t in_flight = 1;
    std::size_t message_bytes = 8;
    std::function<outcome(const order&)> run;
};

/// Whose program this is, and with which settings it runs.
struct about {
    std::string name;
    std::string version;
    std::string language;
    std::string settings;
};

/// `list` prints what the program offers, `about` prints `peer` if it has a name, `run WORKLOAD PEER STRANDS
/// [--quick]` runs one and prints its outcome.
int main(int argc, char** argv, const std::vector<workload>& offered, const about& peer = {});

/// Seconds, and calls of operator new, since it was made.
class stopwatch {
public:
    stopwatch();
    double seconds() const;
    std::uint64_t allocations() const;

private:
    std::chrono::steady_clock::time_point start_;
    std::uint64_t allocations_;
};

/// Binds the calling thread to one core.
void pin_to(std::size_t core);

/// What the process holds in memory now.
std::uint64_t resident_bytes();

outcome rate(std::string name, std::string unit, std::uint64_t count, const stopwatch& watch);
outcome duration(std::string name, const stopwatch& watch);

/// Durations in nanoseconds, for percentiles.
class latencies {
public:
    explicit latencies(std::size_t expected) { values_.reserve(expected); }
    void add(std::chrono::steady_clock::duration took)
    {
        values_.push_back(static_cast<std::uint32_t>(std::chrono::nanoseconds(took).count()));
    }

    /// Median and percentiles.
    std::vector<figure> figures();

    double percentile(double part);
    std::size_t size() const noexcept { return values_.size(); }

private:
    std::vector<std::uint32_t> values_;
};

}  // namespace bench
