// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace costar::machine {

/// Link in a ring of timers; an unarmed timer is linked to nothing.
struct timer_link {
    timer_link* next = nullptr;
    timer_link* prev = nullptr;
};

/// A timer that lies in whatever waits for it.
///
/// Lifetime: cancelled, or fired, before it is destroyed.
struct timer_node : timer_link {
    std::uint64_t due = 0;
    /// Called when the timer is due, no longer armed; it may arm it again, destroy it, and arm and cancel
    /// others. It must not throw and must not call `advance`.
    void (*fire)(timer_node* self) = nullptr;

    bool armed() const noexcept { return next != nullptr; }
};

/// All timers of one strand, ordered without comparing them until they are nearly due.
///
/// A hierarchical hashed timing wheel (Varghese and Lauck, Hashed and Hierarchical Timing Wheels, 1987):
/// eight levels of 64 slots, a slot of the lowest level spans 2^20 ns and one of each higher level 64 times
/// as much. A timer lies in the level of the highest digit, in base 64, in which its tick differs from the
/// present one, and moves down when time enters its slot. The slot that time is in is sorted by due time,
/// so nothing fires early by rounding. It never asks for the time: `now` is a parameter, in nanoseconds,
/// and does not go back.
///
/// Order: by due time, and as they were armed where that is equal.
/// Thread safety: one thread at a time.
/// Lifetime: timers that are still armed when the wheel is destroyed must not be cancelled any more.
/// Cost: `arm` and `cancel` a few nanoseconds each, 8 KiB a wheel; nothing is allocated.
class timer_wheel {
public:
    explicit timer_wheel(std::uint64_t now) noexcept : now_(now), tick_(tick_of(now)) {}
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    /// Fires `timer` at the first `advance` to `due` or later; a timer that is armed already is armed anew.
    void arm(timer_node& timer, std::uint64_t due) noexcept
    {
        if (timer.armed()) [[unlikely]] {
            cancel(timer);
        }
        timer.due = due;
        earliest_ = std::min(earliest_, due);
        if (tick_of(due) == placed_tick_) [[likely]] {
            placed_in_->push_back(timer);
        } else {
            arm_elsewhere(timer);
        }
    }

    /// Disarms `timer`; harmless when it is not armed.
    void cancel(timer_node& timer) noexcept
    {
        if (!timer.armed()) {
            return;
        }
        unlink(timer);
        if (timer.due == earliest_ || is_bound_) {
            is_earliest_known_ = is_bound_ = false;
        }
    }

    /// Fires all timers that are due at `now`, in order, and answers how many.
    ///
    /// Time passes from timer to timer: one that a callback arms for a time between the timer that fires
    /// and `now` fires in the same call, in its place; one for a time that has passed by then waits for the
    /// next call. After `most` of them the rest waits for the next call too: time stands where the last one
    /// was due until then.
    std::size_t advance(std::uint64_t now, std::size_t most = SIZE_MAX)
    {
        assert(!is_advancing_);
        now = std::max(now, now_);
        if (is_earliest_known_ && now < earliest_ && tick_of(now) == tick_) {
            now_ = now;
            return 0;
        }
        is_advancing_ = true;
        std::size_t fired = fire_until(now, most);
        while (fired < most && tick_ != tick_of(now)) {
            step_towards(tick_of(now));
            fired += fire_until(now, most - fired);
        }
        is_advancing_ = false;
        if (fired < most)
            now_ = now;
        arrived_.splice(late_);
        is_earliest_known_ = is_bound_ = false;
        return fired;
    }

    /// A time that is not later than the first timer's, UINT64_MAX when there is none.
    ///
    /// It is exact when the first timer is due within some 64 ms at most; else it may be the time at which
    /// the timer moves down a level, and after `advance` to it the answer is nearer. Seven such steps reach
    /// any timer.
    std::uint64_t next_due() const noexcept { return is_earliest_known_ ? earliest_ : find_earliest(); }

private:
    static constexpr int tick_bits = 20;
    static constexpr int digit_bits = 6;
    static constexpr std::size_t slot_count = 64;
    static constexpr std::size_t level_count = 8;

    // Ring of timers with this as its fixed point.
    class list : timer_link {
    public:
        list() noexcept { next = prev = this; }
        list(const list&) = delete;
        list& operator=(const list&) = delete;

