// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/reply_table.hpp>
#include <costar/post/pid.hpp>

#include <cstdint>
#include <list>

namespace costar::remote {

class link;

/// Waits for what this node says to a peer.
struct word_to_peer : machine::reply_waiter {
    link* owner;
    std::uint64_t request;  // of the peer; 0 where nobody waits there
    std::uint64_t token = 0;

protected:
    word_to_peer(function take, link& owner, std::uint64_t number) noexcept
        : reply_waiter(take), owner(&owner), request(number)
    {}
    ~word_to_peer() = default;
};

/// The answer to a request of the peer.
struct owed_answer : word_to_peer {
    owed_answer(link& owner, std::uint64_t number) noexcept : word_to_peer(&take_it, owner, number) {}

    static void take_it(
        reply_waiter& self, const machine::message_type* type, void* value, errc failure) noexcept;

    /// When nobody waits any more, 0 for never (strand time).
    std::uint64_t deadline = 0;

    /// Whose end is waited for; nobody for a message.
    pid ends{};
};

/// A stop, restart or poison that the peer may not have. Whether the actor has ended already is seen on its
/// strand: then it was harmless, as it may have been spawned for this peer, of which nothing is known any
/// more.
struct denied_stop : word_to_peer {
    denied_stop(link& owner, std::uint64_t number) noexcept : word_to_peer(&take_it, owner, number) {}

    static void take_it(
        reply_waiter& self, const machine::message_type* type, void* value, errc failure) noexcept;

    std::list<denied_stop>::iterator place{};
};

}  // namespace costar::remote
