// SPDX-License-Identifier: MIT

#include <costar/ground/pool.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

using costar::machine::arena;
using costar::machine::arena_owner;
using costar::machine::arena_scope;

struct taken_block {
    unsigned char* bytes;
    std::size_t count;
    unsigned char mark;
};

bool is_intact(const taken_block& block)
{
    for (std::size_t i = 0; i < block.count; ++i) {
        if (block.bytes[i] != block.mark) {
            return false;
        }
    }
    return true;
}

taken_block take(arena& from, std::size_t count, unsigned char mark)
{
    taken_block block{static_cast<unsigned char*>(from.allocate(count)), count, mark};
    std::memset(block.bytes, mark, count);
    return block;
}

/// Holds the arenas that other tests left with blocks out, so that the next one to be had is empty.
class others_aside {
public:
    others_aside()
    {
        arena::current().flush();
        auto next = std::make_unique<arena_owner>();
        while (next->get().live_blocks() != 0) {
            held_.push_back(std::exchange(next, std::make_unique<arena_owner>()));
        }
    }

private:
    std::vector<std::unique_ptr<arena_owner>> held_;
};

}  // namespace

TEST_CASE("arena: blocks of every size are aligned and do not overlap", "[ground][pool]")
{
    arena_owner owner;
    const std::size_t owner_before = owner.get().live_blocks();  // out with others since an earlier life
    arena_scope scope(owner.get());

    std::vector<taken_block> blocks;
    for (std::size_t bytes = 0; bytes <= 5000; bytes += 7) {
        blocks.push_back(take(owner.get(), bytes, static_cast<unsigned char>(bytes)));
    }

    for (const taken_block& block : blocks) {
        CHECK(reinterpret_cast<std::uintptr_t>(block.bytes) % 16 == 0);
        CHECK(is_intact(block));
        arena::deallocate(block.bytes, block.count);
    }
    CHECK(owner.get().live_blocks() == owner_before);
}

TEST_CASE("arena: what is freed is given out again, and no chunk is begun in steady state", "[ground][pool]")
{
    arena_owner owner;
    arena_scope scope(owner.get());
    std::vector<void*> blocks(1000);
    const auto round = [&] {
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            blocks[i] = arena::current().allocate(16 + i % 50 * 16);
        }
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            arena::deallocate(blocks[i], 16 + i % 50 * 16);
        }
    };

    round();
    const auto before = arena::chunks_allocated();
    for (int i = 0; i < 100; ++i) {
        round();
    }

    CHECK(arena::chunks_allocated() == before);
}

TEST_CASE("arena: a block costs its size", "[ground][pool]")
{
    if (!arena::is_pooling) {
        return;
    }
    arena_owner owner;
    arena_scope scope(owner.get());
    const std::size_t bytes = GENERATE(16, 96, 160, 1000, 1024);
    const std::size_t count = (std::size_t{4} << 20) / bytes;
    const auto before = arena::chunks_allocated();

    std::vector<void*> blocks(count);
    for (void*& block : blocks) {
        block = arena::current().allocate(bytes);
    }

    const auto used = (arena::chunks_allocated() - before) * 65536;
    CHECK(static_cast<double>(used) < 1.05 * static_cast<double>(count * bytes) + 65536);
    for (void* block : blocks) {
        arena::deallocate(block, bytes);
    }
}

TEST_CASE("arena: a program that uses few blocks of many sizes stays within one chunk", "[ground][pool]")
{
    arena_owner owner;
    arena_scope scope(owner.get());
    const auto before = arena::chunks_allocated();

    std::vector<std::pair<void*, std::size_t>> blocks;
    for (std::size_t bytes = 16; bytes <= 1024; bytes += 16) {
        blocks.emplace_back(arena::current().allocate(bytes), bytes);
    }

    CHECK(arena::chunks_allocated() - before <= 1);
    for (auto [block, bytes] : blocks) {
        arena::deallocate(block, bytes);
    }
}

TEST_CASE("arena: a block freed under another arena goes home at the flush", "[ground][pool]")
{
    if (!arena::is_pooling) {
        return;
    }
    arena_owner home;
    const std::size_t home_before = home.get().live_blocks();  // out with others since an earlier life
    arena_owner other;
    void* block = home.get().allocate(96);

    {
        arena_scope scope(other.get());
        arena::deallocate(block, 96);
        CHECK(home.get().live_blocks() == home_before + 1);
        arena::current().flush();
    }

    CHECK(home.get().live_blocks() == home_before);
    CHECK(home.get().allocate(96) == block);
    arena::deallocate(block, 96);
}

TEST_CASE("arena: blocks freed under another arena go home in batches without a flush", "[ground][pool]")
{
    if (!arena::is_pooling) {
        return;
    }
    const others_aside aside;
    arena_owner home;
    const std::size_t home_before = home.get().live_blocks();  // out with others since an earlier life
    arena_owner other;
    std::vector<void*> blocks(128);
    for (void*& block : blocks) {
        block = home.get().allocate(64);
    }

    arena_scope scope(other.get());
    for (void* block : blocks) {
        arena::deallocate(block, 64);
    }

    CHECK(home.get().live_blocks() == home_before);
}

TEST_CASE("arena: a returned block serves before new memory is cut", "[ground][pool]")
{
    if (!arena::is_pooling) {
        return;
    }
    arena_owner home;
    void* first = home.get().allocate(256);
    {
        arena_owner other;
        arena_scope scope(other.get());
        arena::deallocate(first, 256);
    }  // retiring flushes

    void* second = home.get().allocate(256);

    CHECK(second == first);
    arena::deallocate(second, 256);
}

