// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand_context.hpp>
#include <costar/ground/block_queue.hpp>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace costar::machine {

/// The roots of one strand that have sent into full rings, and what of theirs waits until these have room.
///
/// A parked root handles no message and its yields do not end while a parcel of its own lies in the spill of
/// a ring. What it waits for otherwise is its own: a stop, a cancellation and whatever has come to its time
/// resume it at once, and so do answers, sockets and tasks, `free_runs` times. What has come to its time may
/// add to the flood `due_runs` times; after that it waits like the rest. So a root that sends between its
/// waits cannot fill the memory, whatever it waits for, and one that has only sent too much does not miss
/// anything.
///
/// Thread safety: inside the strand's turn only.
/// Lifetime: what is held back is forgotten, not resumed, when it is destroyed.
/// Cost: constant for each root, ring and node, whatever else is parked.
class parking {
public:
    static constexpr std::uint32_t free_runs = 16;
    static constexpr std::uint32_t due_runs = 2;  // that add to what the root waits for

    /// How long a root waits that has sent to a strand which tells nothing of its room, at most.
    static constexpr std::uint64_t pause_length = 1'000'000;  // nanoseconds

    /// For a strand with that many rings.
    parking(strand_context& home, std::size_t rings);
    parking(const parking&) = delete;
    parking& operator=(const parking&) = delete;
    ~parking();

    /// Whether nobody is parked.
    bool empty() const noexcept { return records_.empty(); }

    /// Parks a root until `until` parcels have left the spill of a ring.
    ///
    /// Errors: where there is no memory the root is not held back.
    void park(root_scope& root, std::size_t ring, std::uint64_t until) noexcept;

    /// Parks a root until so much of the strand's own work, births and handlers posted from inside, has
    /// begun.
    /// Gives where that number lies until the next `work_is_done`: it may be raised.
    ///
    /// Errors: as `park`; null then.
    std::uint64_t* wait_for_work(root_scope& root, std::uint64_t until) noexcept;

    /// So much of it has, since the beginning.
    void work_is_done(std::uint64_t count) noexcept { room_made(for_work(), count); }

    /// Parks a root until a sibling whose inbox it has flooded has done what was there before, but for the
    /// last `inbox_rest`. That is looked at again and again, in case the sibling's word was missed.
    ///
    /// Errors: as `park`.
    void wait_for_inbox(root_scope& root, std::size_t sibling, inbox& flooded) noexcept;

    static constexpr std::uint64_t inbox_rest = 8192;

    /// Has a sibling done as much as somebody waits for?
    bool has_inbox_done_enough() noexcept;

    /// Lets those go on for whom a sibling has done enough. False when nobody waits for an inbox any more.
    bool look_at_inboxes() noexcept;

    /// Parks a root for up to `pause_length`.
    ///
    /// Errors: as `park`.
    void pause(root_scope& root) noexcept;

    /// Takes the node of a parked root when it has to wait; false when it runs.
    ///
    /// Errors: where there is no memory it runs.
    bool hold(run_node& node, bool is_message_or_yield) noexcept;

    /// That many parcels have left the spill of a ring since the beginning.
    void room_made(std::size_t ring, std::uint64_t popped) noexcept;

    /// These nodes, linked, were made ready because their time has come.
    void note_due(run_node* first) noexcept;

    /// A root ends.
    void forget(root_scope& root) noexcept;

    /// Takes a node out that is held back; false when it is not.
    bool withdraw(run_node& node) noexcept;

private:
    class held;

    /// A root that is parked, or a memory of one that has ended.
    struct record {
        root_scope* root;
        std::uint32_t rings = 0;  // whose room it waits for; a pause is one
        std::uint32_t runs_left = free_runs;
        std::uint32_t due_left = due_runs;
        bool has_run_due = false;  // since it added to that last
        held* first = nullptr;
        held* last = nullptr;
    };

    /// Who waits for a ring, and for which parcel to have left its spill.
    struct entry {
        record* who;
        std::uint64_t until;
    };

    std::size_t for_work() const noexcept { return rings_; }
    std::size_t for_pause() const noexcept { return rings_ + 1; }
    std::size_t for_inbox(std::size_t sibling) const noexcept { return rings_ + 2 + sibling; }

    record* find(const root_scope& root) noexcept;
    record& find_or_make(root_scope& root);
    void release(record& ended) noexcept;
    void let_go(record& ended) noexcept;

    void pause_is_over() noexcept;
    void arm_pause() noexcept;

    /// Ends all pauses.
    struct pause_timer : timer_node {
        parking* whose = nullptr;
    };

    strand_context& home_;
    const std::size_t rings_;
    pause_timer pause_;
    std::uint64_t pauses_ = 1;  // that have begun, with the next one
    std::unordered_map<const root_scope*, record*> records_;
    std::vector<block_queue<entry>> queues_;  // for each ring; for work, the end of a pause; for each inbox

    /// A sibling whose inbox somebody waits for.
    struct flood {
        std::size_t sibling;
        inbox* flooded;
    };
    std::vector<flood> floods_;
    std::unordered_set<const run_node*> due_;
};

}  // namespace costar::machine
