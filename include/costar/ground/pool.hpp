// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace costar::machine {

/// Memory of one strand or one thread: blocks of up to 4096 bytes, recycled by size.
///
/// A block is cut from a 64 KiB chunk once and then travels between its user and the free list of its size.
/// Chunks hold blocks of all sizes, so a small program stays within one chunk, and memory is touched only
/// when it is used. A block freed under another arena goes home in batches: the arena that freed it gathers
/// up to 64 and hands them over with one compare-and-swap; the home arena takes all that came back with one
/// exchange when it runs short. Larger blocks come from `operator new`.
///
/// Thread safety: the thread that made the arena current, its owner; `deallocate` from any thread.
/// Lifetime: arenas are never destroyed, they are recycled; see `arena_owner`. What was needed at a peak is
/// kept by its arena for the next one, by size: a block is not given back to the process before its arena has
/// no owner and all blocks are home. Cells of actors, too, stay with their strand. So a strand holds what its
/// busiest moment needed in blocks of up to 4096 bytes; larger ones, such as the tables of an `ordered_set`
/// with hundreds of values, go back at once.
/// Cost: 1-2 ns for `allocate` and `deallocate` each on the same arena.
class alignas(128) arena {
public:
    /// The largest block that is kept in an arena.
    static constexpr std::size_t block_bytes_max = 4096;

    /// Whether blocks are recycled at all. Under AddressSanitizer they are not, so that it finds every use of
    /// a block that was freed.
#ifdef COSTAR_CORE_HAS_ADDRESS_SANITIZER
    static constexpr bool is_pooling = false;
#else
    static constexpr bool is_pooling = true;
#endif

    arena(const arena&) = delete;
    arena& operator=(const arena&) = delete;

    /// The arena made current on this thread by `arena_scope`, else the thread's own, made on first use.
    static arena& current() { return current_ != nullptr ? *current_ : adopt_thread_arena(); }

    /// A block of at least `bytes`, aligned to 16. Owner only.
    ///
    /// Errors: throws `std::bad_alloc`.
    void* allocate(std::size_t bytes)
    {
        if (is_pooling && bytes <= block_bytes_max) [[likely]] {
            block*& free = free_[class_of(bytes)];
            if (block* taken = free; taken != nullptr) [[likely]] {
                free = taken->next;
                ++live_;
                return taken;
            }
        }
        return allocate_slowly(bytes);
    }

    /// As `allocate`, but null when no block of that size lies ready; for those who have another way then.
    void* allocate_if_ready(std::size_t bytes) noexcept
    {
        if (!is_pooling || bytes > block_bytes_max) {
            return nullptr;
        }
        block*& free = free_[class_of(bytes)];
        block* taken = free;
        if (taken != nullptr) [[likely]] {
            free = taken->next;
            ++live_;
        }
        return taken;
    }

    /// Frees a block that any arena gave out; `bytes` is what was asked for.
    ///
    /// Thread safety: from any thread.
    static void deallocate(void* memory, std::size_t bytes) noexcept
    {
        if (is_pooling && bytes <= block_bytes_max) [[likely]] {
            arena* home = chunk_of(memory)->home;
            if (home == current_) [[likely]] {
                home->keep(memory, class_of(bytes));
                return;
            }
        }
        deallocate_slowly(memory, bytes);
    }

    /// What `deallocate_class` wants to know of a block of `bytes`, computed beforehand.
    static constexpr std::uint16_t block_class_of(std::size_t bytes) noexcept
    {
        return is_pooling && bytes <= block_bytes_max ? static_cast<std::uint16_t>(class_of(bytes))
                                                      : not_pooled;
    }

    /// As `deallocate`, for those who know the `block_class_of(bytes)`.
    static void deallocate_class(void* memory, std::uint16_t block_class, std::size_t bytes) noexcept
    {
        if (block_class != not_pooled) [[likely]] {
            arena* home = chunk_of(memory)->home;
            if (home == current_) [[likely]] {
                home->keep(memory, block_class);
                return;
            }
        }
        deallocate_slowly(memory, bytes);
    }

    /// Sends home what was freed here and belongs to other arenas. Owner only; meant for the end of a turn.
    ///
    /// Cost: nothing when nothing was gathered, else one compare-and-swap per home arena.
    void flush() noexcept
    {
        if (gathered_ != 0) {
            flush_gathered();
        }
    }

    /// How many blocks are out: given out here and not back yet. Owner only.
    std::size_t live_blocks() noexcept;

    /// How many chunks all arenas of the process have begun to use so far; stands still in steady state.
    static std::uint64_t chunks_allocated() noexcept
    {
        return chunks_allocated_.load(std::memory_order_relaxed);
    }

private:
    friend class arena_owner;
    friend class arena_scope;
    friend class arena_depot;

    // A block in a free list.
    struct block {
        block* next;
    };

    // A block on its way home. Both are addresses of blocks, whose lowest four bits are free: `next` holds
    // the lower half of the size class there, `ahead` the upper half. `ahead` is a block a few steps
    // further, or 0.
    struct returning {
        std::uintptr_t next;
        std::uintptr_t ahead;
    };

    struct chunk {
        arena* home;
    };

    // Adjacent chunks, allocated and freed together.
    struct extent {
        std::byte* begin;
        std::align_val_t alignment;
        std::size_t bytes;
    };

    static constexpr std::size_t lookahead = 4;

    // Blocks of another arena, gathered here.
    struct bundle {
        arena* home = nullptr;
        returning* last = nullptr;
        std::size_t count = 0;
        returning* newest[lookahead] = {};  // at count % lookahead lies the oldest of them
    };

