// SPDX-License-Identifier: MIT

#include <costar/kernel/cell_table.hpp>

namespace costar::machine {

/// Others may have reserved the slots between.
[[gnu::noinline]] void cell_table::grow_to(std::uint32_t slot)
{
    while (slot >= slots_) {
        chunks_.push_back(std::make_unique<chunk>());
        slots_ += chunk::cells;
    }
}

[[gnu::always_inline]] inline cell_table::place cell_table::take(std::uint32_t slot)
{
    if (slot >= slots_) [[unlikely]]
        grow_to(slot);
    chunk& part = *chunks_[slot / chunk::cells];
    const std::uint32_t generation = ++part.generations[slot % chunk::cells];
    return {part.memory + (slot % chunk::cells) * sizeof(cell), slot, generation};
}

cell_table::place cell_table::occupy(std::uint32_t slot)
{
    return take(slot);
}

cell_table::place cell_table::occupy_free()
{
    if (!free_slots_.empty()) {
        const std::uint32_t slot = free_slots_.back();
        free_slots_.pop_back();
        return take(slot);
    }
    if (fresh_slot_ == fresh_end_) {
        constexpr std::uint32_t block = 64;
        fresh_slot_ = next_slot_.fetch_add(block, std::memory_order_relaxed);
        fresh_end_ = fresh_slot_ + block;
    }
    const place found = take(fresh_slot_);
    ++fresh_slot_;
    return found;
}

void cell_table::vacate(pid next, bool from_afar) noexcept
{
    if (from_afar) {
        give_back(next);
        return;
    }
    try {
        free_slots_.push_back(next.slot());
    } catch (const std::bad_alloc&) {
        // It is not used again.
    }
}

pid cell_table::reserve() noexcept
{
    {
        const std::lock_guard lock(vacancies_mutex_);
        if (!vacancies_.empty()) {
            const pid vacant = vacancies_.back();
            vacancies_.pop_back();
            return vacant;
        }
    }
    const std::uint32_t slot = next_slot_.fetch_add(1, std::memory_order_relaxed);
    return {node_, strand_, slot, 1};
}

void cell_table::give_back(pid reserved) noexcept
{
    try {
        const std::lock_guard lock(vacancies_mutex_);
        vacancies_.push_back(reserved);
    } catch (const std::bad_alloc&) {
        // The slot is not used again.
    }
}

}  // namespace costar::machine
