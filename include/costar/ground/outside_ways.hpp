// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/chute.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace costar::machine {

/// The chutes through which a thread that belongs to no strand sends, one for each strand it has sent to.
/// Strands are told apart by their serial numbers.
///
/// A new era begins when a thread sends to a strand for the first time, and when it ends. What a thread sends
/// in one era comes before whatever any thread sends in a later one, so what happened before a thread was
/// started or after it was joined stays in its order.
///
/// Thread safety: each thread has its own; the eras are everybody's.
class outside_sender {
public:
    outside_sender() noexcept;
    outside_sender(const outside_sender&) = delete;
    outside_sender& operator=(const outside_sender&) = delete;
    ~outside_sender();

    /// The calling thread's, made at first use; null when its own objects are being destroyed. Destructors of
    /// thread-local and static objects may send then.
    static outside_sender* of_this_thread();

    /// The chute to the strand that the calling thread has sent to last, if it is this one and no other era
    /// has begun; else null.
    static chute* last(std::uint64_t serial) noexcept
    {
        // Relaxed: a thread that was joined, or has started this one, has told its era with that.
        if (last_.serial == serial && last_.queue->pushed_era() == era_.load(std::memory_order_relaxed))
            [[likely]]
            return last_.queue;
        return nullptr;
    }

    /// The chute to a strand, in the present era; null when there is none.
    chute* find(std::uint64_t serial);

    /// Makes one. The strand has to adopt it.
    chute& add(std::uint64_t serial);

    /// Lets go of one that no strand has adopted.
    void forget(chute& queue) noexcept;

    /// That is the one which `last` gives.
    static void remember(std::uint64_t serial, chute& queue) noexcept { last_ = {serial, &queue}; }

    /// Begins another era and answers its number.
    static std::uint64_t begin_era() noexcept { return era_.fetch_add(1, std::memory_order_acq_rel) + 1; }

    /// Acquire: who sees an era sees all that was sent before it began.
    static std::uint64_t present_era() noexcept { return era_.load(std::memory_order_acquire); }

    /// Closes a chute and ends the hold of one side.
    static void leave(chute& queue) noexcept
    {
        queue.close();
        queue.drop();
    }

private:
    struct way {
        std::uint64_t serial;  // 0 for none
        chute* queue;
    };

    std::vector<way> ways_;

    static constinit inline thread_local way last_{0, nullptr};

    // Written by any thread. Release: what was sent before is seen by who sees the era.
    alignas(128) static constinit inline std::atomic<std::uint64_t> era_{1};
};

/// A chute for what a thread sends that has no `outside_sender` any more.
class late_way {
public:
    late_way() : queue_(chute::make(outside_sender::begin_era())) {}
    late_way(const late_way&) = delete;
    late_way& operator=(const late_way&) = delete;
    ~late_way() { outside_sender::leave(*queue_); }

    chute& queue() const noexcept { return *queue_; }

private:
    chute* queue_;
};

/// The chutes that lead from foreign threads to one strand, emptied era after era.
///
/// Thread safety: the strand's turn only.
class outside_ways {
public:
    /// Registers a chute when it is called. When it is destroyed instead the chute is closed; one with
    /// parcels inside is still registered, so that they are discarded.
    class adoption {
    public:
        adoption(outside_ways& by, chute& queue) noexcept : by_(&by), queue_(&queue) {}
        adoption(adoption&& other) noexcept : by_(other.by_), queue_(std::exchange(other.queue_, nullptr)) {}
        ~adoption()
        {
            if (queue_ == nullptr)
                return;
            if (queue_->snapshot() != 0)
                (*this)();
            else
                outside_sender::leave(*queue_);
        }

        void operator()()
        {
            by_->chutes_.push_back(queue_);
            // It may hold what is older than what others hold.
            by_->has_arrived_ |= std::exchange(queue_, nullptr)->snapshot() != 0;
        }

    private:
        outside_ways* by_;
        chute* queue_;
    };

    outside_ways() noexcept = default;
    outside_ways(const outside_ways&) = delete;
    outside_ways& operator=(const outside_ways&) = delete;

    /// Reads the era up to which the next look goes. Before anything is looked at, here or in a ring: what
    /// happened before the era began is visible to all looks that follow.
    void note_era() noexcept { era_ = outside_sender::present_era(); }

    /// Looks how far each chute is filled.
    void look() noexcept
    {
        for (chute* from : chutes_)
            has_arrived_ |= from->snapshot() != 0;
    }

    /// Something that was looked at waits.
    bool has_arrived() const noexcept { return has_arrived_; }

    /// Something may wait, looked at or not.
    bool has_input() const noexcept
    {
        for (const chute* from : chutes_)
            if (!from->empty_hint())
                return true;
        return false;
    }

    /// Calls `take` with each chute that holds something of the earliest era, up to where it was looked at,
    /// then of the next, until it has taken `share` parcels. `take` answers how many it took, and sets its
    /// second parameter where it has left some.
    ///
    /// Order: what is of a later era waits until nothing of an earlier one is left. Each call begins with
    /// another chute, so that the last one gets what room there is as often as the first.
    template <class Take>
    void take_in_order(std::size_t share, Take&& take)
    {
        has_arrived_ = false;
        const std::size_t count = chutes_.size();
        std::size_t taken = 0;
        for (std::uint64_t era = oldest_era(); era <= era_ && taken < share; era = oldest_era()) {
            bool is_first = true;
            std::size_t taken_now = 0;
            for (std::size_t i = 0, at = first_; i < count; ++i, ++at) {
                if (at >= count)
                    at = 0;
                if (chutes_[at]->taken_era() != era)
                    continue;
                const std::size_t taken_here = take(*chutes_[at], has_arrived_);
                if (taken_here != 0 && std::exchange(is_first, false))
                    first_ = at + 1;
                taken_now += taken_here;
            }
            taken += taken_now;
            if (taken_now == 0)
                break;
        }
    }

    /// Calls `visit` as `chute::visit_waiting` does.
    template <class Visitor>
    void visit_waiting(Visitor&& visit)
    {
        for (chute* from : chutes_)
            from->visit_waiting(visit);
    }

    /// Lets go of threads that have ended.
    void drop_finished() noexcept;

    /// Closes all, and passes what is left in them to `discard`.
    template <class Discard>
    void end(Discard&& discard)
    {
        for (chute* from : chutes_) {
            from->close();
            while (from->snapshot() != 0) {
                while (parcel* left = from->front()) {
                    parcel copy = *left;
                    from->pop();
                    discard(copy);
                }
            }
            from->drop();
        }
        chutes_.clear();
    }

private:
    std::uint64_t oldest_era() noexcept;

    std::vector<chute*> chutes_;
    std::size_t first_ = 0;  // where the next taking begins
    std::uint64_t era_ = 0;  // of the last look
    bool has_arrived_ = false;
};

}  // namespace costar::machine
