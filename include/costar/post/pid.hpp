// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace costar {

/// Address of an actor: a small value that is copied freely and never dangles.
///
/// It names the node, the strand, a slot on the strand and the slot's generation. When the actor ends its
/// slot gets a new generation, so an old pid is recognized as stale; nothing is reference-counted. A
/// default-made pid is nobody's. Text form: `node/$strand-slot-generation`, all decimal.
///
/// Thread safety: a value; any thread.
class pid {
public:
    constexpr pid() noexcept = default;
    constexpr pid(
        std::uint32_t node, std::uint16_t strand, std::uint32_t slot, std::uint32_t generation) noexcept
        : pid(place_of(node, strand), std::uint64_t{generation} << 32 | slot)
    {}

    /// The actor with this `key` on the strand with this `place`.
    constexpr pid(std::uint64_t place, std::uint64_t key) noexcept : place_(place), key_(key) {}

    /// The engine in this process, or the remote node it was heard of.
    constexpr std::uint32_t node() const noexcept { return static_cast<std::uint32_t>(place_ >> 16); }
    constexpr std::uint16_t strand() const noexcept { return static_cast<std::uint16_t>(place_); }
    constexpr std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(key_); }
    constexpr std::uint32_t generation() const noexcept { return static_cast<std::uint32_t>(key_ >> 32); }

    /// Node and strand in one number, and slot and generation: one comparison each where messages pass.
    constexpr std::uint64_t place() const noexcept { return place_; }
    constexpr std::uint64_t key() const noexcept { return key_; }

    static constexpr std::uint64_t place_of(std::uint32_t node, std::uint16_t strand) noexcept
    {
        return std::uint64_t{node} << 16 | strand;
    }

    /// False for a default-made pid.
    explicit constexpr operator bool() const noexcept { return generation() != 0; }

    friend constexpr bool operator==(const pid&, const pid&) noexcept = default;
    friend constexpr auto operator<=>(const pid&, const pid&) noexcept = default;

    std::string to_string() const;

    /// Reads the text form; nothing when `text` is anything else.
    static std::optional<pid> parse(std::string_view text) noexcept;

private:
    std::uint64_t place_ = 0;  // node, strand
    std::uint64_t key_ = 0;    // generation, slot
};

static_assert(sizeof(pid) == 16);

/// May a message be sent to a destination? A pid takes everything, an `address` what its actor understands.
template <class Destination, class Message>
inline constexpr bool accepts = std::is_convertible_v<Destination, pid>;

}  // namespace costar

template <>
struct std::hash<costar::pid> {
    std::size_t operator()(const costar::pid& id) const noexcept
    {
        std::uint64_t mixed = (id.key() << 32 | id.key() >> 32) * 0x9e3779b97f4a7c15;
        mixed ^= id.place() + (mixed >> 29);
        return static_cast<std::size_t>(mixed * 0xbf58476d1ce4e5b9);
    }
};

template <>
struct fmt::formatter<costar::pid> : fmt::formatter<std::string_view> {
    template <class Context>
    auto format(const costar::pid& id, Context& context) const
    {
        return fmt::formatter<std::string_view>::format(id.to_string(), context);
    }
};
