// SPDX-License-Identifier: MIT

// What tests share that run for a time that their caller chooses, and that would rather end than hang.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace support {

/// A number that the environment gives, else `otherwise`.
inline std::uint64_t number_from(const char* name, std::uint64_t otherwise)
{
    const char* text = std::getenv(name);
    return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

/// How long a test is to run: `COSTAR_SECONDS` of the environment when it is set, else `otherwise`.
inline std::chrono::nanoseconds time_to_run(std::chrono::nanoseconds otherwise)
{
    const std::uint64_t given = number_from("COSTAR_SECONDS", 0);
    return given == 0 ? otherwise : std::chrono::seconds(given);
}

/// Runs a test with one seed.
///
/// Errors: what the test throws comes with the seed and with how to repeat it.
template <class Test>
void with_seed(std::uint64_t seed, const std::string& program, Test&& test)
{
    try {
        test(seed);
    } catch (const std::exception& thrown) {
        throw std::runtime_error(
            fmt::format("{}\nrepeat it: COSTAR_SEED={} {}", thrown.what(), seed, program));
    }
}

/// Runs a test with the seeds from 1 to `count`, or with `fixed` alone when that is not 0.
template <class Test>
void for_seeds(std::uint64_t fixed, std::uint64_t count, const std::string& program, Test&& test)
{
    if (fixed != 0)
        with_seed(fixed, program, test);
    else
        for (std::uint64_t seed = 1; seed <= count; ++seed)
            with_seed(seed, program, test);
}

/// Runs a test with one seed after the other, from `COSTAR_FIRST_SEED` on, for `length`, or for as long as
/// the environment says; with `COSTAR_SEED` with that one alone, again and again.
template <class Test>
void for_seeds(std::chrono::nanoseconds length, const std::string& program, Test&& test)
{
    const std::uint64_t fixed = number_from("COSTAR_SEED", 0);
    std::uint64_t seed = fixed != 0 ? fixed : number_from("COSTAR_FIRST_SEED", 1);
    const auto end = std::chrono::steady_clock::now() + time_to_run(length);
    for (; std::chrono::steady_clock::now() < end; seed += fixed == 0)
        with_seed(seed, program, test);
}

/// Lets time pass for a thread that has nothing to do.
inline void pass(std::chrono::nanoseconds length)
{
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    static_cast<void>(never.wait_for(lock, length, [] { return false; }));
}

/// Ends the process when something takes longer than it may, and says where everybody stands: a test that
/// hangs tells nothing.
///
/// Thread safety: one thread.
class watchdog {
public:
    explicit watchdog(std::function<std::string()> describe)
        : describe_(std::move(describe)), thread_([this] { run(); })
    {}
    watchdog(const watchdog&) = delete;
    ~watchdog()
    {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    /// From now on this may take so long.
    void watch(const char* what, std::chrono::nanoseconds limit)
    {
        {
            const std::lock_guard lock(mutex_);
            what_ = what;
            end_ = std::chrono::steady_clock::now() + limit;
        }
        changed_.notify_one();
    }

private:
    void run()
    {
        std::unique_lock lock(mutex_);
        while (!is_over_) {
            const auto end = end_;
            if (changed_.wait_until(lock, end) == std::cv_status::timeout && end == end_ && !is_over_)
                bite();
        }
    }

    void bite()
    {
        std::printf("%s has not come in time\n", what_);
        std::fflush(stdout);
        std::printf("%s\n", describe_().c_str());
        std::fflush(stdout);
        std::abort();
    }

    std::function<std::string()> describe_;
    std::mutex mutex_;
    std::condition_variable changed_;
    const char* what_ = "the beginning";
    std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    bool is_over_ = false;
    std::thread thread_;
};

}  // namespace support
