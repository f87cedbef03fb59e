// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// First in, first out, of any length, in blocks that go back as they are emptied.
///
/// One empty block is kept, so a queue that fills and empties allocates nothing in steady state. `T` is
/// copied and forgotten as it is.
///
/// Thread safety: one thread at a time.
/// Cost: nothing is allocated before the first push; then a block for each `Slots` elements that wait.
template <class T, std::size_t Slots = 64>
class block_queue {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    block_queue() noexcept = default;
    block_queue(block_queue&& other) noexcept
        : first_(std::exchange(other.first_, nullptr)),
          last_(std::exchange(other.last_, nullptr)),
          spare_(std::exchange(other.spare_, nullptr)),
          popped_(std::exchange(other.popped_, 0)),
          pushed_(std::exchange(other.pushed_, 0)),
          is_last_new_(std::exchange(other.is_last_new_, false))
    {}
    block_queue& operator=(block_queue&&) = delete;
    ~block_queue()
    {
        while (first_ != nullptr)
            delete std::exchange(first_, first_->next);
        delete spare_;
    }

    bool empty() const noexcept { return popped_ == pushed_; }
    std::uint64_t size() const noexcept { return pushed_ - popped_; }

    /// How many were pushed, and popped, since the beginning.
    std::uint64_t pushed() const noexcept { return pushed_; }
    std::uint64_t popped() const noexcept { return popped_; }

    /// A place to write the next element to before `commit()`.
    ///
    /// Errors: throws `std::bad_alloc`; nothing has changed then.
    T& reserve()
    {
        if (last_ == nullptr || (pushed_ % Slots == 0 && !is_last_new_)) {
            block* added = spare_ != nullptr ? std::exchange(spare_, nullptr) : new block;
            added->next = nullptr;
            (first_ == nullptr ? first_ : last_->next) = added;
            last_ = added;
            is_last_new_ = true;
        }
        return last_->elements[pushed_ % Slots];
    }

    /// Adds the element that `reserve()` gave out last.
    void commit() noexcept
    {
        ++pushed_;
        is_last_new_ = false;
    }

    void push(const T& added)
    {
        reserve() = added;
        commit();
    }

    /// The oldest element; there must be one.
    T& front() noexcept { return first_->elements[popped_ % Slots]; }

    /// The newest element; there must be one, and no place that was reserved and not committed.
    T& back() noexcept { return last_->elements[(pushed_ - 1) % Slots]; }

    /// Drops the oldest element.
    void pop() noexcept
    {
        if (++popped_ % Slots != 0)
            return;
        block* emptied = std::exchange(first_, first_->next);
        if (first_ == nullptr)
            last_ = nullptr;
        delete std::exchange(spare_, emptied);
    }

private:
    struct block {
        block* next;
        T elements[Slots];
    };

    block* first_ = nullptr;
    block* last_ = nullptr;
    block* spare_ = nullptr;
    std::uint64_t popped_ = 0;
    std::uint64_t pushed_ = 0;
    bool is_last_new_ = false;  // nothing was added to the last block yet
};

}  // namespace costar::machine
