// SPDX-License-Identifier: MIT

#include <costar/ground/pool.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <mutex>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace costar::machine {

namespace {

// An arena that has grown this far touches what it asks for: one fault instead of 512, and one entry of the
// TLB.
void prefer_huge_page([[maybe_unused]] std::byte* begin, [[maybe_unused]] std::size_t bytes) noexcept
{
#if defined(__linux__)
    madvise(begin, bytes, MADV_HUGEPAGE);
#endif
}

template <class Block>
Block* block_at(std::uintptr_t address) noexcept
{
    return reinterpret_cast<Block*>(address & ~std::uintptr_t{15});
}

std::uintptr_t address_of(const void* block) noexcept
{
    return reinterpret_cast<std::uintptr_t>(block);
}

}  // namespace

/// All arenas of the process, and which of them nobody owns at the moment.
///
/// Thread safety: from any thread.
class arena_depot {
public:
    // Never destroyed: blocks may be freed after the last static destructor.
    static arena_depot& instance()
    {
        static auto* depot = new arena_depot;
        return *depot;
    }

    arena& acquire()
    {
        std::lock_guard lock(mutex_);
        release_settled();
        auto& idle = waiting_.empty() ? empty_ : waiting_;
        if (!idle.empty()) {
            arena* recycled = idle.back();
            idle.pop_back();
            return *recycled;
        }
        const std::size_t count = all_.size() + 1;
        all_.reserve(count);
        waiting_.reserve(count);  // retire() must not fail
        empty_.reserve(count);
        all_.push_back(new arena(all_.size()));
        return *all_.back();
    }

    void retire(arena& arena) noexcept
    {
        arena.flush();
        std::lock_guard lock(mutex_);
        waiting_.push_back(&arena);
        release_settled();
    }

private:
    // Frees the chunks of all idle arenas whose blocks have come home.
    void release_settled() noexcept
    {
        auto settled = std::partition(
            waiting_.begin(), waiting_.end(), [](arena* idle) { return idle->live_blocks() != 0; });
        for (auto at = settled; at != waiting_.end(); ++at) {
            (*at)->release_chunks();
            empty_.push_back(*at);
        }
        waiting_.erase(settled, waiting_.end());
    }

    std::mutex mutex_;
    std::vector<arena*> all_;
    std::vector<arena*> waiting_;  // idle, and some of their blocks are still out
    std::vector<arena*> empty_;    // idle, and without a chunk
};

arena_owner::arena_owner() : arena_(&arena_depot::instance().acquire()) {}

arena_owner::~arena_owner()
{
    assert(arena::current_ != arena_);
    arena_depot::instance().retire(*arena_);
}

arena& arena::adopt_thread_arena()
{
    static constinit thread_local bool is_gone = false;

    struct thread_arena {
        arena_owner owner;
        // Destroyed before the owner: the arena must not be current any more when it retires.
        struct leave {
            ~leave()
            {
                current_ = nullptr;
                is_gone = true;
            }
        } leave;
    };

    if (is_gone) {
        // A destructor that runs late on this thread frees or allocates: the arena stays its own for ever.
        current_ = &arena_depot::instance().acquire();
    } else {
        thread_local thread_arena own;
        current_ = &own.owner.get();
    }
    return *current_;
}

std::size_t arena::live_blocks() noexcept
{
    collect();
    return live_;
}

void* arena::allocate_slowly(std::size_t bytes)
{
    if (!is_pooling || bytes > block_bytes_max) {
        return ::operator new(bytes);
    }
    const std::size_t size_class = class_of(bytes);
    if (returned_.load(std::memory_order_relaxed) != nullptr && collect()) {
        if (block* taken = free_[size_class]; taken != nullptr) {
            free_[size_class] = taken->next;
            ++live_;
            return taken;
        }
    }
    void* made = cut(bytes_of(size_class));
    ++live_;
    return made;
}

void arena::deallocate_slowly(void* memory, std::size_t bytes) noexcept
{
    if (!is_pooling || bytes > block_bytes_max) {
        ::operator delete(memory);
        return;
    }
    arena* home = chunk_of(memory)->home;
    const std::size_t size_class = class_of(bytes);
    auto* freed = ::new (memory) returning{size_class % 16, size_class / 16};
    if (current_ != nullptr) {
        current_->gather(*home, freed);
    } else {
        home->receive(freed, freed);  // a thread that never allocated has nowhere to gather
    }
}

