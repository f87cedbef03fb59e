// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace costar::remote {

/// What has come and gone since the node began: envelopes, and the batches in which they went; those that
/// were lost on the way, or could not be delivered.
struct node_counters {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> lost{0};

    /// Connections that were closed since there were too many.
    std::atomic<std::uint64_t> turned_away{0};
};

/// Where the time of a request to another node goes.
struct request_times {
    /// From when it is sent until the link takes it: behind others of its strand, and on its way from there.
    std::chrono::nanoseconds until_taken{0};

    /// From there until it is written: behind what waits for the peer.
    std::chrono::nanoseconds until_written{0};

    /// From there until its answer comes: the network, and all that the other node does.
    std::chrono::nanoseconds until_answered{0};
};

/// What is known of another node, and what has gone over the links to it.
struct peer_figures {
    std::string name;
    std::string address;

    /// Records of its greeting that this release does not know, and has skipped: it is of a newer one.
    std::size_t unknown_features = 0;

    /// Is there a link? And since when there is one, or none.
    bool is_connected = false;
    std::chrono::system_clock::time_point since{};

    /// Links that were made; messages, requests and answers, the batches in which they went, and bytes of all
    /// that was said.
    std::uint64_t links = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t batches = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;

    /// What waits for it.
    std::uint32_t waiting = 0;
    std::uint64_t bytes_waiting = 0;

    /// How long the last heartbeat took, there and back; 0 before the first.
    std::chrono::nanoseconds round_trip{0};

    /// Where the time of requests goes, of about the last sixteen; and how many were not answered in time.
    request_times times{};
    std::uint64_t overdue = 0;
};

}  // namespace costar::remote
