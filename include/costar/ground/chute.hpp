// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/ring.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace costar::machine {

/// Unbounded queue of parcels from one foreign thread to one strand.
///
/// It is a chain of rings: while the consumer keeps up, the producer stays within one and nothing is
/// allocated; when one is full the producer goes on in a new one of twice the size, and the consumer frees
/// the old one when it has emptied it. Flow control is the caller's: wait while `full()` before pushing, or
/// let the chute grow.
///
/// Thread safety: one producer and one consumer at a time; each function says whose it is.
/// Lifetime: made by `make()` with two holds, one for each side; who calls `drop()` last destroys it.
class chute {
public:
    static constexpr std::size_t first_slots = 256;
    static constexpr std::size_t slots_max = 4096;

    chute(const chute&) = delete;
    chute& operator=(const chute&) = delete;

    /// A new chute. Both sides must call `drop()` once.
    ///
    /// Errors: throws `std::bad_alloc`.
    static chute* make(std::uint64_t era = 0)
    {
        segment* first = segment::make(first_slots);
        chute* made = new (std::nothrow) chute(first, era);
        if (made == nullptr) {
            segment::destroy(first);
            throw std::bad_alloc();
        }
        return made;
    }

    /// Producer: whether the next push would need new memory.
    bool full() noexcept
    {
        if (tail_own_ - head_seen_ < filling_->slots) [[likely]] {
            return false;
        }
        // Acquire: the consumer has read the slots it gave back.
        head_seen_ = filling_->head.load(std::memory_order_acquire);
        return tail_own_ - head_seen_ == filling_->slots;
    }

    /// Producer: whether new memory would not be larger than what is being filled.
    bool is_largest() const noexcept { return filling_->slots >= slots_max; }

    /// Producer: adds a parcel that is visible at once; false when the chute is closed, then the parcel is
    /// still the caller's. True does not promise that it is taken: what the consumer left behind goes to
    /// `drop()`.
    ///
    /// Errors: throws `std::bad_alloc` when it has to grow and cannot; nothing was added then.
    bool push(const parcel& sent)
    {
        parcel* slot = reserve();
        if (slot == nullptr) {
            return false;
        }
        std::memcpy(slot, &sent, sizeof(parcel));
        commit();
        return true;
    }

    /// Producer: as `push`, but the parcel is written in place: a slot to fill before `commit()`, nullptr
    /// when the chute is closed.
    ///
    /// A parcel that is put together elsewhere and copied makes the processor wait until all earlier stores
    /// are out, the ones to lines that the consumer has just read among them.
    parcel* reserve()
    {
        if (closed_.load(std::memory_order_relaxed)) [[unlikely]] {
            return nullptr;
        }
        if (full()) [[unlikely]] {
            grow();
        }
        return filling_->at(tail_own_);
    }

    /// Producer: as `reserve()`, but nullptr as well where new memory would be needed.
    parcel* reserve_within() noexcept
    {
        if (closed_.load(std::memory_order_relaxed) || full()) [[unlikely]] {
            return nullptr;
        }
        return filling_->at(tail_own_);
    }

    /// Producer: adds the slot that `reserve()` or `reserve_within()` gave out last; it is visible at once.
    void commit() noexcept
    {
        // Release: the slot is written before the consumer may read it.
        filling_->tail.store(++tail_own_, std::memory_order_release);
    }

    /// Consumer: looks what was pushed, and answers how many parcels `front()` will give out. More may lie
    /// behind them; only 0 means that there is nothing.
    std::size_t snapshot() noexcept
    {
        for (;;) {
            // Acquire: pairs with the release of the tail, the slots below it are written.
            tail_seen_ = emptying_->tail.load(std::memory_order_acquire);
            if (tail_seen_ != head_own_) {
                return tail_seen_ - head_own_;
            }
            // Acquire: the producer made this segment, and wrote the last tail of the old one before.
            segment* next = emptying_->next.load(std::memory_order_acquire);
            if (next == nullptr) {
                return 0;
            }
            if (emptying_->tail.load(std::memory_order_relaxed) == head_own_) {
                if (visiting_ == emptying_) {
                    visiting_ = next;
                    visited_ = 0;
                }
                segment::destroy(emptying_);
                emptying_ = next;
                head_own_ = 0;
            }
        }
    }

    /// Consumer: the next parcel of the snapshot, nullptr when there is none left. It may be changed in
    /// place.
    parcel* front() noexcept { return head_own_ == tail_seen_ ? nullptr : emptying_->at(head_own_); }

    /// Consumer: drops what `front()` gave out.
    void pop() noexcept
    {
        ++head_own_;
        if ((head_own_ & 63) == 0) {
            release();
        }
    }

    /// Consumer: gives the room of all popped parcels back to the producer.
    void release() noexcept
    {
        // Release: the slots are read before the producer may write them again.
        emptying_->head.store(head_own_, std::memory_order_release);
    }

