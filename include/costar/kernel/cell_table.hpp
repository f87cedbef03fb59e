// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/cell.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

namespace costar::machine {

/// The cells of one strand, side by side in chunks; they stay where they are.
///
/// A cell is found by its slot and by how often that slot has been used, so a pid of an actor that has ended
/// finds nobody.
///
/// Used inside the strand's turn only, unless said otherwise.
class cell_table {
public:
    /// Of the strand with that number, on that node.
    cell_table(std::uint32_t node, std::uint16_t strand) noexcept : node_(node), strand_(strand) {}

    /// The living cell, null when it is stale.
    cell* find(std::uint32_t slot, std::uint32_t generation) noexcept
    {
        if (slot >= slots_)
            return nullptr;
        chunk& part = *chunks_[slot / chunk::cells];
        if (part.generations[slot % chunk::cells] != generation || generation % 2 == 0)
            return nullptr;
        return part.at(slot % chunk::cells);
    }

    /// Has the processor bring what `find` and a delivery touch, if there is such a slot.
    void prefetch(std::uint32_t slot) noexcept
    {
        if (slot >= slots_)
            return;
        constexpr std::size_t line = 64;
        chunk& part = *chunks_[slot / chunk::cells];
        const std::size_t index = slot % chunk::cells;
        __builtin_prefetch(&part.generations[index]);
        __builtin_prefetch(part.at(index), 1);
        __builtin_prefetch(reinterpret_cast<const char*>(part.at(index)) + line, 1);
    }

    /// One that lives.
    cell& at(std::uint32_t slot) const noexcept
    {
        return *chunks_[slot / chunk::cells]->at(slot % chunk::cells);
    }

    std::uint32_t generation_of(std::uint32_t slot) const noexcept
    {
        return chunks_[slot / chunk::cells]->generations[slot % chunk::cells];
    }

    /// Where a cell is about to be made.
    struct place {
        void* memory;
        std::uint32_t slot;
        std::uint32_t generation;
    };

    /// The place of a slot that was reserved, or of a free one; from here on its pid is valid.
    place occupy(std::uint32_t slot);
    place occupy_free();

    /// From here on the pid is stale.
    void retire(const cell& ending) noexcept
    {
        ++chunks_[ending.slot / chunk::cells]->generations[ending.slot % chunk::cells];
    }

    /// The cell of a slot is gone: others may have the slot, the first one under this pid.
    void vacate(pid next, bool from_afar) noexcept;

    /// A pid for an actor that another thread or strand will have born here. Thread safety: from any thread.
    pid reserve() noexcept;

    /// Gives a reserved pid back of which nothing came. Thread safety: from any thread.
    void give_back(pid reserved) noexcept;

    /// Was this pid reserved, and has nothing come of it so far?
    bool is_reserved(pid where) const noexcept
    {
        const std::uint32_t slot = where.slot();
        if (where.generation() % 2 == 0 || slot >= next_slot_.load(std::memory_order_relaxed))
            return false;
        return slot >= slots_ || generation_of(slot) < where.generation();
    }

    template <class Visitor>
    void for_each(Visitor&& visit) const
    {
        for (const auto& part : chunks_) {
            for (std::size_t i = 0; i < chunk::cells; ++i)
                if (part->generations[i] % 2 == 1)
                    visit(*part->at(i));
        }
    }

private:
    struct chunk {
        static constexpr std::size_t cells = 256;

        chunk() = default;
        cell* at(std::size_t index) noexcept
        {
            return std::launder(reinterpret_cast<cell*>(memory + index * sizeof(cell)));
        }

        std::uint32_t generations[cells] = {};  // odd while the cell lives
        alignas(128) std::byte memory[cells * sizeof(cell)];
    };

    place take(std::uint32_t slot);
    void grow_to(std::uint32_t slot);

    const std::uint32_t node_;
    const std::uint16_t strand_;
    std::vector<std::unique_ptr<chunk>> chunks_;
    std::uint32_t slots_ = 0;  // that the chunks have
    std::vector<std::uint32_t> free_slots_;
    std::uint32_t fresh_slot_ = 0;
    std::uint32_t fresh_end_ = 0;
    std::mutex vacancies_mutex_;
    std::vector<pid> vacancies_;  // for the next who are born for another strand or thread
    alignas(128) std::atomic<std::uint32_t> next_slot_{0};  // any thread takes blocks
};

}  // namespace costar::machine
