// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/mailbox.hpp>
#include <costar/kernel/supervision.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace costar {

class middleware;

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

    /// What is said about restarts; without a word the first crash ends the actor, unless its parent or the
    /// guardian says otherwise. A restarted actor gets the arguments it was spawned with again, so they must
    /// be copyable; one whose arguments are not is stopped where somebody else's policy would restart it.
    restart_policy restart{};

    costar::placement placement = costar::placement::beside;

    /// Number of the strand for `placement::chosen`.
    std::uint32_t strand = 0;

    /// What is done about a crash, by the type of the exception; without it, a restart while `restart` allows
    /// one.
    decider decide{};

    /// What becomes of the message over which it crashed.
    failing_message failing{};

    mailbox_options mailbox{};

    /// What stands between the actor and its messages, the outermost first; those that it inherits stand
    /// further outside.
    std::vector<std::shared_ptr<costar::middleware>> middleware{};

    bool needs_mailbox() const noexcept
    {
        return mailbox.limit != 0 || mailbox.by_priority ||
            mailbox.stash_limit != mailbox_options().stash_limit || failing.redeliveries != 0 ||
            failing.becomes_dead_letter;
    }
};

}  // namespace costar