    /// Consumer: calls `visit` with each parcel that waits and was not visited before, whether it is part of
    /// the snapshot or lies behind it. It may be changed in place.
    template <class Visitor>
    void visit_waiting(Visitor&& visit)
    {
        for (;;) {
            if (visiting_ == emptying_)
                visited_ = std::max(visited_, head_own_);
            // Acquire, both: as in `snapshot()`.
            const std::uint64_t tail = visiting_->tail.load(std::memory_order_acquire);
            for (; visited_ != tail; ++visited_)
                visit(*visiting_->at(visited_));
            segment* next = visiting_->next.load(std::memory_order_acquire);
            if (next == nullptr)
                return;
            if (visiting_->tail.load(std::memory_order_relaxed) == visited_) {
                visiting_ = next;
                visited_ = 0;
            }
        }
    }

    /// Consumer: whether nothing is there beyond what was popped; a look without order.
    bool empty_hint() const noexcept
    {
        return emptying_->tail.load(std::memory_order_relaxed) == head_own_ &&
            emptying_->next.load(std::memory_order_relaxed) == nullptr;
    }

    /// Either side: no push succeeds from now on, except one that is under way. What is inside can still be
    /// taken.
    void close() noexcept
    {
        // Release: who sees the chute closed sees all that was pushed before its producer closed it.
        closed_.store(true, std::memory_order_release);
    }

    /// Either side: whether one of them has closed it. A consumer who sees this and then an empty snapshot
    /// has taken all that a producer pushed before it closed.
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

    /// Each side's own note of the era of what it pushes, or takes; the era of the first parcel at first.
    /// Their meaning is the caller's.
    std::uint64_t pushed_era() const noexcept { return pushed_era_; }
    void set_pushed_era(std::uint64_t era) noexcept { pushed_era_ = era; }
    std::uint64_t taken_era() const noexcept { return taken_era_; }
    void set_taken_era(std::uint64_t era) noexcept { taken_era_ = era; }

    /// Either side: ends this side's hold. The last one disposes of each parcel that was left inside, and
    /// destroys the chute. A side that drops should have closed before.
    template <class Dispose>
    void drop(Dispose&& dispose)
    {
        // Release and acquire: the last one sees all that the other side did.
        if (holds_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
            return;
        }
        const std::unique_ptr<chute> last(this);
        while (snapshot() != 0) {
            for (parcel* left = front(); left != nullptr; left = front()) {
                pop();
                dispose(*left);
            }
        }
    }

    /// As above; what was left inside is forgotten.
    void drop() noexcept
    {
        drop([](parcel&) {});
    }

private:
    friend std::default_delete<chute>;

    // A ring and the way to the one that follows it. Slots lie behind it in the same block of memory.
    struct segment {
        // Consumer's, except that the producer reads it when the segment seems to be full.
        alignas(128) std::atomic<std::uint64_t> head{0};
        // Producer's. `next` is set once, after the last change of `tail`.
        alignas(128) std::atomic<std::uint64_t> tail{0};
        std::atomic<segment*> next{nullptr};
        // Never written while it is in use, so it lies apart from what is.
        alignas(128) std::size_t slots = 0;

        static segment* make(std::size_t slots)
        {
            void* memory =
                ::operator new(sizeof(segment) + slots * sizeof(parcel), std::align_val_t{alignof(segment)});
            auto* made = new (memory) segment;
            made->slots = slots;
            return made;
        }

        static void destroy(segment* dead) noexcept
        {
            dead->~segment();
            ::operator delete(dead, std::align_val_t{alignof(segment)});
        }

        parcel* at(std::uint64_t index) noexcept
        {
            return reinterpret_cast<parcel*>(this + 1) + (index & (slots - 1));
        }
    };

    chute(segment* first, std::uint64_t era) noexcept
        : filling_(first), pushed_era_(era), emptying_(first), visiting_(first), taken_era_(era)
    {}

    ~chute()
    {
        while (emptying_ != nullptr) {
            segment* next = emptying_->next.load(std::memory_order_relaxed);
            segment::destroy(emptying_);
            emptying_ = next;
        }
    }

    void grow()
    {
        segment* next = segment::make(std::min(filling_->slots * 2, slots_max));
        // Release: the segment is made, and the last tail of this one is written, before the consumer goes
        // there.
        filling_->next.store(next, std::memory_order_release);
        filling_ = next;
        tail_own_ = 0;
        head_seen_ = 0;
    }

    // Producer's.
    alignas(128) segment* filling_;
    std::uint64_t tail_own_ = 0;
    std::uint64_t head_seen_ = 0;
    std::uint64_t pushed_era_;

    // Consumer's.
    alignas(128) segment* emptying_;
    std::uint64_t head_own_ = 0;
    std::uint64_t tail_seen_ = 0;
    segment* visiting_;
    std::uint64_t visited_ = 0;  // all below was visited while it waited, or taken
    std::uint64_t taken_era_;

    // Both sides'. `closed_`: false, then true for ever, set by either. `holds_`: 2, 1, 0.
    alignas(128) std::atomic<bool> closed_{false};
    std::atomic<int> holds_{2};
};

}  // namespace costar::machine
