// SPDX-License-Identifier: MIT

#pragma once

#include <cstdint>
#include <string>

namespace costar::remote {

/// Why a node is not let in, as it stands in a welcome. Numbers are never used twice.
enum class refusal : std::uint16_t {
    /// It is let in.
    none = 0,
    /// One of both is too old for the other one.
    no_common_protocol = 1,
    /// Another living node has its name: start it with a name of its own, or end the other one.
    name_taken = 2,
    /// It is not the node that was wanted.
    not_who_was_expected = 3,
    /// Its name is not among those that are let in: see `node_options::allowed`.
    unknown_peer = 4,
    /// A node has dialled itself.
    is_itself = 5,
    /// What it says of itself cannot be.
    malformed = 6,
    /// See `node_options::lives_max`.
    too_many = 7,
    /// Its certificate is for other names: see `tls_options`.
    name_not_proven = 8,
    /// The handshake of TLS came to nothing. It stands in no welcome, since there was none.
    not_trusted = 9,
    /// There are as many connections as there may be: see `node_options::connections_max`. It stands in no
    /// welcome.
    too_many_connections = 10,
};

/// In words, for logs; of a number that this release does not know too.
std::string text_of(refusal why);

/// A node was not let in by another one; told to both sides, as far as they can be. There is an event for
/// each time, and a `peer_lost` too; lines of the log there are few of. Of `too_many_connections` there is
/// one a minute, with how many there were, and no `peer_lost`: nobody knows who they are.
struct peer_refused {
    /// What it says it is called; empty where that was not said.
    std::string name;

    std::string address;

    /// In words, for people.
    std::string reason;

    refusal number = refusal::none;

    /// Has the other one refused this node?
    bool by_peer = false;
};

}  // namespace costar::remote
