// SPDX-License-Identifier: MIT

#include <costar/kernel/gateway.hpp>
#include <costar/kernel/station.hpp>

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace costar::machine {

void station::watch(cell& self, pid target)
{
    if (target == pid_of(self))
        return;  // nobody hears of their own end
    rare_part& rare = self.rare_part_made();
    if (rare.extras != nullptr && rare.extras->order.wants_news_of(self, target))
        return;  // they wait in the mailbox
    if (rare.watched.insert(target))
        add_watcher(target, {pid_of(self), false});
}

void station::unwatch(cell& self, pid target)
{
    rare_part* rare = self.rare();
    if (rare == nullptr)
        return;
    if (rare->watched.erase(target))
        remove_watcher(target, {pid_of(self), false});
    if (rare->extras != nullptr)
        rare->extras->order.forget(self, target);
}

void station::link(cell& self, pid target)
{
    if (target == pid_of(self))
        return;
    if (self.rare_part_made().watchers.insert({target, true}))
        add_watcher(target, {pid_of(self), true});
}

void station::unlink(cell& self, pid target)
{
    rare_part* rare = self.rare();
    if (rare == nullptr || !rare->watchers.erase({target, true}))
        return;
    remove_watcher(target, {pid_of(self), true});
}

void station::add_watcher(pid target, end_watcher added)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.add_watcher(target, added); }) ||
        goes_abroad({.what = outbound_signal::kind::watch,
            .to = target,
            .about = added.who,
            .is_linked = added.is_linked}))
        return;
    if (cell* found = find(target)) {
        found->rare_part_made().watchers.insert(added);
    } else {
        tell_watcher(added, target, is_elsewhere(target) ? errc::not_local : errc::no_such_actor);
    }
}

void station::remove_watcher(pid target, end_watcher removed)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.remove_watcher(target, removed); }) ||
        goes_abroad({.what = outbound_signal::kind::unwatch,
            .to = target,
            .about = removed.who,
            .is_linked = removed.is_linked}))
        return;
    if (cell* found = find(target); found != nullptr && found->rare() != nullptr)
        found->rare()->watchers.erase(removed);
}

void station::tell_watcher(end_watcher told, pid ended, errc reason)
{
    if (goes_on_at(told.who, [=](station& theirs) { theirs.tell_watcher(told, ended, reason); }) ||
        goes_abroad({.what = outbound_signal::kind::ended,
            .to = told.who,
            .about = ended,
            .is_linked = told.is_linked,
            .reason = reason}))
        return;
    cell* self = find(told.who);
    rare_part* rare = self != nullptr ? self->rare() : nullptr;
    if (rare == nullptr)
        return;
    if (!told.is_linked) {
        if (rare->watched.erase(ended) && !self->extras_made().order.wants_news_of(*self, ended))
            tell(*self, terminated{ended, reason});  // it has not changed its mind
        return;
    }
    if (rare->watchers.erase({ended, true}) && reason != errc::actor_stopped)
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

}  // namespace costar::machine
