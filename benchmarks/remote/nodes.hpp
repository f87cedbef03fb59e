// SPDX-License-Identifier: MIT

#pragma once

#include "harness.hpp"

#include <costar/actor/context.hpp>
#include <costar/remote/node.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "traffic.costar.hpp"  // made of traffic.capnp by capnpc-costar

namespace bench {

/// All that the nodes say to each other.
costar::wire::dictionary all_words();

/// Gives `take` what has come, without waiting.
template <class Take>
void take_what_has_come(costar::context& self, Take& take)
{
    while (self.mailbox_size() != 0) {
        costar::message next = self.try_receive();
        next.match(take);
    }
}

/// Of a large message.
inline constexpr std::size_t load_bytes = 1'000'000;

/// R1: ten nodes in one process. R1slow: one actor of a hundred takes its time.
outcome ten_nodes(const order& order);
outcome ten_nodes_with_slow_actors(const order& order);

/// What the others get while all are quick and while some are slow, and what is left of the first.
std::vector<figure> compared(const std::string& unit, double all_quick, double one_slow);

/// R2unbatched: each message in a batch of its own.
outcome pings_one_by_one(const order& order);

/// R2slow, R3bslow, R4slow: a hundred actors in the second process, of which one takes its time.
outcome pings_beside_a_slow_one(const order& order);
outcome asks_beside_a_slow_one(const order& order);
outcome loads_beside_a_slow_one(const order& order);

/// R7: many links over which nothing goes but heartbeats.
outcome idle_links(const order& order);

/// R7stalled: a hundred peers, of which one stops reading.
outcome asks_beside_a_stalled_peer(const order& order);

}  // namespace bench
