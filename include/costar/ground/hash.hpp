// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstdint>
#include <string_view>

namespace costar::machine {

/// Spreads a number over all 64 bits, so that neighbours end up far apart. One to one, the same on every
/// machine, not for secrets.
///
/// The last step of splitmix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
constexpr std::uint64_t mixed(std::uint64_t number) noexcept
{
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
    number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
    return number ^ (number >> 31);
}

}  // namespace costar::machine

namespace costar {

/// A hash that is the same on every machine and in every run. Not for secrets, and not for tables that
/// strangers may fill.
///
/// For a text FNV-1a (Fowler, Noll and Vo) of 64 bits, which is then mixed. Cost: about 1 ns a byte.
constexpr std::uint64_t stable_hash(std::uint64_t number) noexcept
{
    return machine::mixed(number + 0x9e3779b97f4a7c15);
}
constexpr std::uint64_t stable_hash(std::string_view text) noexcept
{
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char each : text)
        hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3;
    return machine::mixed(hash);
}

}  // namespace costar
