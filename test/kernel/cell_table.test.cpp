// SPDX-License-Identifier: MIT

#include <costar/kernel/cell_table.hpp>

#include <cstdint>
#include <set>
#include <vector>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

using namespace costar;
using namespace costar::machine;

namespace {

/// Makes a cell in its place.
cell& made_at(cell_table::place where, strand_context& home)
{
    return *::new (where.memory) cell(home, where.slot, where.generation);
}

/// Ends one as a station does.
void end(cell_table& table, cell& ended, bool from_afar)
{
    const pid next(1, 2, ended.slot, ended.generation + 2);
    table.retire(ended);
    ended.~cell();
    table.vacate(next, from_afar);
}

}  // namespace

TEST_CASE("cell_table: a cell is found while it lives, under its own generation", "[kernel][cell_table]")
{
    support::manual_strands strands(1);
    cell_table table(1, 2);
    cell& one = made_at(table.occupy_free(), strands[0]);
    const std::uint32_t slot = one.slot;
    const std::uint32_t generation = one.generation;

    CHECK(table.find(slot, generation) == &one);
    CHECK(&table.at(slot) == &one);
    CHECK(table.find(slot, generation + 1) == nullptr);
    CHECK(table.find(slot, generation + 2) == nullptr);
    CHECK(table.find(slot + 1, 1) == nullptr);
    CHECK(table.find(1U << 30, 1) == nullptr);

    end(table, one, false);

    CHECK(table.find(slot, generation) == nullptr);
    cell& next = made_at(table.occupy_free(), strands[0]);
    CHECK(next.slot == slot);
    CHECK(next.generation == generation + 2);
    end(table, next, false);
}

TEST_CASE("cell_table: who is to be born from afar has a pid of its own until then", "[kernel][cell_table]")
{
    support::manual_strands strands(1);
    cell_table table(1, 2);
    const pid reserved = table.reserve();
    const pid other = table.reserve();

    CHECK(reserved != other);
    CHECK(table.is_reserved(reserved));
    CHECK(table.find(reserved.slot(), reserved.generation()) == nullptr);

    cell& born = made_at(table.occupy(reserved.slot()), strands[0]);
    CHECK(born.generation == reserved.generation());
    CHECK_FALSE(table.is_reserved(reserved));
    CHECK(table.is_reserved(other));

    end(table, born, true);
    const pid again = table.reserve();
    CHECK(again.slot() == reserved.slot());
    CHECK(again.generation() == reserved.generation() + 2);
    table.give_back(again);
    CHECK(table.reserve() == again);
}

TEST_CASE("cell_table: visits all that live, and no slot is given twice", "[kernel][cell_table]")
{
    support::manual_strands strands(1);
    cell_table table(1, 2);
    std::set<std::uint32_t> slots;
    std::vector<cell*> cells;
    for (int i = 0; i < 1000; ++i) {
        const bool from_afar = i % 3 == 0;
        cells.push_back(
            &made_at(from_afar ? table.occupy(table.reserve().slot()) : table.occupy_free(), strands[0]));
        CHECK(slots.insert(cells.back()->slot).second);
    }
    std::set<std::uint32_t> visited;
    table.for_each([&](const cell& each) { visited.insert(each.slot); });
    CHECK(visited == slots);
    for (cell* each : cells)
        end(table, *each, false);
    table.for_each([&](const cell&) { CHECK(false); });
}
