// SPDX-License-Identifier: MIT

#pragma once

#include <costar/node.capnp.h>
#include <costar/remote/refusal.hpp>
#include <costar/rpc/kj.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace costar::remote {

/// The protocols that this release speaks. `test/remote/frozen` has a copy of each, and a peer that knows it
/// alone.
inline constexpr std::uint16_t newest_protocol = 1;
inline constexpr std::uint16_t oldest_protocol = 1;

/// Feature records of a greeting, and bytes of their values; a greeting with more is malformed.
inline constexpr std::size_t features_max = 64;
inline constexpr std::size_t feature_bytes_max = 4096;

/// What a node says of itself at first.
struct greeting {
    std::uint16_t newest = newest_protocol;
    std::uint16_t oldest = oldest_protocol;
    std::string name;
    std::uint64_t life = 0;
    std::string address;
    std::uint32_t message_max = 0;
    std::uint64_t nonce = 0;

    /// Of several connections one is used: feature 1.
    bool elects = false;

    /// Other feature records: what they say is skipped.
    std::size_t unknown_features = 0;
    std::size_t feature_bytes = 0;

    static greeting read(schema::Greeting::Reader from);
    void write(schema::Greeting::Builder to) const;
};

/// Can a node have this name, as far as others are concerned? It stands in lines of the log, which it must
/// not end.
bool is_name(std::string_view name) noexcept;

/// What two nodes have agreed on.
struct agreement {
    std::uint16_t protocol = 0;
    std::uint32_t message_max = 0;
};

/// Looks at the greeting of a peer; `why` is set where there is no agreement.
std::optional<agreement> agree(const greeting& mine, const greeting& theirs, refusal& why);

}  // namespace costar::remote
