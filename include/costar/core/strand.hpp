// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/cancellation.hpp>
#include <costar/core/clock.hpp>
#include <costar/core/task.hpp>
#include <costar/ground/asymmetric_fence.hpp>
#include <costar/ground/block_queue.hpp>
#include <costar/ground/chute.hpp>
#include <costar/ground/inbox.hpp>
#include <costar/ground/pool.hpp>
#include <costar/ground/ring.hpp>
#include <costar/ground/timer_wheel.hpp>

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/is_executor.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar {

namespace asio = boost::asio;

class strand;
class parking;

/// A place in the ready queue: the coroutine to resume, linked without allocation.
struct run_node {
    run_node* next = nullptr;
    promise_base* waiter = nullptr;
};

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

/// Something that lives on a strand without an owner there; destroyed with the strand if it has not ended by
/// then.
///
/// Used inside the strand's turn only.
class stray {
public:
    using function = void (*)(stray& self) noexcept;

    explicit stray(function destroy) noexcept : destroy_(destroy) {}
    stray(const stray&) = delete;
    stray& operator=(const stray&) = delete;

protected:
    ~stray() { forget(); }

    /// Has an owner from now on.
    void forget() noexcept
    {
        if (place_ == nullptr)
            return;
        *place_ = next_;
        if (next_ != nullptr)
            next_->place_ = place_;
        place_ = nullptr;
    }

private:
    friend class strand_context;

    function destroy_;
    stray* next_ = nullptr;
    stray** place_ = nullptr;
};

class outside_sender;

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

/// Serial execution context: the machine behind a `strand`, as `io_context` is behind its executor.
///
/// It holds what runs one after another: ready coroutines, handlers, timers, memory, and the rings from its
/// sibling strands. Everything that happens inside happens in a turn, and turns never overlap.
///
/// Thread safety: `post`, `send_from_outside`, `wake`, `time_outside_for` and `get_executor` from any thread;
/// all else inside a turn. Order: parcels of one sender arrive as sent; jobs posted before a parcel was sent
/// run before it arrives.
class strand_context {
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

    // Time
    // ------------------------------------------------------------------------------------------------------

    /// Time of this turn in nanoseconds; it moves a few dozen times in a long turn.
    std::uint64_t now() const noexcept { return now_; }

    /// Reads the clock.
    std::uint64_t read_clock() noexcept { return now_ = clock_->now(); }

    /// The time from which a wait of `length` counts. The time of the turn lies as far back as the running
    /// coroutine has computed; this is now, or some milliseconds ago for a wait longer than a hundred.
    std::uint64_t time_for(std::chrono::nanoseconds length) noexcept
    {
        return length < std::chrono::milliseconds(100) || clock_->coarse() > now_ ? read_clock() : now_;
    }

    /// The same for those who are in no turn of this strand. Thread safety: any thread, if the clock stands
    /// it.
    std::uint64_t time_outside_for(std::chrono::nanoseconds length) const noexcept
    {
        return length < std::chrono::milliseconds(100) ? clock_->now() : clock_->coarse();
    }

    /// The date and the time of day, by the same clock.
    std::chrono::system_clock::time_point read_wall() const noexcept { return clock_->wall(); }

    void arm(timer_node& timer, std::uint64_t due) noexcept
    {
        wheel_.arm(timer, due);
        if (due < wheel_due_)
            wheel_due_ = due;
    }
    void disarm(timer_node& timer) noexcept { wheel_.cancel(timer); }

    /// When the next timer is due, UINT64_MAX for none.
    std::uint64_t next_timer() const noexcept { return wheel_.next_due(); }

    // What runs
    // -------------------------------------------------------------------------------------------------

    /// Appends a coroutine to the ready queue.
    void make_ready(run_node& node) noexcept
    {
        node.next = nullptr;
        *ready_tail_ = &node;
        ready_tail_ = &node.next;
    }

    /// As `make_ready`, for a coroutine that only lets others go first: it waits, as the messages of its root
    /// do, while a ring that the root sent into is full.
    void make_ready_again(run_node& node) noexcept
    {
        if (node.waiter->scope().root().parked_) [[unlikely]]
            hold_or_make_ready(node);
        else
            make_ready(node);
    }

    /// Queues a newly born coroutine of `root`. Up to `births_per_other` of what is born begin, then one of
    /// what is ready runs: who gives birth must not be faster than what it bears.
    ///
    /// Order: behind `elder`, a sibling that has not begun either, if there is one. Else what a coroutine in
    /// its first run gives birth to comes first, so that trees of them stay shallow in memory, and all others
    /// last. After `births_in_a_row` of those that came first one of the others begins: a birth waits for
    /// that many younger ones, at most, for each that was there before it.
    void make_fresh(run_node& node, root_scope& root, run_node* elder = nullptr) noexcept
    {
        root.receptive_ = root_scope::unborn;
        if (elder != nullptr)
            insert_behind(*elder, node);
        else if (running_ != nullptr && &running_->root() == newborn_) {
            node.next = young_births_;
            young_births_ = &node;
        } else {
            node.next = nullptr;
            *births_tail_ = &node;
            births_tail_ = &node.next;
        }
    }

    static constexpr int births_in_a_row = 2048;
    static constexpr int births_per_other = 8;

    /// Takes a node out that may be ready or fresh. Linear; for forced ends.
    void withdraw(run_node& node) noexcept;

    /// Queues an ended root for `parcel_receiver::reap`.
    void reap_later(run_node& ended) noexcept
    {
        ended.next = ended_;
        ended_ = &ended;
    }

    /// The scope in which a coroutine runs right now, null in handlers.
    scope* running() const noexcept { return running_; }

    /// Counts a message against the running root's throughput; false when it should let others run.
    bool spend() noexcept { return --slice_ > 0; }
    void exhaust_slice() noexcept { slice_ = 0; }

    /// For a wait that was over before it began: false when its coroutine may go on at once; true when it was
    /// queued behind what is ready, because it has used up its share of the turn.
    bool must_yield(run_node& node, promise_base& waiting) noexcept
    {
        if (spend()) [[likely]]
            return false;
        node.waiter = &waiting;
        if (waiting.scope().is_cancelled())
            make_ready(node);  // a stop goes on, whatever its root has sent into
        else
            make_ready_again(node);
        return true;
    }

    /// Accounts for a message put into a root's mailbox.
    static void message_queued(root_scope& root) noexcept { ++root.queued_; }

    /// Says that a message which was queued came from another strand or thread.
    void message_borne(root_scope& root) noexcept
    {
        if (!root.is_runnable_for_any()) [[unlikely]]
            stop_counting(root);
        ++root.borne_;
        backlog_ += root.counted_;
    }

    /// Accounts for a message taken out of a root's mailbox.
    static void message_taken(root_scope& root) noexcept { --root.queued_; }

    /// Says that a message which was taken was one that `message_borne` had counted.
    void borne_message_taken(root_scope& root) noexcept
    {
        --root.borne_;
        backlog_ -= root.counted_;
    }

    /// Forgets a root that ends, with what it still had queued.
    void forget(root_scope& root) noexcept;

    // What comes in
    // ---------------------------------------------------------------------------------------------

    /// Runs `work` in a turn: from any thread, in order of posting among posts of one thread.
    void post(job& work) noexcept;

    /// Posts a function object; it runs inside a turn or is destroyed with the strand.
    template <class Function>
    void post(Function&& function);

    /// Posts a function object behind what lies in the inbox, from inside a turn too.
    template <class Function>
    void post_behind_inbox(Function&& function);

    /// Sends to a sibling, from inside a turn. Where the ring is full the parcel waits for room in it, and so
    /// do the messages of the running root: it is parked. A stop and what has come to its time resume it all
    /// the same.
    void send(strand_context& to, const parcel& message);

    /// As `send`, to the sibling with this index; `fill` writes the parcel where the sibling will read it.
    template <class Fill>
    void send_filled(std::size_t to, Fill&& fill)
    {
        peer& target = peers_[to];
        parcel* slot = target.spill.empty() ? target.out->reserve() : nullptr;
        if (slot != nullptr) [[likely]] {
            fill(*slot);
            target.out->commit();
            return;
        }
        fill(target.spill.reserve());
        target.spill.commit();
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
        chute* queue = way_from_outside();
        if (queue == nullptr) [[unlikely]] {
            const late_way last(*this);
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
        // What the caller published comes before the look at `idle_`: here by the light half of the fence
        // whose heavy half is in `fall_asleep`, else by an exchange that meets the one there.
        if (sleeps_seldom_) {
            asymmetric_fence::light();
            if (idle_.load(std::memory_order_relaxed) == 0)
                return;
        }
        if (idle_.exchange(0, std::memory_order_acq_rel) != 0)
            driver_->kick();
    }

    /// Destroys `lone` with the strand if it still lives then.
    void keep(stray& lone) noexcept
    {
        lone.next_ = strays_;
        lone.place_ = &strays_;
        if (strays_ != nullptr)
            strays_->place_ = &lone.next_;
        strays_ = &lone;
    }

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
    bool has_ready() const noexcept { return has_ready_node() || !jobs_.empty(); }
    bool has_input() const noexcept;

    /// As `has_input`, for those who ask again and again.
    bool awaits_input() const noexcept
    {
        for (const peer& other : peers_)
            if (other.in != nullptr)
                other.in->prefetch();
        return has_input();
    }

    /// Marks the strand idle: from now on whoever sends something kicks. False when something came meanwhile.
    bool fall_asleep() noexcept
    {
        idle_.exchange(1, std::memory_order_acq_rel);
        if (sleeps_seldom_)
            asymmetric_fence::heavy();
        if (!has_work())
            return true;
        stay_awake();
        return false;
    }

    /// An exchange too: between two of the wakers' a plain store would hide what the second one published.
    void stay_awake() noexcept { idle_.exchange(0, std::memory_order_acq_rel); }

    strand_driver& driver() const noexcept { return *driver_; }
    parcel_receiver& receiver() const noexcept { return *receiver_; }
    costar::arena& arena() noexcept { return arena_.get(); }

    /// The driver's timer has fired or was dropped, so the next due time is announced again.
    void forget_announcement() noexcept { announced_due_ = UINT64_MAX; }

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
    std::uint64_t oldest_era() noexcept;
    std::size_t room_for_parcels(std::size_t taken) const noexcept;
    template <class Queue>
    std::size_t take_from(Queue& queue, bool& is_more_left);
    void tend_queues();
    void note_deadlines();
    void discard_jobs() noexcept;
    void run_jobs();
    void run_ready();
    void run_single();
    void stop_counting(root_scope& root) noexcept;
    bool may_run(run_node& node, root_scope& root) noexcept;
    void run_one(run_node& node, int slice);
    void run_watched(run_node& node);
    bool has_ready_node() const noexcept
    {
        return ready_ != nullptr || young_births_ != nullptr || births_ != nullptr;
    }
    bool has_birth() const noexcept { return young_births_ != nullptr || births_ != nullptr; }
    run_node* pop_ready() noexcept;
    run_node* pop_birth() noexcept;
    run_node* pop_chosen() noexcept;
    void insert_behind(run_node& elder, run_node& node) noexcept;
    void age_births() noexcept;
    void hold_or_make_ready(run_node& node) noexcept;
    bool is_held_back(run_node& node, root_scope& root) noexcept;
    void reap() noexcept;
    void fire_timers();
    void announce_timer();
    void measure_round(std::uint64_t began) noexcept;
    void flush();
    void flush_spill(std::size_t peer);

    bool makes_parking() noexcept;
    void pause_running() noexcept;
    void has_flooded(strand_context& other) noexcept;
    bool has_made_room() const noexcept;
    bool has_long_inbox() const noexcept { return inbox_.waiting() > inbox_is_long; }

    /// The queue of a foreign thread; null when the thread's own objects are being destroyed.
    chute* way_from_outside()
    {
        // Relaxed: a thread that was joined, or has started this one, has told its era with that.
        if (last_way_.serial == serial_ &&
            last_way_.queue->pushed_era() == current_era_.load(std::memory_order_relaxed)) [[likely]]
            return last_way_.queue;
        return find_way_from_outside();
    }
    chute* find_way_from_outside();
    parcel* reserve_beyond(chute& queue);
    static void mark_era(chute& queue, std::uint64_t era);
    static std::uint64_t begin_era() noexcept
    {
        return current_era_.fetch_add(1, std::memory_order_acq_rel) + 1;
    }

    /// What one of these still sends has a queue to itself.
    class late_way {
    public:
        explicit late_way(strand_context& target);
        late_way(const late_way&) = delete;
        ~late_way();
        chute& queue() const noexcept { return *queue_; }

    private:
        chute* queue_;
    };

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

    void run_job(job& work)
    {
        if (hog_limit_ == 0) [[likely]]
            work.run(&work, false);
        else
            watch({}, [&] { work.run(&work, false); });
    }

    /// Calls `function`, and reports who keeps the strand for too long with it.
    template <class Function>
    void watch(parcel_receiver::run_identity who, Function&& function)
    {
        const std::uint64_t began = clock_->now();
        std::forward<Function>(function)();
        const std::uint64_t spent = clock_->now() - began;
        if (spent > hog_limit_)
            receiver_->report_hog(who, std::chrono::nanoseconds(static_cast<std::int64_t>(spent)));
    }

    void leave_turn();

    friend class parking;
    friend class outside_sender;

    static constinit inline thread_local strand_context* current_ = nullptr;

    /// Where the calling thread, which belongs to no strand, sent last.
    struct known_way {
        std::uint64_t serial;  // 0 for none
        chute* queue;
    };
    static constinit inline thread_local known_way last_way_{0, nullptr};

    /// A new era begins when a thread sends to a strand for the first time, and when it ends. What a thread
    /// sends in one era comes before whatever any thread sends in a later one, so what happened before a
    /// thread was started or after it was joined stays in its order.
    ///
    /// Written by any thread. Release: who sees an era sees all that was sent before it began.
    alignas(128) static constinit inline std::atomic<std::uint64_t> current_era_{1};

    // The share of each source in a round.
    static constexpr int units_max = 1024;  // coroutines resumed, messages handled and sent
    static constexpr int units_first = 64;
    static constexpr int jobs_per_round = 64;               // handlers posted from inside
    static constexpr int posted_per_round = 256;            // handlers and control work from the inbox
    static constexpr std::uint32_t inbox_is_long = 16384;   // who adds to it is held back
    static constexpr std::size_t parcels_per_round = 1024;  // of each ring and chute
    static constexpr std::size_t timers_per_round = 1024;

    // Touched for every message, by the turn only.
    run_node* ready_ = nullptr;
    run_node** ready_tail_ = &ready_;
    run_node* young_births_ = nullptr;  // the newest family first
    run_node* births_ = nullptr;        // the oldest first
    run_node** births_tail_ = &births_;
    int young_ran_ = 0;              // of the young since one of the others began
    int births_ran_ = 0;             // since one of the ready did
    root_scope* newborn_ = nullptr;  // that began last
    run_node* ended_ = nullptr;
    scope* running_ = nullptr;
    int slice_ = 0;
    int throughput_;
    int units_per_round_ = units_first;  // messages, as many as take about half a turn
    int units_left_ = 0;                 // in this round
    std::int64_t backlog_ = 0;
    std::uint64_t now_;
    std::uint64_t wheel_due_ = UINT64_MAX;  // not later than the earliest timer
    parcel_receiver* receiver_ = nullptr;
    random_source* chooser_ = nullptr;
    arena_owner arena_;
    job_queue jobs_;                 // handlers posted from inside
    job_queue posted_;               // taken from the inbox
    std::uint32_t posted_done_ = 0;  // of these, in all; goes round

    std::uint64_t turn_length_;
    std::uint64_t hog_limit_;
    std::int64_t backlog_max_;
    std::size_t ring_slots_;
    std::uint32_t index_;
    std::uint64_t serial_;
    costar::clock* clock_;
    strand_driver* driver_ = nullptr;
    std::uint64_t announced_due_ = UINT64_MAX;
    timer_wheel wheel_;
    random_source random_;

    struct peer {
        strand_context* context = nullptr;
        ring* out = nullptr;  // to the peer; the peer's `in` is the same
        std::unique_ptr<ring> in;
        block_queue<parcel> spill;  // what found `out` full
        std::size_t taken = 0;      // from `in` since the peer was last told
    };
    void has_spilled(std::size_t peer) noexcept;

    std::vector<peer> peers_;
    std::unique_ptr<parking> parking_;   // roots that sent into a full ring; made by the first
    strand_context* flooded_ = nullptr;  // the last sibling whose inbox a root has filled
    stray* strays_ = nullptr;
    std::vector<chute*> chutes_;  // foreign threads that sent here
    std::size_t first_ring_ = 0;  // where the next taking begins
    std::size_t first_chute_ = 0;
    bool are_chutes_first_ = false;
    std::uint64_t era_ = 0;                  // of the last look
    bool has_arrived_ = false;               // something that was looked at waits in a ring
    bool has_arrived_from_outside_ = false;  // likewise in a chute
    std::uint64_t tended_at_ = 0;            // when rings and chutes were last looked through
    std::uint64_t deadlines_seen_ = 0;
    std::atomic<bool> refusing_{false};  // false until the last turn is over

    // Written by others.
    alignas(128) inbox inbox_;
    std::atomic<std::uint64_t> deadlines_sent_{
        0};  // raised by any thread; a scan that misses one comes again
    alignas(128) std::atomic<std::uint32_t> idle_{0};
    bool sleeps_seldom_ = false;  // never written after the first turn
};

/// Function object in a job, allocated from the pool of the thread that posts it.
template <class Function>
class function_job final : public job {
public:
    static function_job* make(Function function)
    {
        void* memory = arena::current().allocate(sizeof(function_job));
        try {
            return ::new (memory) function_job(std::move(function));
        } catch (...) {
            arena::deallocate(memory, sizeof(function_job));
            throw;
        }
    }

private:
    explicit function_job(Function&& function) : job{nullptr, &invoke}, function_(std::move(function)) {}

    static void invoke(job* base, bool destroy_only)
    {
        auto* self = static_cast<function_job*>(base);
        if (destroy_only) {
            self->~function_job();
            arena::deallocate(self, sizeof(function_job));
            return;
        }
        Function function(std::move(self->function_));  // the memory may serve what the function posts
        self->~function_job();
        arena::deallocate(self, sizeof(function_job));
        std::move(function)();
    }

    Function function_;
};

template <class Function>
job& make_job(Function&& function)
{
    return *function_job<std::decay_t<Function>>::make(std::forward<Function>(function));
}

template <class Function>
void strand_context::post(Function&& function)
{
    post(make_job(std::forward<Function>(function)));
}

template <class Function>
void strand_context::post_behind_inbox(Function&& function)
{
    inbox_.push(&make_job(std::forward<Function>(function)));
}

/// Makes a strand current on this thread for the length of a turn.
class strand_context::turn_guard {
public:
    explicit turn_guard(strand_context& context) noexcept
        : context_(context), previous_(std::exchange(current_, &context)), memory_(context.arena())
    {}
    turn_guard(const turn_guard&) = delete;
    ~turn_guard()
    {
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
    if (hog_limit_ == 0) [[likely]]
        std::forward<Function>(function)();
    else
        watch({}, std::forward<Function>(function));
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
}

/// Serial executor on which an actor and all its coroutines run; a full Asio executor.
///
/// Handlers bound to it run inside the strand's turn, never at the same time as its actors. `dispatch` runs
/// at once when the caller is in the turn, or on the strand's thread between turns.
///
/// Thread safety: as any executor, copies may be used from every thread.
/// Lifetime: it must not be used after its engine is gone, except that copies which track work may still be
/// destroyed, and destroy at once what is posted to them: an operation that is pending in somebody else's
/// context does that. Cost: one pointer and some property bits; `post` about 30 ns on the strand itself.
class strand {
public:
    explicit strand(strand_context& context) noexcept : context_(&context) {}
    strand(const strand& other) noexcept : context_(other.context_), bits_(other.bits_) { start_work(); }
    strand(strand&& other) noexcept
        : context_(other.context_), bits_(std::exchange(other.bits_, other.bits_ & ~tracked))
    {}
    strand& operator=(strand other) noexcept
    {
        std::swap(context_, other.context_);
        std::swap(bits_, other.bits_);
        return *this;
    }
    ~strand()
    {
        if ((bits_ & tracked) != 0)
            context_->driver().work_finished();
    }

    template <class Function>
    void execute(Function&& function) const
    {
        if ((bits_ & never_blocking) == 0) {
            if (running_in_this_thread()) {
                std::decay_t<Function> local(std::forward<Function>(function));
                std::move(local)();
                return;
            }
            if (context_->may_enter()) {
                context_->enter(std::forward<Function>(function));
                return;
            }
        }
        context_->post(std::forward<Function>(function));
    }

    /// True inside a turn of this strand.
    bool running_in_this_thread() const noexcept { return strand_context::current() == context_; }

    strand_context& machine() const noexcept { return *context_; }
    asio::execution_context& context() const noexcept { return context_->driver().context(); }

    strand require(asio::execution::blocking_t::possibly_t) const noexcept
    {
        return with(bits_ & ~never_blocking);
    }
    strand require(asio::execution::blocking_t::never_t) const noexcept
    {
        return with(bits_ | never_blocking);
    }
    strand require(asio::execution::relationship_t::fork_t) const noexcept
    {
        return with(bits_ & ~continuation);
    }
    strand require(asio::execution::relationship_t::continuation_t) const noexcept
    {
        return with(bits_ | continuation);
    }
    strand require(asio::execution::outstanding_work_t::untracked_t) const noexcept
    {
        return with(bits_ & ~tracked);
    }
    strand require(asio::execution::outstanding_work_t::tracked_t) const noexcept
    {
        return with(bits_ | tracked);
    }

    asio::execution_context& query(asio::execution::context_t) const noexcept { return context(); }
    asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept
    {
        return (bits_ & never_blocking) != 0
            ? asio::execution::blocking_t(asio::execution::blocking.never)
            : asio::execution::blocking_t(asio::execution::blocking.possibly);
    }
    asio::execution::relationship_t query(asio::execution::relationship_t) const noexcept
    {
        return (bits_ & continuation) != 0
            ? asio::execution::relationship_t(asio::execution::relationship.continuation)
            : asio::execution::relationship_t(asio::execution::relationship.fork);
    }
    asio::execution::outstanding_work_t query(asio::execution::outstanding_work_t) const noexcept
    {
        return (bits_ & tracked) != 0
            ? asio::execution::outstanding_work_t(asio::execution::outstanding_work.tracked)
            : asio::execution::outstanding_work_t(asio::execution::outstanding_work.untracked);
    }

    friend bool operator==(const strand& a, const strand& b) noexcept
    {
        return a.context_ == b.context_ && a.bits_ == b.bits_;
    }
    friend bool operator!=(const strand& a, const strand& b) noexcept { return !(a == b); }

private:
    static constexpr unsigned never_blocking = 1;
    static constexpr unsigned continuation = 2;
    static constexpr unsigned tracked = 4;

    strand(strand_context& context, unsigned bits) noexcept : context_(&context), bits_(bits)
    {
        start_work();
    }
    strand with(unsigned bits) const noexcept { return strand(*context_, bits); }
    void start_work() const noexcept
    {
        if ((bits_ & tracked) != 0)
            context_->driver().work_started();
    }

    strand_context* context_;
    unsigned bits_ = 0;
};

inline strand strand_context::get_executor() noexcept
{
    return strand(*this);
}

}  // namespace costar
