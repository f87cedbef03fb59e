// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/clock.hpp>
#include <costar/core/run_queue.hpp>
#include <costar/core/strand_driver.hpp>
#include <costar/ground/function_job.hpp>
#include <costar/ground/idle_flag.hpp>
#include <costar/ground/inbox.hpp>
#include <costar/ground/outside_ways.hpp>
#include <costar/ground/pool.hpp>
#include <costar/ground/sibling_rings.hpp>
#include <costar/ground/stray.hpp>
#include <costar/ground/timer_wheel.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace costar {

class strand;

}  // namespace costar

namespace costar::machine {

/// Serial execution context: the machine behind a `strand`, as `io_context` is behind its executor.
///
/// It holds what runs one after another: ready coroutines, handlers, timers, memory, and the rings from its
/// sibling strands. Everything that happens inside happens in a turn, and turns never overlap. Its parts are
/// `run_queue`, what runs; `strand_time`, when; `sibling_rings` and `outside_ways`, how messages come in.
///
/// Thread safety: `post`, `send_from_outside`, `wake`, `time_outside_for` and `get_executor` from any thread;
/// all else inside a turn. Order: parcels of one sender arrive as sent; jobs posted before a parcel was sent
/// run before it arrives.
class strand_context : public run_queue, public strand_time {
public:
    strand_context(std::uint32_t index, const turn_options& options, costar::clock& clock);
    strand_context(const strand_context&) = delete;
    strand_context& operator=(const strand_context&) = delete;
    ~strand_context();

    /// The strand whose turn the calling thread is in, null outside.
    static strand_context* current() noexcept { return current_; }

    /// Position among its siblings.
    std::uint32_t index() const noexcept { return index_; }

    /// Unique in the process and never used again.
    std::uint64_t serial() const noexcept { return serial_; }

    strand get_executor() noexcept;

    /// Lays the strand on its driver, among its siblings (itself included), for its receiver. Once, before
    /// any turn.
    void connect(
        strand_driver& driver, const std::vector<strand_context*>& siblings, parcel_receiver& receiver);

    /// Replaces first-in-first-out among what is ready by a seeded choice. For simulations.
    void choose_order_by(random_source& source) noexcept { chooser_ = &source; }

    /// Random numbers of this strand; in a simulation those that its seed gives.
    random_source& random() noexcept { return chooser_ != nullptr ? *chooser_ : random_; }

    // What comes in
    // ---------------------------------------------------------------------------------------------

    /// Runs `work` in a turn: from any thread, in order of posting among posts of one thread.
    void post(job& work) noexcept;

    /// Posts a function object; it runs inside a turn or is destroyed with the strand.
    template <class Function>
    void post(Function&& function)
    {
        post(make_job(std::forward<Function>(function)));
    }

    /// Posts a function object behind what lies in the inbox, from inside a turn too.
    template <class Function>
    void post_behind_inbox(Function&& function)
    {
        inbox_.push(&make_job(std::forward<Function>(function)));
    }

    /// Sends to a sibling, from inside a turn. Where the ring is full the parcel waits for room in it, and so
    /// do the messages of the running root: it is parked. A stop and what has come to its time resume it all
    /// the same.
    void send(strand_context& to, const parcel& message);

    /// As `send`, to the sibling with this index; `fill` writes the parcel where the sibling will read it.
    template <class Fill>
    void send_filled(std::size_t to, Fill&& fill)
    {
        if (!rings_.send_filled(to, fill)) [[unlikely]]
            has_spilled(to);
    }

    /// Sends from a thread that is in no strand's turn. Blocks for some milliseconds at most, and only where
    /// a strand with its own thread lags behind. False when the strand has ended; the parcel is still the
    /// caller's then.
    bool send_from_outside(const parcel& message);

