// SPDX-License-Identifier: MIT

#include <costar/actor/context.hpp>
#include <costar/actor/station.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace costar {

namespace {

/// Does the news of this end wait to be received?
bool knows_of(const cell& self, pid ended) noexcept
{
    for (envelope* each = self.first; each != nullptr; each = each->next)
        if (each->type == &type_of<terminated> && each->as<terminated>().who == ended)
            return true;
    return false;
}

}  // namespace

void station::watch(cell& self, pid target)
{
    if (target == pid_of(self))
        return;  // nobody hears of their own end
    auto& watched = self.rare_part_made().watched;
    if (std::find(watched.begin(), watched.end(), target) != watched.end())
        return;
    watched.push_back(target);
    add_watcher(target, {pid_of(self), false});
}

void station::unwatch(cell& self, pid target)
{
    rare_part* rare = self.rare();
    if (rare == nullptr)
        return;
    if (std::erase(rare->watched, target) != 0)
        remove_watcher(target, {pid_of(self), false});
    if (rare->extras != nullptr)
        rare->extras->order.forget(self, target);
}

void station::link(cell& self, pid target)
{
    if (target == pid_of(self))
        return;
    auto& watchers = self.rare_part_made().watchers;
    const end_watcher tie{target, true};
    if (std::find(watchers.begin(), watchers.end(), tie) != watchers.end())
        return;
    watchers.push_back(tie);
    add_watcher(target, {pid_of(self), true});
}

void station::unlink(cell& self, pid target)
{
    rare_part* rare = self.rare();
    if (rare == nullptr || std::erase(rare->watchers, end_watcher{target, true}) == 0)
        return;
    remove_watcher(target, {pid_of(self), true});
}

void station::add_watcher(pid target, end_watcher added)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.add_watcher(target, added); }))
        return;
    if (cell* found = find(target)) {
        auto& watchers = found->rare_part_made().watchers;
        if (std::find(watchers.begin(), watchers.end(), added) == watchers.end())
            watchers.push_back(added);
    } else {
        tell_watcher(added, target, errc::no_such_actor);
    }
}

void station::remove_watcher(pid target, end_watcher removed)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.remove_watcher(target, removed); }))
        return;
    if (cell* found = find(target); found != nullptr && found->rare() != nullptr)
        std::erase(found->rare()->watchers, removed);
}

void station::tell_watcher(end_watcher told, pid ended, errc reason)
{
    if (goes_on_at(told.who, [=](station& theirs) { theirs.tell_watcher(told, ended, reason); }))
        return;
    cell* self = find(told.who);
    rare_part* rare = self != nullptr ? self->rare() : nullptr;
    if (rare == nullptr)
        return;
    if (!told.is_linked) {
        if (std::erase(rare->watched, ended) != 0 && !knows_of(*self, ended))  // it has not changed its mind
            tell(*self, terminated{ended, reason});
        return;
    }
    if (std::erase(rare->watchers, end_watcher{ended, true}) != 0 && reason != errc::actor_stopped)
        fail_from_afar(*self,
            std::make_exception_ptr(
                error(errc::actor_failed, fmt::format("the linked actor {} has ended", ended))),
            true);
}

/// The end of an actor, to those who watch it and those it watched.
void station::tell_watchers(cell& self, pid id, errc reason)
{
    rare_part* rare = self.rare();
    if (rare == nullptr)
        return;
    for (const end_watcher& each : std::exchange(rare->watchers, {})) {
        tell_watcher({each.who, each.is_linked}, id, reason);
        if (each.is_linked)
            remove_watcher(each.who, {id, true});
    }
    for (const pid each : std::exchange(rare->watched, {}))
        remove_watcher(each, {id, false});
}

}  // namespace costar
