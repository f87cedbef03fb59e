// SPDX-License-Identifier: MIT

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace costar {

/// How often a crashed actor is begun anew before its crash is final.
struct restart_policy {
    /// Restarts allowed within `within`; 0 means that the first crash ends the actor.
    std::uint32_t limit = 0;

    /// The window that slides over past restarts; zero counts all of them.
    std::chrono::nanoseconds within = std::chrono::minutes(1);

    /// Pause between a crash and the new beginning.
    std::chrono::nanoseconds delay{0};
};

/// Where an actor lives.
enum class placement : std::uint8_t {
    /// Beside the actor or handler that spawns it; from a foreign thread, on the strands in turn.
    beside,

    /// On the strands in turn, whoever spawns it.
    spread,

    /// On the strand with the number in `spawn_options::strand`.
    chosen,
};

/// What can be chosen for one actor when it is spawned.
struct spawn_options {
    /// Unique in the engine while the actor lives; empty for an automatic one.
    std::string name{};

    /// A restarted actor gets the arguments it was spawned with again, so they must be copyable.
    restart_policy restart{};

    costar::placement placement = costar::placement::beside;

    /// Number of the strand for `placement::chosen`.
    std::uint32_t strand = 0;
};

}  // namespace costar
