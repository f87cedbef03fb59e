// SPDX-License-Identifier: MIT

#pragma once

#include <costar/node.capnp.h>
#include <costar/rpc/kj.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace costar::remote {

/// The protocols that this release speaks.
inline constexpr std::uint16_t newest_protocol = 1;
inline constexpr std::uint16_t oldest_protocol = 1;

/// Why a node is not let in, as it stands in a welcome.
enum class refusal : std::uint16_t {
    none = 0,
    no_common_protocol = 1,
    name_taken = 2,
    not_who_was_expected = 3,
    unknown_peer = 4,
    is_itself = 5,
    malformed = 6,
    too_many = 7,
};

/// In words, for logs; of a number that this release does not know too.
std::string text_of(refusal why);

/// What a node says of itself at first.
struct greeting {
    std::uint16_t newest = newest_protocol;
    std::uint16_t oldest = oldest_protocol;
    std::string name;
    std::uint64_t life = 0;
    std::string address;
    std::uint32_t message_max = 0;
    std::uint64_t nonce = 0;

    static greeting read(schema::Greeting::Reader from);
    void write(schema::Greeting::Builder to) const;
};

/// What two nodes have agreed on.
struct agreement {
    std::uint16_t protocol = 0;
    std::uint32_t message_max = 0;
};

/// Looks at the greeting of a peer; `why` is set where there is no agreement.
std::optional<agreement> agree(const greeting& mine, const greeting& theirs, refusal& why);

}  // namespace costar::remote