        bool empty() const noexcept { return next == this; }
        timer_node& front() const noexcept { return static_cast<timer_node&>(*next); }
        timer_node& back() const noexcept { return static_cast<timer_node&>(*prev); }

        void push_back(timer_node& timer) noexcept { insert(*this, timer); }

        // Puts `timer` behind the last one that is not due after it.
        void insert_sorted(timer_node& timer) noexcept
        {
            timer_link* at = this;
            while (at->prev != this && !is_due_in_order(*at->prev, timer)) {
                at = at->prev;
            }
            insert(*at, timer);
        }

        // Moves all timers of `other` to the end of this list.
        void splice(list& other) noexcept
        {
            if (!other.empty()) {
                prev->next = other.next;
                other.next->prev = prev;
                other.prev->next = this;
                prev = other.prev;
                other.next = other.prev = &other;
            }
        }

        std::uint64_t earliest() const noexcept
        {
            std::uint64_t found = UINT64_MAX;
            for (const timer_link* at = next; at != this; at = at->next) {
                found = std::min(found, static_cast<const timer_node*>(at)->due);
            }
            return found;
        }

        // Orders by due time and keeps the order of what is due at the same time.
        void sort() noexcept;

    private:
        static void insert(timer_link& before, timer_node& timer) noexcept
        {
            timer.next = &before;
            timer.prev = before.prev;
            before.prev->next = &timer;
            before.prev = &timer;
        }

        static bool is_due_in_order(const timer_link& first, const timer_link& second) noexcept
        {
            return static_cast<const timer_node&>(first).due <= static_cast<const timer_node&>(second).due;
        }

        static timer_link* sort(timer_link* first, std::size_t count) noexcept;
    };

    static std::uint64_t tick_of(std::uint64_t time) noexcept { return time >> tick_bits; }

    static std::size_t digit_of(std::uint64_t tick, std::size_t level) noexcept
    {
        return (tick >> (level * digit_bits)) % slot_count;
    }

    static void unlink(timer_node& timer) noexcept
    {
        timer.prev->next = timer.next;
        timer.next->prev = timer.prev;
        timer.next = nullptr;
    }

    [[gnu::noinline]] void arm_elsewhere(timer_node& timer) noexcept
    {
        if (is_advancing_ && timer.due <= now_) [[unlikely]] {
            late_.push_back(timer);
        } else {
            place(timer);
        }
    }

    void place(timer_node& timer) noexcept
    {
        const std::uint64_t tick = tick_of(timer.due);
        if (tick <= tick_) [[unlikely]] {
            arrived_.push_back(timer);
            return;
        }
        const auto level = (static_cast<std::size_t>(std::bit_width(tick ^ tick_)) - 1) / digit_bits;
        const std::size_t slot = digit_of(tick, level);
        slots_[level][slot].push_back(timer);
        occupied_[level] |= std::uint64_t{1} << slot;
        placed_tick_ = tick;
        placed_in_ = &slots_[level][slot];
    }

    // The first slot with timers, in the order of time. The lowest level that has any holds it, since a
    // timer of a higher level lies beyond the span of the lower ones. A slot emptied by `cancel` is still
    // marked: unmarks it.
    bool find_slot(std::size_t& level, std::size_t& slot) const noexcept
    {
        for (level = 0; level < level_count; ++level) {
            while (occupied_[level] != 0) {
                slot = static_cast<std::size_t>(std::countr_zero(occupied_[level]));
                if (!slots_[level][slot].empty()) {
                    return true;
                }
                occupied_[level] &= occupied_[level] - 1;
                placed_tick_ = UINT64_MAX;
            }
        }
        return false;
    }

    // The tick at which time enters a slot that lies ahead.
    std::uint64_t start_of(std::size_t level, std::size_t slot) const noexcept
    {
        const std::size_t shift = level * digit_bits;
        return ((tick_ >> shift) - digit_of(tick_, level) + slot) << shift;
    }

    std::uint64_t find_earliest() const noexcept
    {
        std::uint64_t found = std::min(
            {ready_.empty() ? UINT64_MAX : ready_.front().due, arrived_.earliest(), late_.earliest()});
        std::size_t level = 0;
        std::size_t slot = 0;
        if (found == UINT64_MAX && find_slot(level, slot)) {
            is_bound_ = level != 0;
            found = is_bound_ ? start_of(level, slot) << tick_bits : slots_[level][slot].earliest();
        }
        earliest_ = found;
        is_earliest_known_ = true;
        return found;
    }

