// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/cancellation.hpp>
#include <costar/core/clock.hpp>
#include <costar/core/strand_driver.hpp>
#include <costar/core/task.hpp>
#include <costar/ground/ready_queue.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace costar::machine {

class parking;

/// A place in the ready queue: the coroutine to resume, linked without allocation.
struct run_node {
    run_node* next = nullptr;
    promise_base* waiter = nullptr;
};

/// Finds out who keeps a strand for longer than `turn_options::hog_limit`.
class hog_watch {
public:
    hog_watch(const turn_options& options, costar::clock& clock) noexcept;

    bool is_off() const noexcept { return limit_ == 0; }

    /// Calls `function`, and reports who keeps the strand for too long with it.
    template <class Function>
    void watch(parcel_receiver& receiver, parcel_receiver::run_identity who, Function&& function)
    {
        const keeping mark(*this, who);
        const std::uint64_t began = clock_->now();
        std::forward<Function>(function)();
        const std::uint64_t spent = clock_->now() - began;
        if (spent > limit_)
            receiver.report_hog(who, std::chrono::nanoseconds(static_cast<std::int64_t>(spent)));
    }

    /// Who keeps the strand at the moment; false where nobody does, or nobody watches. Thread safety: from
    /// any thread, the two values may then be of two that followed each other.
    bool is_kept(parcel_receiver::run_identity& by) const noexcept
    {
        by = {who_.load(std::memory_order_relaxed), why_.load(std::memory_order_relaxed)};
        return is_kept_.load(std::memory_order_relaxed);
    }

private:
    struct keeping {
        hog_watch& self;
        keeping(hog_watch& watch, parcel_receiver::run_identity who) noexcept : self(watch)
        {
            self.who_.store(who.who, std::memory_order_relaxed);
            self.why_.store(who.why, std::memory_order_relaxed);
            self.is_kept_.store(true, std::memory_order_relaxed);
        }
        keeping(const keeping&) = delete;
        ~keeping() { self.is_kept_.store(false, std::memory_order_relaxed); }
    };

    std::uint64_t limit_;
    costar::clock* clock_;
    // Written by the strand, read by any thread; nothing is read through them, so no order is needed.
    std::atomic<std::uint64_t> who_{0};
    std::atomic<const void*> why_{nullptr};
    std::atomic<bool> is_kept_{false};
};

/// What runs on one strand: the coroutines that are ready, and whose messages wait for them.
///
/// The base of `strand_context`. Used inside the strand's turn only.
class run_queue {
public:
    run_queue(const run_queue&) = delete;
    run_queue& operator=(const run_queue&) = delete;

    /// As `hog_watch::is_kept`. Thread safety: from any thread.
    bool is_kept(parcel_receiver::run_identity& by) const noexcept { return hogs_.is_kept(by); }

    /// Appends a coroutine to the ready queue.
    void make_ready(run_node& node) noexcept { ready_.push(node); }

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
    /// Order: after `elder`, a sibling that has not begun either, if there is one. Else what a coroutine in
    /// its first run gives birth to comes first, so that trees of them stay shallow in memory, and all others
    /// last. After `births_in_a_row` of those that came first one of the others begins: one of these waits
    /// for that many younger ones, at most, for each that was there before it, and whoever is not first any
    /// more joins them.
    void make_fresh(run_node& node, root_scope& root) noexcept
    {
        wait_to_begin(root, ready_.push_birth(node, running_ != nullptr && &running_->root() == newborn_));
    }
    void make_fresh_behind(
        run_node& elder, const root_scope& root_of_elder, run_node& node, root_scope& root) noexcept
    {
        const auto line = static_cast<birth_line>(root_of_elder.receptive_ >> root_scope::line_shift);
        wait_to_begin(root, ready_.push_birth_behind(elder, line, node));
    }

    /// As `make_fresh`, in the order of the calls, whoever makes them: for tasks that are nobody's children.
    void make_fresh_in_turn(run_node& node, root_scope& root) noexcept
    {
        wait_to_begin(root, ready_.push_birth(node, false));
    }

    /// As many births and handlers of its own may wait on a strand; who makes more of them is held back.
    static constexpr std::uint32_t work_max = 4096;