    /// As above; `fill` writes the parcel where the strand will read it, and is not called when the strand
    /// has ended.
    template <class Fill>
    bool send_filled_from_outside(Fill&& fill)
    {
        chute* queue = outside_sender::last(serial_);
        if (queue == nullptr && (queue = find_way_from_outside()) == nullptr) [[unlikely]] {
            const late_way last;
            adopt(last.queue());
            return fill_slot(last.queue(), last.queue().reserve(), fill);
        }
        parcel* slot = queue->reserve_within();
        if (slot == nullptr) [[unlikely]]
            slot = reserve_beyond(*queue);
        return fill_slot(*queue, slot, fill);
    }

    /// Sends a job in line with the parcels of the caller, be it a strand or a foreign thread. Until the job
    /// runs, `deadline` may be armed for `deadline.due` where the line is long; 0 there for never.
    ///
    /// Errors: throws `std::bad_alloc`; the job is destroyed then.
    void post_in_line(job& work, timer_node* deadline = nullptr);

    /// Gives the strand a turn if it is idle.
    void wake() noexcept
    {
        if (idle_.take())
            driver_->kick();
    }

    /// What goes into each turn of the strand with it; null for none.
    const std::shared_ptr<turn_companion>& companion() const noexcept { return companion_; }

    /// Takes a companion, the only one, to the end of the strand. Inside a turn, which is its first.
    void accompany(std::shared_ptr<turn_companion> companion) noexcept
    {
        companion_ = std::move(companion);
        companion_->turn_begins();
    }

    /// Destroys `lone` with the strand if it still lives then.
    void keep(stray& lone) noexcept { strays_.keep(lone); }

    // Turns (for drivers)
    // ---------------------------------------------------------------------------------------

    /// Takes what came in and runs what is ready, within its budget. True when more is ready. It reads the
    /// clock first, unless the caller just has.
    bool turn(bool is_clock_read = false);

    /// Runs a single ready coroutine or handler. False when there was none. For simulations.
    bool step();

    /// Calls `function` inside a turn, followed by what it made ready. The caller must be allowed to enter.
    template <class Function>
    void enter(Function&& function);

    bool may_enter() const noexcept { return current_ == nullptr && driver_->may_enter(); }

    /// Anything to do now, timers aside?
    bool has_work() const noexcept { return has_ready() || has_input(); }
    bool is_anything_left() const noexcept;
    bool has_ready() const noexcept { return !ready_.empty() || !jobs_.empty(); }
    bool has_input() const noexcept;

    /// As `has_input`, for those who ask again and again.
    bool awaits_input() const noexcept
    {
        rings_.prefetch();
        return has_input();
    }

    /// Marks the strand idle: from now on whoever sends something kicks. False when something came meanwhile.
    bool fall_asleep() noexcept
    {
        idle_.raise();
        if (!has_work())
            return true;
        stay_awake();
        return false;
    }

    void stay_awake() noexcept { idle_.lower(); }

    /// Parks the running root for a moment: who it sends to tells nothing of its room.
    void pause_running() noexcept;

    strand_driver& driver() const noexcept { return *driver_; }
    parcel_receiver& receiver() const noexcept { return *receiver_; }
    costar::machine::arena& arena() noexcept { return arena_.get(); }

    /// Calls `last` as in a turn, then destroys what was left. After the last turn of all siblings.
    template <class Function>
    void tear_down(Function&& last);

    /// Destroys all jobs, parcels and strays that were left. After the last turn of all siblings, before the
    /// receiver ends.
    void discard_input() noexcept;

    /// From now on what is posted from outside is destroyed at once: nobody would run it. After the last
    /// turn.
    void refuse_posts() noexcept { refusing_.store(true, std::memory_order_seq_cst); }

private:
    class turn_guard;

    void drain();
    void look();
    void run_posted();
    void take_parcels();
    void take_from_rings();
    void take_from_chutes();
    std::size_t room_for_parcels(std::size_t taken) noexcept;
    template <class Queue>
    std::size_t take_from(Queue& queue, bool& is_more_left);
    void tend_queues();
    void note_deadlines();
    void discard_jobs() noexcept;
    void run_jobs();
    void fire_timers();
    void announce_timer();
    void flush();

    void has_spilled(std::size_t to) noexcept;
    bool makes_parking() noexcept;
    bool awaits_inboxes_still() noexcept;
    void push_own(job& work) noexcept;
    void tell_done();
    void has_flooded(strand_context& other) noexcept;
    bool has_made_room() const noexcept;

