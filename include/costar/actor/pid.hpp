// SPDX-License-Identifier: MIT

#pragma once

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
        : node_(node), slot_(slot), generation_(generation), strand_(strand)
    {}

    /// The engine in this process, or the remote node it was heard of.
    constexpr std::uint32_t node() const noexcept { return node_; }
    constexpr std::uint16_t strand() const noexcept { return strand_; }
    constexpr std::uint32_t slot() const noexcept { return slot_; }
    constexpr std::uint32_t generation() const noexcept { return generation_; }

    /// False for a default-made pid.
    explicit constexpr operator bool() const noexcept { return generation_ != 0; }

    friend constexpr bool operator==(const pid&, const pid&) noexcept = default;
    friend constexpr auto operator<=>(const pid&, const pid&) noexcept = default;

    std::string to_string() const;

    /// Reads the text form; nothing when `text` is anything else.
    static std::optional<pid> parse(std::string_view text) noexcept;

private:
    std::uint32_t node_ = 0;
    std::uint32_t slot_ = 0;
    std::uint32_t generation_ = 0;
    std::uint16_t strand_ = 0;
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
        std::uint64_t mixed = (std::uint64_t{id.slot()} << 32 | id.generation()) * 0x9e3779b97f4a7c15;
        mixed ^= (std::uint64_t{id.node()} << 16 | id.strand()) + (mixed >> 29);
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