    static constexpr int births_in_a_row = ready_queue<run_node>::births_in_a_row;
    static constexpr int births_per_other = ready_queue<run_node>::births_per_other;

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

protected:
    run_queue(const turn_options& options, costar::clock& clock) noexcept;
    ~run_queue();

    /// A birth, or a handler posted from inside, waits from now on. Beyond `work_max` the running root is
    /// parked until half as many do.
    void work_is_made() noexcept
    {
        if (++work_waiting_ > work_max) [[unlikely]]
            hold_back_maker();
    }

    /// As many births wait to begin.
    std::uint32_t births_waiting() const noexcept { return births_waiting_; }

    void work_has_begun() noexcept
    {
        --work_waiting_;
        ++work_done_;
    }

    /// Runs what is ready, its share of a round.
    void run_ready();

    /// Runs one that is chosen, or the next.
    void run_single();

    /// Fits the next round into about half a turn, so that what comes meanwhile waits no longer. What a round
    /// that had little to do has taken says nothing.
    void measure_round(std::uint64_t length, std::uint64_t turn_length) noexcept
    {
        if (length > turn_length / 2)
            units_per_round_ = std::max(1, units_per_round_ / (length > 2 * turn_length ? 8 : 2));
        else if (units_left_ <= 0 && units_per_round_ < units_max && length < turn_length / 8)
            units_per_round_ = std::min(units_max, units_per_round_ * 2);
    }

    /// Clears away the roots that have ended.
    void reap() noexcept
    {
        while (ended_ != nullptr) {
            run_node* node = ended_;
            ended_ = node->next;
            receiver_->reap(*node);
        }
    }

    // Touched for every message.
    ready_queue<run_node> ready_;
    root_scope* newborn_ = nullptr;  // that began last
    run_node* ended_ = nullptr;
    scope* running_ = nullptr;
    int slice_ = 0;
    int throughput_;
    int units_per_round_ = units_first;  // messages, as many as take about half a turn
    int units_left_ = 0;                 // in this round
    std::int64_t backlog_ = 0;
    std::int64_t units_past_borne_ = 0;  // of roots that handled none of the borne messages they hold
    std::uint32_t work_waiting_ = 0;     // births and handlers posted from inside
    std::uint32_t births_waiting_ = 0;   // of these
    std::uint64_t work_done_ = 0;        // that have begun, in all
    parcel_receiver* receiver_ = nullptr;
    random_source* chooser_ = nullptr;

    const root_scope* held_maker_ = nullptr;  // the last that was held back, in this round
    std::uint64_t* held_until_ = nullptr;     // how much work must have begun before it goes on

    hog_watch hogs_;
    std::unique_ptr<parking> parking_;  // roots that sent into a full ring; made by the first

private:
    using birth_line = ready_queue<run_node>::line;

    void wait_to_begin(root_scope& root, birth_line line) noexcept
    {
        root.receptive_ = static_cast<std::uint8_t>(root_scope::unborn | (line << root_scope::line_shift));
        ++births_waiting_;
        work_is_made();
    }

    static constexpr int units_max = 1024;  // coroutines resumed, messages handled and sent, in a round
    static constexpr int units_first = 64;

    /// Each birth or handler that is too many comes here, so the second of one run does hardly anything.
    void hold_back_maker() noexcept
    {
        if (running_ == nullptr)
            return;
        const std::uint64_t until = work_done_ + work_waiting_ - work_max / 2;
        if (&running_->root() != held_maker_)
            hold_back_maker(until);
        else
            *held_until_ = until;
        exhaust_slice();
    }
    void hold_back_maker(std::uint64_t until) noexcept;
    void stop_counting(root_scope& root) noexcept;
    bool may_run(run_node& node, root_scope& root) noexcept;
    void run_one(run_node& node, int slice);
    void run_watched(run_node& node);
    run_node* pop_ready() noexcept;
    run_node* pop_birth() noexcept;
    run_node* pop_chosen() noexcept;
    void begin(run_node& newborn) noexcept;
    void hold_or_make_ready(run_node& node) noexcept;
    bool is_held_back(run_node& node, root_scope& root) noexcept;
};

}  // namespace costar::machine
