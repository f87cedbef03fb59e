// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/reply_table.hpp>

#include <cstdint>
#include <list>

namespace costar::remote {

class link;

/// A stop, restart or poison that the peer may not have. Whether the actor has ended already is seen on its
/// strand: then it was harmless, as it may have been spawned for this peer, of which nothing is known any
/// more.
struct denied_stop : machine::reply_waiter {
    denied_stop(link& owner, std::uint64_t number) noexcept
        : reply_waiter(&take_it), owner(&owner), request(number)
    {}

    static void take_it(
        reply_waiter& self, const machine::message_type* type, void* value, errc failure) noexcept;

    link* owner;
    std::uint64_t request;  // 0 where nobody waits
    std::uint64_t token = 0;
    std::list<denied_stop>::iterator place{};
};

}  // namespace costar::remote
