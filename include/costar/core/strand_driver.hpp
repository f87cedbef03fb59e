// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/cancellation.hpp>
#include <costar/ground/ring.hpp>

#include <boost/asio/execution_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace costar {

namespace asio = boost::asio;

}  // namespace costar

namespace costar::machine {

struct run_node;

/// How a strand gets its turns: a thread of its own, somebody's executor, or a test.
///
/// Thread safety: `kick`, `work_started` and `work_finished` from any thread.
class strand_driver {
public:
    virtual ~strand_driver() = default;

    /// Sees to it that the strand, which is idle, gets a turn.
    virtual void kick() noexcept = 0;

    /// True when the calling thread may enter the strand now, without a detour through a queue.
    virtual bool may_enter() const noexcept = 0;

    /// True when a foreign thread that sends faster than the strand works may be held back for a moment.
    virtual bool may_hold_back() const noexcept = 0;

    /// True when the strand falls asleep so seldom, or so slowly anyway, that it may take a costly fence then
    /// to spare all who send to it a locked instruction.
    virtual bool sleeps_seldom() const noexcept = 0;

    /// The earliest timer is due at `due` (strand time, nanoseconds; UINT64_MAX for none).
    virtual void timer_changed(std::uint64_t due) = 0;

    /// A handler was run by `strand_context::enter` at strand time `now`: the place to end a look at the
    /// sockets that has become too long.
    virtual void has_entered(std::uint64_t /*now*/) noexcept {}

    /// Counts executors that track work, so that a borrowed context does not run out of it.
    virtual void work_started() noexcept = 0;
    virtual void work_finished() noexcept = 0;

    virtual asio::execution_context& context() const noexcept = 0;
};

/// What goes with a strand into each of its turns: an event loop that must be the one of the thread whenever
/// something of the strand runs.
///
/// Thread safety: called by the thread that gives the turn, which is another one when what is left is
/// destroyed. Turns of different companions may lie inside of each other.
class turn_companion {
public:
    virtual void turn_begins() noexcept = 0;
    virtual void turn_ends() noexcept = 0;

    /// Nothing is left to do in this turn, or its time is over: what was gathered for others goes out. That
    /// may make work.
    virtual void send_out() noexcept = 0;

    /// What was left on the strand has been destroyed, in this turn; the companion lets go of its own.
    virtual void strand_ends() noexcept = 0;

protected:
    ~turn_companion() = default;  // it is destroyed as what it is
};

/// Is this a type of another library whose values belong to the strand on which they were made? For rooms
/// that bring such a library.
template <class T>
inline constexpr bool is_bound_elsewhere = false;

/// What the floor above does with what a strand hands it.
class parcel_receiver {
public:
    /// Takes a message that came from another strand or thread. Runs in the strand's turn.
    virtual void receive(parcel& arrived) = 0;

    /// Destroys a message that will never be received because the strand ends.
    virtual void discard(parcel& left) noexcept = 0;

    /// Clears away a root that was passed to `strand_context::reap_later`. Runs right after the resumption
    /// that ended it, when no frame of it is on the stack.
    virtual void reap(run_node& ended) noexcept = 0;

    /// Who is about to run, and why: two values that mean something to the receiver alone.
    struct run_identity {
        std::uint64_t who = 0;
        const void* why = nullptr;
    };
    virtual run_identity identify(root_scope&) noexcept { return {}; }

    /// Does a root wait for its mailbox with this node? Else it waits for something that is not held back
    /// with its messages.
    virtual bool is_mailbox(const run_node&, const root_scope& root) const noexcept
    {
        return root.is_receptive();
    }

    /// Somebody has kept the strand for longer than `turn_options::hog_limit`.
    virtual void report_hog(run_identity, std::chrono::nanoseconds) noexcept {}

protected:
    ~parcel_receiver() = default;
};

}  // namespace costar::machine

namespace costar {

/// How a strand shares its time. The defaults suit most programs.
struct turn_options {
    /// Messages an actor handles or sends before the next ready one runs.
    int throughput = 64;

    /// Longest turn before sockets and timers of the same context get their share.
    std::chrono::nanoseconds turn = std::chrono::microseconds(200);

    /// Messages from other strands and threads that wait for runnable actors, above which a strand takes no
    /// more of them. What its actors send to each other does not count.
    std::int64_t backlog = 2048;

    /// Slots of the ring between two strands: 64 bytes each, rounded up to a power of two, `ring_slots_max`
    /// at most. More are refused by `std::invalid_argument`.
    std::size_t ring_slots = 1024;
    static constexpr std::size_t ring_slots_max = std::size_t{1} << 24;

    /// A coroutine or handler that keeps the strand for longer is reported; zero for none. Watching reads the
    /// clock before and after each, and lets an actor handle one message at a time.
    std::chrono::nanoseconds hog_limit{0};
};

}  // namespace costar
