// SPDX-License-Identifier: MIT

#include <costar/actor/receive.hpp>

#include <costar/kernel/extras.hpp>

#include <stdexcept>

namespace costar::machine {

bool receive_awaiter::must_wait_in(scope& where, bool there)
{
    if (self_.has_receiver())
        refuse_second(where);
    if (self_.is_cancelled())
        return false;
    const bool in_branch = &where != &static_cast<scope&>(self_);
    if (in_branch && where.is_cancelled()) {
        self_.receive_cancelled = true;
        return false;
    }
    if (there && self_.had_branches() && self_.home().spend())
        return false;
    if (in_branch)
        attach_to(where);
    if (!there && self_.has_extras)
        station::of(self_).has_survived(self_);
    return true;
}

bool receive_awaiter::must_yield(promise_base& caller) noexcept
{
    const bool is_over = self_.is_cancelled() || self_.receive_cancelled;
    if (!is_over || self_.has_receiver() || self_.home().spend())
        return false;
    self_.waiter = &caller;
    self_.set_receptive(true);
    self_.home().make_ready(self_);
    return true;
}

void receive_awaiter::settle_for(const envelope* there)
{
    self_.set_receptive(false);
    if (self_.is_cancelled() || self_.receive_cancelled || there == nullptr) {
        end_without_message();  // the end is told to who takes the outcome of this branch
    } else {
        if (self_.receives_in_branch)
            detach();
        if (self_.has_extras)
            self_.extras()->order.due = there;
    }
    self_.set_settled();  // nobody else may take the message meanwhile
}

/// Another coroutine waits with the actor's own node, which is in use until that one has gone on.
void receive_awaiter::refuse_second(const scope& where) const
{
    if (self_.is_cancelled() || where.is_cancelled())
        throw error(errc::cancelled);
    throw std::logic_error("one coroutine of an actor receives at a time, and another one waits");
}

void receive_awaiter::attach_to(scope& branch)
{
    cold_part& cold = self_.cold_part_made();
    self_.set_had_branches();  // for a task that was spawned on its own; the body has to look for it
    auto* hook = new receive_hook(self_, branch.begins_apart());
    cold.receiving = hook;
    self_.receives_in_branch = true;
    branch.attach(*hook);
}

void receive_awaiter::detach() noexcept
{
    self_.receives_in_branch = false;
    self_.receive_cancelled = false;
    if (self_.cold != nullptr)
        delete std::exchange(self_.cold->receiving, nullptr);
}

void receive_awaiter::pass_over() noexcept
{
    if (extras_part* more = self_.extras())
        more->order.pass_over_due(self_);  // nothing holds it fast any more
    if (self_.is_settled())
        self_.set_receptive(false);
}

/// Ends the wait without a message, and throws where that is no news of the end.
void receive_awaiter::end_without_message()
{
    self_.wanted = nullptr;
    if (extras_part* more = self_.extras())
        more->order.pass_over_due(self_);
    const bool is_in_task = self_.receives_in_branch && self_.cold->receiving->is_in_task();
    const bool was_cancelled = self_.receive_cancelled && !is_in_task;
    detach();
    const bool is_asked_anew = (self_.rare() != nullptr && self_.rare()->restart_asked) ||
        (self_.begin_again && !self_.failed);  // the body has ended already
    const bool ends = self_.stop_requested || is_asked_anew;
    if (was_cancelled || !ends || self_.was_told_end)
        throw error(errc::cancelled);
}

message receive_awaiter::take_nothing()
{
    // Nearly all end like this.
    if (self_.cold == nullptr && self_.stop_requested && !self_.receive_cancelled && !self_.was_told_end)
        [[likely]]
        self_.wanted = nullptr;
    else
        end_without_message();
    self_.was_told_end = true;
    return message::none_at_end();
}

/// A message for a receive that can be cancelled alone or for an actor that has extras, or a poison pill.
message receive_awaiter::hand_over_specially(envelope* taken, bool is_selective)
{
    if (self_.receives_in_branch)
        detach();
    station& post = station::of(self_);
    if (self_.has_extras)
        post.has_taken(self_, taken);
    if (taken->type == &type_of<poison_pill>)
        return swallow(taken);
    message handed = hold(taken);
    if (self_.has_extras)
        post.pass_through(self_, handed, is_selective);
    return handed;
}

void receive_awaiter::run_again_for(const envelope* waiting) noexcept
{
    self_.set_receptive(true);
    if (self_.has_extras)
        self_.extras()->order.due = waiting;
    self_.home().make_ready(self_);
}

message receive_awaiter::swallow(envelope* pill) noexcept
{
    station& post = station::of(self_);
    if (const std::uint64_t token = std::exchange(pill->reply, 0))
        self_.rare_part_made().end_waiters.insert(token);
    pill->discard();
    post.request_stop(self_);
    self_.was_told_end = true;
    return message::none_at_end();
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
    return hand_over(taken, true);
}

}  // namespace costar::machine
