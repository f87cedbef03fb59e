// SPDX-License-Identifier: MIT

#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace costar::testing {

/// The seed that `COSTAR_SEED` of the environment names, if it does.
std::optional<std::uint64_t> named_seed();

/// How many seeds `for_each_seed` tries: `COSTAR_SEEDS` of the environment when it is set, else `count`; one
/// when `COSTAR_SEED` names it.
std::uint64_t seed_count(std::uint64_t count);

/// A test has failed with one of many seeds. What it threw is nested in it.
class seed_failed : public std::runtime_error {
public:
    seed_failed(std::uint64_t seed, const std::string& what);

    std::uint64_t seed() const noexcept { return seed_; }

private:
    std::uint64_t seed_;
};

/// Throws the exception that is being handled again, as a `seed_failed`.
[[noreturn]] void throw_with_seed(std::uint64_t seed);

}  // namespace costar::testing
