// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>
#include <costar/ground/ring.hpp>

#include <cstddef>
#include <cstdint>

namespace support {

/// A parcel that is told from others by whom it is for.
inline costar::machine::parcel numbered(std::uint64_t number)
{
    costar::machine::parcel made{};
    made.to = number;
    return made;
}

/// Rings and a backlog that are full soon.
inline costar::turn_options tiny(std::size_t slots, std::int64_t backlog = 2048)
{
    costar::turn_options turn;
    turn.ring_slots = slots;
    turn.backlog = backlog;
    return turn;
}

}  // namespace support