void* arena::cut(std::size_t bytes)
{
    for (;;) {
        if (static_cast<std::size_t>(cut_end_ - cut_) >= bytes) {
            return std::exchange(cut_, cut_ + bytes);
        }
        if (static_cast<std::size_t>(rest_end_ - rest_) >= bytes) {
            cut_ = std::exchange(rest_, nullptr);
            cut_end_ = std::exchange(rest_end_, nullptr);
            continue;
        }
        begin_chunk();
    }
}

void arena::begin_chunk()
{
    if (chunk_next_ == extent_end_) {
        begin_extent();
    }
    std::byte* begin = std::exchange(chunk_next_, chunk_next_ + chunk_bytes);
    chunk* header = new (chunk_of(begin)) chunk{this};
    rest_ = begin;
    rest_end_ = reinterpret_cast<std::byte*>(header);
    cut_ = rest_end_ + header_bytes;
    cut_end_ = begin + chunk_bytes;
    chunks_allocated_.fetch_add(1, std::memory_order_relaxed);
}

void arena::begin_extent()
{
    // The first two are single chunks, then each is as large as all before it together.
    std::size_t held = 0;
    for (const extent& earlier : extents_) {
        held += earlier.bytes;
    }
    const std::size_t bytes = std::clamp(std::bit_floor(held), chunk_bytes, extent_bytes_max);
    const std::size_t alignment = bytes == extent_bytes_max ? extent_bytes_max : chunk_bytes;
    extents_.reserve(extents_.size() + 1);
    chunk_next_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}));
    extent_end_ = chunk_next_ + bytes;
    extents_.push_back({chunk_next_, std::align_val_t{alignment}, bytes});
    if (bytes == extent_bytes_max) {
        prefer_huge_page(chunk_next_, bytes);
    }
}

bool arena::collect() noexcept
{
    // Acquire: what other threads did to the blocks before they sent them home is over.
    returning* back = returned_.exchange(nullptr, std::memory_order_acquire);
    const bool any = back != nullptr;
    while (back != nullptr) {
        // The blocks lie in the caches of other cores: fetching some at a time is what makes this fast.
        const auto [next, ahead] = *back;
        __builtin_prefetch(block_at<returning>(ahead), 1);
        keep(back, next % 16 + ahead % 16 * 16);
        back = block_at<returning>(next);
    }
    return any;
}

void arena::gather(arena& home, returning* freed) noexcept
{
    const std::size_t place = home.id_ % bundle_count;
    bundle& gathered = bundles_[place];
    if (gathered.home != &home) {
        if (gathered.count != 0) {
            send_home(gathered);
        }
        gathered.home = &home;
    }
    if (gathered.count == 0) {
        gathered.last = freed;
        gathered_ |= std::uint64_t{1} << place;
    } else {
        freed->next |= address_of(gathered.newest[(gathered.count - 1) % lookahead]);
    }
    returning*& oldest = gathered.newest[gathered.count % lookahead];
    if (gathered.count >= lookahead) {
        freed->ahead |= address_of(oldest);
    }
    oldest = freed;
    if (++gathered.count == batch) {
        send_home(gathered);
        gathered_ &= ~(std::uint64_t{1} << place);
    }
}

void arena::send_home(bundle& sent) noexcept
{
    sent.home->receive(sent.newest[(sent.count - 1) % lookahead], sent.last);
    sent.count = 0;
}

void arena::receive(returning* first, returning* last) noexcept
{
    returning* before = returned_.load(std::memory_order_relaxed);
    do {
        last->next = last->next % 16 | address_of(before);
        // Release: the owner sees all writes to these blocks. Relaxed on failure: `before` is never read
        // through.
    } while (!returned_.compare_exchange_weak(
        before, first, std::memory_order_release, std::memory_order_relaxed));
}

void arena::flush_gathered() noexcept
{
    for (std::uint64_t left = std::exchange(gathered_, 0); left != 0; left &= left - 1) {
        send_home(bundles_[std::countr_zero(left)]);
    }
}

void arena::release_chunks() noexcept
{
    std::fill(std::begin(free_), std::end(free_), nullptr);
    cut_ = cut_end_ = rest_ = rest_end_ = chunk_next_ = extent_end_ = nullptr;
    for (const extent& held : extents_) {
        ::operator delete(held.begin, held.alignment);
    }
    extents_.clear();
}

}  // namespace costar::machine
