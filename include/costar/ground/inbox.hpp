// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace costar::machine {

/// Something to do once, linked into whatever queue holds it.
struct job {
    job* next;
    /// Called exactly once, and frees the job. With `destroy_only` it frees without doing what it was made
    /// for.
    void (*run)(job* self, bool destroy_only);
};

/// Where any thread leaves jobs for one strand.
///
/// A stack that the owner takes whole and turns round, after Treiber (Systems Programming: Coping with
/// Parallelism, 1986); since nothing is ever popped singly it has no ABA problem.
///
/// Order: jobs of one thread are taken in the order they were pushed.
/// Thread safety: `push`, `empty` and `waiting` from any thread, all else from the owner.
/// Lifetime: jobs that are still inside when the inbox is destroyed are forgotten, not freed.
class inbox {
public:
    inbox() noexcept = default;
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;

    /// Adds a job; true when the inbox was empty before: then the owner must be woken.
    bool push(job* added) noexcept
    {
        job* before = newest_.load(std::memory_order_relaxed);
        do {
            added->next = before;
            // Release: the owner sees the job as it was made. Sequentially consistent, so that a pusher who
            // looks afterwards whether the owner sleeps and an owner who falls asleep and looks here cannot
            // miss each other.
        } while (!newest_.compare_exchange_weak(
            before, added, std::memory_order_seq_cst, std::memory_order_relaxed));
        // Relaxed, as all that counts: nobody relies on more than that a flood is seen.
        pushed_.fetch_add(1, std::memory_order_relaxed);
        return before == nullptr;
    }

    /// About how many jobs wait here, and taken in the owner's hand.
    std::uint64_t waiting() const noexcept
    {
        const std::uint64_t done = this->done();
        const std::uint64_t pushed = this->pushed();
        return pushed > done ? pushed - done : 0;
    }

    /// How many jobs were left here, in all, and how many of them the owner has done.
    std::uint64_t pushed() const noexcept { return pushed_.load(std::memory_order_relaxed); }
    std::uint64_t done() const noexcept { return done_.load(std::memory_order_relaxed); }
    void set_done(std::uint64_t count) noexcept { done_.store(count, std::memory_order_relaxed); }

    /// Asks the owner to say when it has done so many. Who is overtaken by another one that asks may be told
    /// late, and has to look again.
    void ask_to_be_told(std::uint64_t done) noexcept
    {
        asked_.store(done, std::memory_order_relaxed);
        is_asked_.store(true, std::memory_order_relaxed);
    }

    /// Is the owner to say that it has done so many? Once for each time that it was asked.
    bool must_tell(std::uint64_t done) noexcept
    {
        if (!is_asked_.load(std::memory_order_relaxed)) [[likely]]
            return false;
        if (done < asked_.load(std::memory_order_relaxed))
            return false;
        is_asked_.store(false, std::memory_order_relaxed);
        return true;
    }

    /// Takes all jobs, oldest first, linked by `next`; nullptr if there are none.
    job* take() noexcept
    {
        if (newest_.load(std::memory_order_relaxed) == nullptr) {
            return nullptr;
        }
        // Acquire: pairs with the release of every push in the chain.
        job* taken = newest_.exchange(nullptr, std::memory_order_acquire);
        job* oldest = nullptr;
        while (taken != nullptr) {
            job* next = std::exchange(taken->next, oldest);
            oldest = std::exchange(taken, next);
        }
        return oldest;
    }

    /// Whether nothing is there at the moment.
    bool empty() const noexcept { return newest_.load(std::memory_order_seq_cst) == nullptr; }

private:
    alignas(128) std::atomic<job*> newest_{nullptr};
    std::atomic<std::uint64_t> pushed_{0};
    std::atomic<std::uint64_t> done_{0};
    std::atomic<std::uint64_t> asked_{0};
    std::atomic<bool> is_asked_{false};
};

/// Jobs in line, first in first out. It does not own them.
///
/// Thread safety: one thread at a time.
class job_queue {
public:
    job_queue() noexcept = default;
    job_queue(job_queue&& other) noexcept
        : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr))
    {}
    job_queue& operator=(job_queue&& other) noexcept
    {
        first_ = std::exchange(other.first_, nullptr);
        last_ = std::exchange(other.last_, nullptr);
        return *this;
    }

    bool empty() const noexcept { return first_ == nullptr; }

    /// Adds a job at the end.
    void push(job* added) noexcept
    {
        added->next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = added;
        last_ = added;
    }

    /// Adds a job at the beginning.
    void push_front(job* added) noexcept
    {
        added->next = first_;
        if (first_ == nullptr) {
            last_ = added;
        }
        first_ = added;
    }

    /// Takes the first job, nullptr if there is none.
    job* pop() noexcept
    {
        job* taken = first_;
        if (taken != nullptr) {
            first_ = taken->next;
        }
        return taken;
    }

    /// Takes all jobs, linked by `next`.
    job* take() noexcept { return std::exchange(first_, nullptr); }

    /// Adds jobs that are linked by `next` at the end.
    ///
    /// Cost: walks the list once.
    void append(job* list) noexcept
    {
        if (list != nullptr) {
            (first_ == nullptr ? first_ : last_->next) = list;
            last_ = last_of(list);
        }
    }

    /// Adds jobs that are linked by `next` at the beginning, in their order.
    ///
    /// Cost: walks the list once.
    void prepend(job* list) noexcept
    {
        if (list != nullptr) {
            job* last = last_of(list);
            last->next = first_;
            if (first_ == nullptr) {
                last_ = last;
            }
            first_ = list;
        }
    }

    /// Moves all jobs of another queue to the end of this one.
    void append(job_queue&& other) noexcept
    {
        if (!other.empty()) {
            (first_ == nullptr ? first_ : last_->next) = other.take();
            last_ = other.last_;
        }
    }

    /// Moves all jobs of another queue to the beginning of this one.
    void prepend(job_queue&& other) noexcept
    {
        if (!other.empty()) {
            other.last_->next = first_;
            if (first_ == nullptr) {
                last_ = other.last_;
            }
            first_ = other.take();
        }
    }

private:
    static job* last_of(job* list) noexcept
    {
        while (list->next != nullptr) {
            list = list->next;
        }
        return list;
    }

    job* first_ = nullptr;
    job* last_ = nullptr;  // means nothing while first_ is nullptr
};

}  // namespace costar::machine