TEST_CASE("arena_scope: the arena before is current again afterwards", "[ground][pool]")
{
    arena& outermost = arena::current();
    arena_owner first;
    arena_owner second;

    {
        arena_scope outer(first.get());
        CHECK(&arena::current() == &first.get());
        {
            arena_scope inner(second.get());
            CHECK(&arena::current() == &second.get());
        }
        CHECK(&arena::current() == &first.get());
    }

    CHECK(&arena::current() == &outermost);
}

TEST_CASE("arena_owner: an arena whose blocks are all home begins anew", "[ground][pool]")
{
    if (!arena::is_pooling) {
        return;
    }
    const others_aside aside;
    arena* used = nullptr;
    {
        arena_owner owner;
        used = &owner.get();
        arena_scope scope(*used);
        arena::deallocate(used->allocate(96), 96);
    }
    const auto before = arena::chunks_allocated();

    arena_owner again;

    CHECK(&again.get() == used);
    arena_scope scope(again.get());
    arena::deallocate(again.get().allocate(96), 96);
    CHECK(arena::chunks_allocated() == before + 1);
}

TEST_CASE("arena_owner: an arena with blocks out keeps its memory and is used again first", "[ground][pool]")
{
    if (!arena::is_pooling) {
        return;
    }
    arena* used = nullptr;
    taken_block survivor{};
    {
        arena_owner owner;
        used = &owner.get();
        survivor = take(*used, 96, 0x5a);
    }
    const auto before = arena::chunks_allocated();

    arena_owner again;

    CHECK(&again.get() == used);
    taken_block fresh = take(again.get(), 96, 0xa5);
    CHECK(arena::chunks_allocated() == before);
    CHECK(is_intact(survivor));
    arena::deallocate(survivor.bytes, 96);
    arena::deallocate(fresh.bytes, 96);
    arena::current().flush();
    CHECK(again.get().live_blocks() == 0);
}

TEST_CASE("arena: each thread has its own and leaves it to the next", "[ground][pool]")
{
    arena* first = nullptr;
    arena* second = nullptr;

    std::thread([&] {
        first = &arena::current();
        arena::deallocate(first->allocate(96), 96);
    }).join();
    std::thread([&] { second = &arena::current(); }).join();

    CHECK(first != &arena::current());
    CHECK(second == first);
}

TEST_CASE("arena: a thread that never allocated may free", "[ground][pool]")
{
    arena_owner owner;
    const std::size_t owner_before = owner.get().live_blocks();  // out with others since an earlier life
    arena_scope scope(owner.get());
    void* block = owner.get().allocate(96);

    std::thread([&] { arena::deallocate(block, 96); }).join();

    CHECK(owner.get().live_blocks() == owner_before);
}

TEST_CASE("arena: a destructor that runs late on a thread may allocate and free", "[ground][pool]")
{
    struct late {
        ~late() { arena::deallocate(arena::current().allocate(48), 48); }
    };

    std::thread([] {
        thread_local late made_first;
        static_cast<void>(&made_first);
        arena::deallocate(arena::current().allocate(96), 96);
    }).join();

    SUCCEED("the thread ended");
}

TEST_CASE("pool_allocator: containers live on the current arena", "[ground][pool]")
{
    arena_owner owner;
    const std::size_t owner_before = owner.get().live_blocks();  // out with others since an earlier life
    arena_scope scope(owner.get());
    struct alignas(64) wide {
        char bytes[64];
    };

    {
        std::list<int, costar::machine::pool_allocator<int>> numbers{1, 2, 3};
        std::vector<wide, costar::machine::pool_allocator<wide>> wides(3);

        CHECK(numbers.back() == 3);
        CHECK(reinterpret_cast<std::uintptr_t>(wides.data()) % 64 == 0);
        CHECK(owner.get().live_blocks() == owner_before + (arena::is_pooling ? 3 : 0));
    }

    CHECK(owner.get().live_blocks() == owner_before);
}

// Goal: no sequence of allocations and frees on three arenas makes two live blocks share a byte, or loses
// one. Method: every block is filled with a mark of its own that is checked when it is freed, on whichever
// arena.
TEST_CASE("arena: any sequence of allocations and frees keeps blocks apart", "[ground][pool]")
{
    const bool holds = rc::check("blocks keep what is written into them", [] {
        arena_owner owners[3];
        std::vector<taken_block> live;
        unsigned char mark = 0;
        const auto steps = *rc::gen::container<std::vector<std::pair<unsigned, unsigned>>>(
            rc::gen::pair(rc::gen::inRange(0U, 1000U), rc::gen::inRange(0U, 4200U)));

        for (auto [choice, number] : steps) {
            arena& at = owners[choice % 3].get();
            arena_scope scope(at);
            if (choice < 550) {
                live.push_back(take(at, number, ++mark));
            } else if (choice < 970 && !live.empty()) {
                std::swap(live[number % live.size()], live.back());
                RC_ASSERT(is_intact(live.back()));
                arena::deallocate(live.back().bytes, live.back().count);
                live.pop_back();
            } else {
                at.flush();
            }
        }

        for (const taken_block& block : live) {
            arena_scope scope(owners[block.count % 3].get());
            RC_ASSERT(is_intact(block));
            arena::deallocate(block.bytes, block.count);
        }
        for (arena_owner& owner : owners) {
            owner.get().flush();
        }
        for (arena_owner& owner : owners) {
            RC_ASSERT(owner.get().live_blocks() == 0U);
        }
    });
    CHECK(holds);
}
