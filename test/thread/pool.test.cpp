// SPDX-License-Identifier: MIT

#include <costar/ground/chute.hpp>
#include <costar/ground/pool.hpp>

#include <support/catch.hpp>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

namespace {

using costar::machine::arena;
using costar::machine::arena_owner;
using costar::machine::arena_scope;
using costar::machine::chute;
using costar::machine::parcel;

constexpr int block_count = 20'000;

std::size_t size_of(int number)
{
    return 16 + static_cast<std::size_t>(number) % 40 * 16;
}

void send_blocks(chute& to)
{
    for (int i = 0; i < block_count; ++i) {
        void* block = arena::current().allocate(size_of(i));
        std::memset(block, i, size_of(i));
        parcel sent{};
        sent.to = static_cast<std::uint64_t>(i);
        std::memcpy(sent.body, &block, sizeof(block));
        while (to.full()) {
            std::this_thread::yield();
        }
        to.push(sent);
    }
    to.close();
}

// Answers how many blocks did not hold what was written into them.
int free_blocks(chute& from)
{
    int broken = 0;
    for (;;) {
        const bool is_last_look = from.closed();
        if (from.snapshot() == 0) {
            if (is_last_look) {
                return broken;
            }
            arena::current().flush();
            std::this_thread::yield();
        }
        while (parcel* next = from.front()) {
            void* block = nullptr;
            std::memcpy(&block, next->body, sizeof(block));
            const int number = static_cast<int>(next->to);
            from.pop();
            broken += *static_cast<unsigned char*>(block) == static_cast<unsigned char>(number) ? 0 : 1;
            arena::deallocate(block, size_of(number));
        }
        from.release();
    }
}

}  // namespace

TEST_CASE("arena: two strands free each other's blocks at the same time", "[thread][pool]")
{
    arena_owner owners[2];
    chute* ways[2] = {chute::make(), chute::make()};
    std::atomic<int> broken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            std::thread sender([&, i] {
                arena_scope scope(owners[i].get());
                send_blocks(*ways[i]);
                arena::current().flush();
            });
            broken += free_blocks(*ways[1 - i]);
            arena::current().flush();
            sender.join();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }

    CHECK(broken == 0);
    for (arena_owner& owner : owners) {
        CHECK(owner.get().live_blocks() == 0);
    }
    for (chute* way : ways) {
        way->drop();
        way->drop();
    }
}

TEST_CASE("arena: arenas of threads that end are recycled while their blocks come home", "[thread][pool]")
{
    constexpr int rounds = 50;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int round = 0; round < rounds; ++round) {
                std::vector<void*> blocks(100);
                std::thread([&] {
                    for (void*& block : blocks) {
                        block = arena::current().allocate(96);
                        std::memset(block, round, 96);
                    }
                }).join();
                for (void* block : blocks) {
                    arena::deallocate(block, 96);
                }
                arena::current().flush();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }

    SUCCEED("no race was reported");
}