    static constexpr std::size_t chunk_bytes = std::size_t{64} << 10;
    static constexpr std::size_t extent_bytes_max = std::size_t{2} << 20;  // a huge page
    static constexpr std::size_t header_bytes = 64;
    static constexpr std::size_t fine_step = 16;
    static constexpr std::size_t fine_bytes_max = 1024;
    static constexpr std::size_t fine_classes = fine_bytes_max / fine_step;
    static constexpr std::size_t coarse_step = 256;
    static constexpr std::size_t class_count =
        fine_classes + 1 + (block_bytes_max - fine_bytes_max) / coarse_step;
    static constexpr std::uint16_t not_pooled = UINT16_MAX;
    static constexpr std::size_t batch = 64;
    static constexpr std::size_t bundle_count = 64;

    explicit arena(std::size_t id) noexcept : id_(id) {}

    static constexpr std::size_t class_of(std::size_t bytes) noexcept
    {
        return bytes <= fine_bytes_max
            ? (bytes + fine_step - 1) / fine_step
            : fine_classes + (bytes - fine_bytes_max + coarse_step - 1) / coarse_step;
    }

    static constexpr std::size_t bytes_of(std::size_t size_class) noexcept
    {
        if (size_class <= fine_classes) {
            return size_class == 0 ? fine_step : size_class * fine_step;
        }
        return fine_bytes_max + (size_class - fine_classes) * coarse_step;
    }

    // Headers at the same place of every chunk would share one set of the first-level cache; the chunk's
    // number moves each to a line of its own within the first page.
    static constexpr std::uintptr_t header_of(std::uintptr_t address) noexcept
    {
        const std::uintptr_t number = address / chunk_bytes;
        return number * chunk_bytes + number % (4096 / header_bytes) * header_bytes;
    }

    static chunk* chunk_of(void* memory) noexcept
    {
        return reinterpret_cast<chunk*>(header_of(reinterpret_cast<std::uintptr_t>(memory)));
    }

    static arena& adopt_thread_arena();

    void keep(void* memory, std::size_t size_class) noexcept
    {
        free_[size_class] = ::new (memory) block{free_[size_class]};
        --live_;
    }

    void* allocate_slowly(std::size_t bytes);
    static void deallocate_slowly(void* memory, std::size_t bytes) noexcept;

    void* cut(std::size_t bytes);
    void begin_chunk();
    void begin_extent();
    bool collect() noexcept;
    void gather(arena& home, returning* freed) noexcept;
    static void send_home(bundle& sent) noexcept;
    void receive(returning* first, returning* last) noexcept;
    void flush_gathered() noexcept;
    void release_chunks() noexcept;

    inline static constinit thread_local arena* current_ = nullptr;
    inline static constinit std::atomic<std::uint64_t> chunks_allocated_{0};

    // Touched by the owner alone.
    std::size_t live_ = 0;
    std::uint64_t gathered_ = 0;  // one bit for each bundle that holds blocks
    block* free_[class_count] = {};
    std::byte* cut_ = nullptr;
    std::byte* cut_end_ = nullptr;
    std::byte* rest_ = nullptr;  // what lies before the header of the chunk
    std::byte* rest_end_ = nullptr;
    std::byte* chunk_next_ = nullptr;
    std::byte* extent_end_ = nullptr;
    std::vector<extent> extents_;
    std::size_t id_;
    bundle bundles_[bundle_count];

    // Blocks that came back. Any thread pushes, the owner takes all of them.
    alignas(128) std::atomic<returning*> returned_{nullptr};
};

/// Hold on an arena of its own: acquired from the process, given back by the destructor.
///
/// An arena whose blocks are not all home yet keeps its chunks and is the first to be handed out again; its
/// chunks are freed when the process acquires or retires an arena and finds that all blocks have come home.
///
/// Thread safety: made and destroyed on any thread, while the arena is current on none.
class arena_owner {
public:
    arena_owner();
    arena_owner(const arena_owner&) = delete;
    arena_owner& operator=(const arena_owner&) = delete;
    ~arena_owner();

    arena& get() const noexcept { return *arena_; }

private:
    arena* arena_;
};

/// Makes an arena current on this thread until the end of the scope.
class arena_scope {
public:
    explicit arena_scope(arena& arena) noexcept : outer_(std::exchange(arena::current_, &arena)) {}
    arena_scope(const arena_scope&) = delete;
    arena_scope& operator=(const arena_scope&) = delete;
    ~arena_scope() { arena::current_ = outer_; }

private:
    arena* outer_;
};

/// Standard allocator over the arena that is current at the time of the call.
///
/// Thread safety: memory may be freed on any thread.
template <class Value>
struct pool_allocator {
    using value_type = Value;

    pool_allocator() noexcept = default;

    template <class Other>
    pool_allocator(const pool_allocator<Other>&) noexcept
    {}

    Value* allocate(std::size_t count)
    {
        if (count > static_cast<std::size_t>(-1) / sizeof(Value)) {
            throw std::bad_array_new_length();
        }
        if constexpr (alignof(Value) > 16) {
            return static_cast<Value*>(
                ::operator new(count * sizeof(Value), std::align_val_t{alignof(Value)}));
        } else {
            return static_cast<Value*>(arena::current().allocate(count * sizeof(Value)));
        }
    }

    void deallocate(Value* values, std::size_t count) noexcept
    {
        if constexpr (alignof(Value) > 16) {
            ::operator delete(values, std::align_val_t{alignof(Value)});
        } else {
            arena::deallocate(values, count * sizeof(Value));
        }
    }

    friend bool operator==(pool_allocator, pool_allocator) noexcept { return true; }
};

}  // namespace costar::machine
