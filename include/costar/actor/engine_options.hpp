// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/clock.hpp>
#include <costar/core/strand.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/kernel/supervision.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace costar {

/// What can be chosen for an engine: `costar::engine engine{{.strands = 4, .pin_threads = true}};`. The
/// defaults suit most programs.
struct engine_options {
    /// The first part of the text form of an actor with a name, see `text_of`.
    std::string name = "local";

    /// Strands of an owned engine, each with an `io_context` and a thread; 0 means one for each core.
    std::size_t strands = 0;

    /// How long an idle strand of an owned engine looks for work from other threads before its thread sleeps.
    /// It stops looking while that proves useless.
    std::chrono::nanoseconds spin = std::chrono::microseconds(50);

    /// Binds the thread of strand n to the n-th core that the process was given when it was started.
    bool pin_threads = false;

    /// How a strand shares its time.
    turn_options turn = {};

    /// Where strands read the time; the system's steady clock when null. Must outlive the engine.
    costar::clock* clock = nullptr;

    /// What `ask` waits when nothing is said.
    std::chrono::nanoseconds ask_timeout = std::chrono::seconds(5);

    /// How crashes of actors without parent are dealt with that say nothing themselves; the first crash ends
    /// them when nothing is said here either. They have no siblings, so any strategy means `one_for_one`:
    /// actors that share their fate are spawned by one parent.
    std::optional<supervisor> guardian{};

    /// What stands between all actors and their messages, outside of what they have themselves.
    std::vector<std::shared_ptr<costar::middleware>> middleware{};

    /// How many dead letters are written to the log in `dead_letter_interval`; how many more there were is
    /// written behind them. 0 for none. The events and counts are complete in any case.
    std::uint32_t dead_letter_lines = 3;
    std::chrono::nanoseconds dead_letter_interval = std::chrono::seconds(1);

    /// How long the destructor of an engine with threads of its own waits for its actors to end, unless a
    /// shutdown has waited in vain already.
    std::chrono::nanoseconds shutdown_timeout = std::chrono::seconds(5);

    /// Functions that `context::offload` runs at a time, each on a helper thread.
    std::size_t offload_threads = 2;

    /// Functions that wait for a helper thread; what is offloaded beyond them fails with
    /// `errc::offload_full`.
    std::size_t offload_queue = 1024;
};

/// What a shutdown left behind.
struct shutdown_report {
    /// Actors that had not ended at the deadline, and "strand n is busy" for each that some handler kept;
    /// with whom, where `turn_options::hog_limit` is set.
    std::vector<std::string> left;
};

}  // namespace costar