    // Moves the tick to the next slot with timers, and these down; or to `target` when none lies before it.
    void step_towards(std::uint64_t target) noexcept
    {
        placed_tick_ = UINT64_MAX;
        std::size_t level = 0;
        std::size_t slot = 0;
        if (!find_slot(level, slot) || start_of(level, slot) > target) {
            tick_ = target;
            return;
        }
        tick_ = start_of(level, slot);
        occupied_[level] &= occupied_[level] - 1;
        list entered;
        entered.splice(slots_[level][slot]);
        if (level == 0) {
            arrived_.splice(entered);
        }
        while (!entered.empty()) {
            timer_node& timer = entered.front();
            unlink(timer);
            place(timer);
        }
    }

    std::size_t fire_until(std::uint64_t now, std::size_t most)
    {
        std::size_t fired = 0;
        for (;;) {
            merge_arrived();
            if (fired == most || ready_.empty() || ready_.front().due > now) {
                return fired;
            }
            timer_node& timer = ready_.front();
            unlink(timer);
            ++fired;
            now_ = std::max(now_, timer.due);
            timer.fire(&timer);
        }
    }

    void merge_arrived() noexcept
    {
        if (arrived_.empty()) {
            return;
        }
        arrived_.sort();
        if (ready_.empty() || ready_.back().due <= arrived_.front().due) {
            ready_.splice(arrived_);
            return;
        }
        if (&arrived_.front() == &arrived_.back()) {
            timer_node& timer = arrived_.front();
            unlink(timer);
            ready_.insert_sorted(timer);
            return;
        }
        ready_.splice(arrived_);
        ready_.sort();
    }

    std::uint64_t now_;  // during advance(): when the timer that fires was due
    // The slot that time is in. All timers with this tick or an earlier one lie in the three lists below.
    std::uint64_t tick_;
    // When the first timer is due, or UINT64_MAX; means nothing while it is not known.
    mutable std::uint64_t earliest_ = UINT64_MAX;
    mutable bool is_earliest_known_ = true;
    mutable bool is_bound_ =
        false;  // `earliest_`: known till the next cancellation, which may be of its timer
    bool is_advancing_ = false;
    list ready_;    // sorted
    list arrived_;  // to be sorted in, as armed
    list late_;     // armed by a callback for a time that had passed
    // Where the last timer went, ahead of `tick_`: many are due in the same tick. No tick while that slot is
    // not marked.
    mutable std::uint64_t placed_tick_ = UINT64_MAX;
    list* placed_in_ = nullptr;
    mutable std::uint64_t occupied_[level_count] = {};
    list slots_[level_count][slot_count];
};

inline void timer_wheel::list::sort() noexcept
{
    bool is_sorted = true;
    std::size_t count = 0;
    for (timer_link* at = next; at != this; at = at->next) {
        ++count;
        is_sorted = is_sorted && (at == next || is_due_in_order(*at->prev, *at));
    }
    if (is_sorted) {
        return;
    }
    prev->next = nullptr;
    timer_link* sorted = sort(next, count);
    next = prev = this;
    while (sorted != nullptr) {
        timer_link* following = sorted->next;
        push_back(static_cast<timer_node&>(*sorted));
        sorted = following;
    }
}

// Merge sort of a chain that ends with nullptr; looks at `next` alone.
inline timer_link* timer_wheel::list::sort(timer_link* first, std::size_t count) noexcept
{
    if (count == 1) {
        first->next = nullptr;
        return first;
    }
    timer_link* middle = first;
    for (std::size_t i = 0; i < count / 2; ++i) {
        middle = middle->next;
    }
    timer_link* right = sort(middle, count - count / 2);
    timer_link* left = sort(first, count / 2);
    timer_link merged;
    timer_link* last = &merged;
    while (left != nullptr && right != nullptr) {
        timer_link*& taken = is_due_in_order(*left, *right) ? left : right;
        last->next = taken;
        last = taken;
        taken = taken->next;
    }
    last->next = left != nullptr ? left : right;
    return merged.next;
}

}  // namespace costar::machine
