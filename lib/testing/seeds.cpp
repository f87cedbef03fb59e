// SPDX-License-Identifier: MIT

#include <costar/testing/seeds.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace costar::testing {

namespace {

/// A number that the environment gives.
std::optional<std::uint64_t> number_of(const char* name)
{
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0')
        return std::nullopt;
    std::uint64_t number = 0;
    const char* end = text + std::strlen(text);
    const auto [stopped, failure] = std::from_chars(text, end, number);
    if (failure != std::errc{} || stopped != end)
        throw std::invalid_argument(fmt::format("{} is '{}', which is no number", name, text));
    return number;
}

}  // namespace

std::optional<std::uint64_t> named_seed()
{
    return number_of("COSTAR_SEED");
}

std::uint64_t seed_count(std::uint64_t count)
{
    return named_seed() ? 1 : number_of("COSTAR_SEEDS").value_or(count);
}

seed_failed::seed_failed(std::uint64_t seed, const std::string& what)
    : std::runtime_error(fmt::format("COSTAR_SEED={}: {}", seed, what)), seed_(seed)
{}

void throw_with_seed(std::uint64_t seed)
{
    std::string what = "an exception of unknown type";
    try {
        throw;
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {}
    std::throw_with_nested(seed_failed(seed, what));
}

}  // namespace costar::testing
