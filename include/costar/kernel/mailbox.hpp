// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstddef>
#include <cstdint>

namespace costar {

/// What happens to a message that finds its receiver's mailbox full. A request that is not taken ends at once
/// with `errc::mailbox_full`, in every case.
enum class overflow : std::uint8_t {
    /// `send_async` and `ask` wait until there is room. A plain `send`, which cannot wait, becomes a dead
    /// letter.
    wait,

    /// `send_async` fails with `errc::mailbox_full`. A plain `send` becomes a dead letter.
    fail,

    /// The new message is dropped and counted in `station_figures::dropped`; a `send_async` ends well.
    drop_newest,

    /// The message that has waited longest is dropped and counted, and the new one taken; by priority, the
    /// one that has waited longest among the least urgent.
    drop_oldest,

    /// The new message becomes a dead letter with `errc::mailbox_full`.
    dead_letter,
};

/// What can be chosen for the mailbox of an actor.
struct mailbox_options {
    /// How many messages may wait; 0 for any number. Control messages are not counted and never refused.
    std::uint32_t limit = 0;

    overflow when_full = overflow::wait;

    /// Messages with a higher `priority()` come first, those of one level in the order sent.
    bool by_priority = false;

    /// How many messages may be stashed at a time.
    std::uint32_t stash_limit = 1000;
};

/// What a mailbox holds, and may hold, at one moment. Made by `context::mailbox_of`, `engine::mailbox_of`.
struct mailbox_state {
    /// Messages that wait to be received.
    std::size_t queued = 0;

    /// How many may wait, 0 for any number, and what happens to more.
    std::uint32_t limit = 0;
    overflow when_full = overflow::wait;

    /// Messages whose senders wait for room.
    std::size_t outside = 0;

    /// Messages that the actor has put aside.
    std::size_t stashed = 0;
};

}  // namespace costar
