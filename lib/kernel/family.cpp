// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/kernel/spawned_child.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace costar::machine {

void station::add_distant_child(cell& parent, pid child)
{
    rare_part& rare = parent.rare_part_made();
    rare.distant_children.insert(child);
    if (rare.of_children != nullptr)
        rare.births.insert(child);
}

void station::remove_distant_child(cell& parent, pid child) noexcept
{
    parent.rare()->distant_children.erase(child);
    parent.rare()->births.erase(child);
}

pid station::parent_of(const cell& self) noexcept
{
    if (self.parent == cell::nobody)
        return {};
    const std::uint32_t generation =
        self.parent_strand != strand_ ? self.cold->parent_generation : cells_.generation_of(self.parent);
    return {node_, self.parent_strand, self.parent, generation};
}

/// Who of an actor's family is waited for, the first few by their pids.
std::string station::family_of(cell& self) const
{
    constexpr std::size_t named = 4;
    const std::vector<pid> all = children_of(self);
    std::string text;
    for (std::size_t i = 0; i < std::min(all.size(), named); ++i)
        text += fmt::format(
            "{}{}", i == 0 ? ", waits for its children to end: " : ", ", shared_.names.told(all[i]));
    if (all.size() > named)
        text += fmt::format(" and {} more", all.size() - named);
    return text;
}

// Families
// -------------------------------------------------------------------------------------------------------

bool station::keeps_children_at_all(const cell& self) noexcept
{
    const supervision_part* part = self.supervision();
    return part != nullptr && part->restart.keep_children;
}

bool station::has_family(const cell& self) noexcept
{
    if (self.first_child != cell::nobody)
        return true;
    if (self.cold == nullptr)
        return false;
    return self.cold->tasks != nullptr ||
        (self.cold->rare != nullptr && !self.cold->rare->distant_children.empty());
}

bool station::end_family(cell& self, run_node& node)
{
    close_family(self);
    if (!has_family(self))
        return false;
    self.rare_part_made().childless = &node;
    return true;
}

/// A child or a task of the actor has ended.
void station::family_changed(cell& parent) noexcept
{
    if (rare_part* rare = parent.rare(); rare != nullptr && rare->childless != nullptr && !has_family(parent))
        home_.make_ready(*std::exchange(rare->childless, nullptr));
    if (parent.state == life::closing && (parent.first_child == cell::nobody || keeps_children(parent)))
        queue_reap(parent);
}

std::vector<pid> station::children_of(cell& self) const
{
    std::vector<pid> all;
    for (std::uint32_t slot = self.first_child; slot != cell::nobody;) {
        const cell& child = cells_.at(slot);
        all.push_back(pid_of(child));
        slot = child.next_sibling;
    }
    std::reverse(all.begin(), all.end());
    if (const rare_part* rare = self.rare())
        all.insert(all.end(), rare->distant_children.begin(), rare->distant_children.end());
    return all;
}

}  // namespace costar::machine