    /// The way of a foreign thread; null when the thread's own objects are being destroyed.
    chute* find_way_from_outside();
    parcel* reserve_beyond(chute& queue);
    void adopt(chute& queue) { post(outside_ways::adoption(ways_, queue)); }

    template <class Fill>
    bool fill_slot(chute& queue, parcel* slot, Fill& fill)
    {
        if (slot == nullptr) [[unlikely]]
            return false;
        fill(*slot);
        queue.commit();
        wake();
        return true;
    }

    void run_job(job& work);
    void leave_turn();

    friend class run_queue;
    friend class parking;

    static constinit inline thread_local strand_context* current_ = nullptr;

    // The share of each source in a round.
    static constexpr int jobs_per_round = 64;               // handlers posted from inside
    static constexpr int posted_per_round = 256;            // handlers and control work from the inbox
    static constexpr std::uint64_t inbox_is_long = 16384;   // who adds to it is held back
    static constexpr std::size_t parcels_per_round = 1024;  // of each ring and chute
    static constexpr int units_for_a_parcel = 16;           // past borne messages, with a full backlog
    static constexpr std::size_t timers_per_round = 1024;

    arena_owner arena_;
    job_queue jobs_;                 // handlers posted from inside
    job_queue posted_;               // taken from the inbox
    std::uint64_t posted_done_ = 0;  // of these, in all
    std::uint64_t told_done_ = 0;    // of these, less the births that wait

    std::uint64_t turn_length_;
    std::int64_t backlog_max_;
    std::uint32_t index_;
    std::uint64_t serial_;
    strand_driver* driver_ = nullptr;
    random_source random_;

    std::vector<strand_context*> siblings_;
    sibling_rings rings_;
    outside_ways ways_;
    bool has_flooded_ = false;  // a root waits for the inbox of a sibling
    stray_list strays_;
    std::shared_ptr<turn_companion> companion_;
    bool are_chutes_first_ = false;
    std::uint64_t tended_at_ = 0;  // when rings and chutes were last looked through
    std::uint64_t deadlines_seen_ = 0;
    std::atomic<bool> refusing_{false};  // false until the last turn is over

    // Written by others.
    alignas(128) inbox inbox_;
    std::atomic<std::uint64_t> deadlines_sent_{
        0};  // raised by any thread; a scan that misses one comes again
    idle_flag idle_;
};

/// Makes a strand current on this thread for the length of a turn.
class strand_context::turn_guard {
public:
    explicit turn_guard(strand_context& context) noexcept
        : context_(context), previous_(std::exchange(current_, &context)), memory_(context.arena())
    {
        if (context.companion_ != nullptr) [[unlikely]]
            context.companion_->turn_begins();
    }
    turn_guard(const turn_guard&) = delete;
    ~turn_guard()
    {
        if (context_.companion_ != nullptr) [[unlikely]]
            context_.companion_->turn_ends();
        context_.running_ = nullptr;
        current_ = previous_;
    }

private:
    strand_context& context_;
    strand_context* previous_;
    arena_scope memory_;
};

template <class Function>
void strand_context::enter(Function&& function)
{
    struct kick_on_throw {
        strand_context& self;
        bool done = false;
        ~kick_on_throw()
        {
            if (!done)
                self.wake();  // what it had made ready still gets a turn
        }
    } kicking{*this};
    turn_guard guard(*this);
    read_clock();
    if (hogs_.is_off()) [[likely]]
        std::forward<Function>(function)();
    else
        hogs_.watch(*receiver_, {}, std::forward<Function>(function));
    leave_turn();
    kicking.done = true;
    driver_->has_entered(now_);
}

template <class Function>
void strand_context::tear_down(Function&& last)
{
    turn_guard guard(*this);
    discard_input();
    std::forward<Function>(last)();
    discard_input();
    if (companion_ != nullptr) {
        companion_->strand_ends();
        discard_input();
    }
}

}  // namespace costar::machine
