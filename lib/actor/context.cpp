// SPDX-License-Identifier: MIT

#include <costar/actor/context.hpp>

#include <costar/actor/spawned_child.hpp>

#include <cassert>

namespace costar {

bool receive_awaiter::must_wait_in(scope& where, bool there)
{
    if (self_.is_cancelled())
        return false;
    const bool in_branch = &where != &static_cast<scope&>(self_);
    if (in_branch && where.is_cancelled())
        throw error(errc::cancelled);
    if (there && self_.had_branches() && self_.home().spend())
        return false;
    if (in_branch)
        attach_to(where);
    return true;
}

void receive_awaiter::attach_to(scope& branch)
{
    cold_part& cold = self_.cold_part_made();
    assert(cold.receiving == nullptr && "one coroutine of an actor receives at a time");
    auto* hook = new receive_hook(self_);
    cold.receiving = hook;
    self_.receives_in_branch = true;
    branch.attach(*hook);
}

void receive_awaiter::detach() noexcept
{
    if (self_.cold == nullptr)
        return;
    delete std::exchange(self_.cold->receiving, nullptr);
    self_.receives_in_branch = false;
    self_.receive_cancelled = false;
}

message receive_awaiter::take_nothing()
{
    self_.wanted = nullptr;
    const bool cancelled = self_.receive_cancelled;
    detach();
    if (cancelled || !self_.stop_requested)
        throw error(errc::cancelled);
    return {};
}

/// A message for a receive that can be cancelled alone, or a poison pill.
message receive_awaiter::hand_over_in_branch(envelope* taken)
{
    if (self_.receives_in_branch)
        detach();
    return taken->type == &type_of<poison_pill> ? swallow(taken) : hold(taken);
}

message receive_awaiter::swallow(envelope* pill) noexcept
{
    station& post = station::of(self_);
    if (const std::uint64_t token = std::exchange(pill->reply, 0))
        self_.rare_part_made().end_waiters.push_back(token);
    pill->discard();
    post.request_stop(self_);
    return {};
}

envelope** selective_awaiter::find_behind() const noexcept
{
    for (envelope** link = &self_.first->next; *link != nullptr; link = &(*link)->next)
        if (suits(**link))
            return link;
    return nullptr;
}

/// The wanted message lies behind others, or it is time to stop.
message selective_awaiter::take_from_behind()
{
    self_.set_receptive(false);
    envelope** link = self_.is_cancelled() || self_.receive_cancelled ? nullptr : find();
    if (link == nullptr)
        return take_nothing();
    envelope* taken = *link;
    *link = taken->next;
    if (self_.last == taken)  // `next` is the first member of the envelope before it
        self_.last = link == &self_.first ? nullptr : reinterpret_cast<envelope*>(link);
    return hand_over(taken);
}

stop_request context::stop(costar::pid target)
{
    if (target == pid())
        stop();
    else
        post().stop(target, 0);
    return stop_request(*this, target);
}

stop_request context::poison(costar::pid target)
{
    post().send(target, poison_pill{}, pid());
    return stop_request(*this, target);
}

void context::spawn_task(task<> work)
{
    spawned_child::start(*this, std::move(work));
}

}  // namespace costar
