// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

namespace costar::machine {

/// One message on its way between strands: for whom, of what kind, and up to 48 bytes of it.
///
/// Rings and chutes copy it byte by byte and never look inside; what `body` owns moves along. It fills a
/// cache line, and in a ring it lies on one; by itself it may lie anywhere, since the frame of a coroutine
/// that holds one is aligned to 16 bytes only.
struct alignas(16) parcel {
    /// Who it is for, as the sender and the receiving strand agreed.
    std::uint64_t to;
    /// The record that knows how to take the body out.
    const void* kind;
    std::byte body[48];
};

static_assert(sizeof(parcel) == 64 && std::is_trivially_copyable_v<parcel>);

/// Kinds of parcels that do not reach the receiver: a job instead of a message, and a mark behind which
/// another era begins. They lie side by side, so that one comparison tells both from all others.
struct own_kinds {
    [[gnu::visibility("hidden")]] static constexpr char all[2] = {};
    static constexpr const void* job = &all[0];
    static constexpr const void* era = &all[1];

    static bool has(const void* kind) noexcept
    {
        return reinterpret_cast<std::uintptr_t>(kind) - reinterpret_cast<std::uintptr_t>(all) < sizeof all;
    }
};

/// Bounded queue of parcels from one strand to another, published in batches.
///
/// The producer's pushes become visible 64 at a time, or when it calls `publish()`; the consumer's pops
/// make room 64 at a time, or when it calls `release()`. So a cache line moves between the cores once per
/// batch and not once per parcel.
///
/// Thread safety: one producer and one consumer at a time; each function says whose it is.
/// Lifetime: what is still inside when the ring is destroyed is forgotten, its bodies are not destroyed.
/// Cost: less than 512 bytes until the first parcel is pushed.
class ring {
public:
    /// `capacity` is rounded up to a power of two.
    explicit ring(std::size_t capacity) noexcept
        : mask_(std::bit_ceil(capacity) - 1),
          stride_mask_(std::clamp<std::size_t>(std::bit_ceil(capacity) / 2, 1, 64) - 1)
    {}

    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring() { ::operator delete(slots_, slot_alignment); }

    std::size_t capacity() const noexcept { return mask_ + 1; }

    /// Producer: a slot to fill in place before `commit()`, or nullptr when the ring is full or has no
    /// memory.
    parcel* reserve() noexcept
    {
        if (tail_own_ - head_seen_ > mask_) [[unlikely]] {
            // Acquire: the consumer has read the slots it gave back.
            head_seen_ = head_.load(std::memory_order_acquire);
            if (tail_own_ - head_seen_ > mask_) {
                return nullptr;
            }
        }
        if (slots_ == nullptr) [[unlikely]] {
            make_slots();
            if (slots_ == nullptr) {
                return nullptr;
            }
        }
        return slots_ + (tail_own_ & mask_);
    }

    /// Producer: adds the slot that `reserve()` gave out last.
    void commit() noexcept
    {
        ++tail_own_;
        if ((tail_own_ & stride_mask_) == 0) {
            tail_.store(tail_own_, std::memory_order_release);
        }
    }

    /// Producer: adds a copy; false when the ring is full.
    bool push(const parcel& sent) noexcept
    {
        parcel* slot = reserve();
        if (slot == nullptr) {
            return false;
        }
        std::memcpy(slot, &sent, sizeof(parcel));
        commit();
        return true;
    }

    /// Producer: whether the next push would fail for want of room.
    bool full() const noexcept { return tail_own_ - head_.load(std::memory_order_acquire) > mask_; }

    /// Producer: makes all pushes visible. True if there was any since the last call, also when a full
    /// batch had become visible by itself: then the consumer may have to be woken.
    bool publish() noexcept
    {
        if (announced_ == tail_own_) {
            return false;
        }
        announced_ = tail_own_;
        // Release: the slots are written before the consumer may read them.
        tail_.store(tail_own_, std::memory_order_release);
        return true;
    }

    /// Consumer: looks what was published, and answers how many parcels `front()` will give out.
    std::size_t snapshot() noexcept
    {
        // Acquire: pairs with the release of the tail, the slots below it are written.
        tail_seen_ = tail_.load(std::memory_order_acquire);
        if (slots_seen_ == nullptr && tail_seen_ != 0) [[unlikely]] {
            slots_seen_ = slots_;
        }
        return tail_seen_ - head_own_;
    }

    /// Consumer: fetches the slot of the next parcel while waiting for it, so that it does not have to come
    /// after the news that it is there.
    void prefetch() const noexcept
    {
        if (slots_seen_ != nullptr) {
            __builtin_prefetch(slots_seen_ + (head_own_ & mask_));
        }
    }

    /// Consumer: the next parcel of the snapshot, nullptr when there is none left. It may be changed in
    /// place.
    parcel* front() noexcept { return head_own_ == tail_seen_ ? nullptr : slots_seen_ + (head_own_ & mask_); }

    /// Consumer: drops what `front()` gave out.
    void pop() noexcept
    {
        ++head_own_;
        if ((head_own_ & stride_mask_) == 0) {
            release();
        }
    }

    /// Consumer: gives the room of all popped parcels back to the producer.
    void release() noexcept
    {
        // Release: the slots are read before the producer may write them again.
        head_.store(head_own_, std::memory_order_release);
    }

    /// Consumer: calls `visit` with each parcel of the snapshot that waits and was not visited before. It may
    /// be changed in place.
    template <class Visitor>
    void visit_waiting(Visitor&& visit)
    {
        for (visited_ = std::max(visited_, head_own_); visited_ != tail_seen_; ++visited_)
            visit(slots_seen_[visited_ & mask_]);
    }

    /// Whether all that was published has been released; a look without order, on any thread.
    bool empty_hint() const noexcept
    {
        return tail_.load(std::memory_order_relaxed) == head_.load(std::memory_order_relaxed);
    }

private:
    static constexpr std::align_val_t slot_alignment{64};

    void make_slots() noexcept
    {
        slots_ =
            static_cast<parcel*>(::operator new(capacity() * sizeof(parcel), slot_alignment, std::nothrow));
    }

    // Never written after construction.
    alignas(128) const std::size_t mask_;
    const std::size_t stride_mask_;

    // Producer's. `slots_` is read by the consumer once the tail says that it is there.
    alignas(128) std::uint64_t tail_own_ = 0;
    std::uint64_t head_seen_ = 0;
    std::uint64_t announced_ = 0;
    parcel* slots_ = nullptr;
    alignas(64) std::atomic<std::uint64_t> tail_{0};  // written by the producer: all below is published

    // Consumer's.
    alignas(128) std::uint64_t head_own_ = 0;
    std::uint64_t tail_seen_ = 0;
    std::uint64_t visited_ = 0;  // all below was visited while it waited, or taken
    parcel* slots_seen_ = nullptr;
    alignas(64) std::atomic<std::uint64_t> head_{0};  // written by the consumer: all below may be overwritten
};

static_assert(sizeof(ring) < 512);

}  // namespace costar::machine
