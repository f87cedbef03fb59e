// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/core/timer.hpp>
#include <costar/kernel/gateway.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/kernel/spawned_child.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace costar::machine {

void station::stop(pid target, std::uint64_t token)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.stop(target, token); }) ||
        goes_abroad({.what = outbound_signal::kind::stop, .to = target, .token = token}))
        return;
    if (cell* found = find_or_answer(target, token))
        request_stop(*found);
}

void station::await_end(pid target, std::uint64_t token, pid asker)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.await_end(target, token, asker); }) ||
        goes_abroad({.what = outbound_signal::kind::await_end, .to = target, .token = token}))
        return;
    cell* found = find_or_answer(target, token);
    if (found != nullptr && asker && found->wanted == nullptr && is_stuck(*found))
        suspect_circle(*found, token, awaited_kind::end, asker);
}

void station::forget_end(pid target, std::uint64_t token)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.forget_end(target, token); }) ||
        goes_abroad({.what = outbound_signal::kind::forget_end, .to = target, .token = token}))
        return;
    if (cell* found = find(target); found != nullptr && found->rare() != nullptr)
        found->rare()->end_waiters.erase(token);
}

/// Notes that `token` waits for the end of an actor of this strand.
cell* station::find_or_answer(pid target, std::uint64_t token)
{
    cell* found = find(target);
    if (token == 0)
        return found;
    if (found == nullptr) {
        if (is_elsewhere(target))
            fail(token, errc::not_local);
        else
            answer(token, std::monostate{});
        return nullptr;
    }
    found->rare_part_made().end_waiters.insert(token);
    return found;
}

[[gnu::always_inline]] inline void station::stop_here(cell& target) noexcept
{
    if (target.stop_requested)
        return;
    target.stop_requested = true;
    if (target.state == life::running) [[likely]]
        end_wait(target);
    else
        stop_between_lives(target);
}

void station::request_stop(cell& target) noexcept
{
    stop_here(target);
}

/// Of one whose body has ended, or whose next one has not begun.
[[gnu::noinline]] void station::stop_between_lives(cell& target) noexcept
{
    const bool is_pausing = target.state == life::restarting;
    if (!is_pausing && !target.begin_again) {
        end_wait(target);
        return;
    }
    if (rare_part* rare = target.rare(); is_pausing && rare != nullptr && rare->pause != nullptr)
        home_.disarm(*rare->pause);
    target.state = life::closing;
    target.begin_again = false;
    target.failed = false;  // it would have gone on; the stop ends it
    close_family(target);   // children that were to be kept
    if (is_pausing)
        queue_reap(target);
}

void station::task_ended(promise_base& promise) noexcept
{
    auto& self = static_cast<cell&>(promise.scope().root());
    if (self.is_receptive()) {  // a spawned task waits for a message with the actor's own node
        if (self.wanted == nullptr)
            home_.withdraw(self);
        self.wanted = nullptr;
        self.set_receptive(false);
        self.receive_cancelled = true;  // its receive ends when the node is free again
    }
    queue_reap(self);
}

void station::queue_reap(cell& self) noexcept
{
    if (self.reap_queued || self.is_receptive())  // the task that holds the node comes here when it ends
        return;
    self.reap_queued = true;
    home_.reap_later(self);
}

void station::reap(run_node& ended) noexcept
{
    auto& self = static_cast<cell&>(ended);
    self.reap_queued = false;
    if (self.body)
        body_ended(self);
    if (self.cold != nullptr)
        tell_companion(self);
    advance(self);
}

/// Tells who keeps something for an actor that its body has ended.
void station::tell_companion(cell& self) noexcept
{
    if (rare_part* rare = self.rare(); rare != nullptr && rare->companion != nullptr)
        rare->companion->body_ended();
}

void station::body_ended(cell& self) noexcept
{
    promise_base& promise = self.body.promise();
    std::exception_ptr failure = promise.failure();
    promise.clear_failure();
    if (failure) [[unlikely]]
        end_frame(true, [&] { std::exchange(self.body, nullptr).destroy(); });
    else
        std::exchange(self.body, nullptr).destroy();
    bool restart_asked = false;
    if (rare_part* rare = self.rare(); rare != nullptr) [[unlikely]] {
        if (rare->failure)
            failure = std::exchange(rare->failure, nullptr);
        restart_asked = std::exchange(rare->restart_asked, false);
        if (restart_asked && rare->is_settled && rare->decided != directive::restart)
            restart_asked = false;  // it was told already that it ends
        if (rare->extras != nullptr)
            rare->extras->disarm_idle(home_);
    }
    self.failed = false;
    self.begin_again = false;
    self.state = life::closing;
    if (restart_asked && !self.stop_requested && (!failure || is_cancellation(failure))) [[unlikely]] {
        self.begin_again = true;
        self.rare()->is_settled = false;  // a crash that this has overtaken
        if (shared_.events.has_subscribers<actor_restarted>())
            shared_.events.publish(actor_restarted{
                pid_of(self), name_of(self), "asked to", self.cold->restart_count + 1, home_.read_wall()});
    } else if (failure && !(self.stop_requested && is_cancellation(failure))) [[unlikely]] {
        crashed(self, failure);
    }
    if (extras_part* more = self.has_extras ? self.extras() : nullptr; more != nullptr && !self.begin_again)
        drop_failed(self, *more, self.stop_requested ? errc::actor_stopped : errc::actor_failed);
    const bool task_receives = self.receive_cancelled;
    if (self.cold == nullptr && self.first_child == cell::nobody) [[likely]]
        self.cancel();  // it has no family, and nothing that could have a task
    else
        close_family(self);
    if (task_receives) [[unlikely]] {
        self.set_receptive(true);
        home_.make_ready(self);
    }
    if (self.first != nullptr && has_family(self)) [[unlikely]]
        suspect_requests(self);
}

void station::close_family(cell& self) noexcept
{
    self.cancel();  // the tasks, and those that they begin from now on
    if (keeps_children(self))
        return;
    if (rare_part* rare = self.rare()) {
        rare->ends_children = true;
        for (const pid child : rare->distant_children)
            stop(child, 0);
    }
    for (std::uint32_t slot = self.first_child; slot != cell::nobody;) {
        cell& child = cells_.at(slot);
        slot = child.next_sibling;
        stop_here(child);
    }
}

void station::advance(cell& self) noexcept
{
    const bool keeps = self.begin_again && keeps_children(self);
    if (!keeps && self.first_child != cell::nobody)
        return;
    if (self.cold != nullptr && (keeps ? self.cold->tasks != nullptr : has_family(self)))
        return;
    if (!self.begin_again) {
        terminate(self);
        return;
    }
    self.begin_again = false;
    self.state = life::restarting;
    const std::chrono::nanoseconds delay = pause_before(self);
    if (delay.count() <= 0) {
        restart(self);
        return;
    }
    auto& pause = self.rare_part_made().pause;
    if (pause == nullptr) {
        pause = std::make_unique<restart_timer>();
        pause->owner = this;
        pause->target = &self;
        pause->fire = [](timer_node* timer) {
            auto& pause = *static_cast<restart_timer*>(timer);
            pause.owner->restart(*pause.target);
        };
    }
    home_.arm(*pause, deadline_after(home_.read_clock(), delay));
}

void station::terminate(cell& self) noexcept
{
    const pid id = pid_of(self);
    if (self.cold != nullptr || self.first != nullptr || shared_.events.has_subscribers())
        tell_of_end(self, id);
    else
        cells_.retire(self);
    leave_family(self);
    const std::uint32_t parent = self.parent;
    const std::uint16_t parent_strand = self.parent_strand;
    release(self);
    figures_.live.subtract(1);
    if (parent != cell::nobody) {
        station& theirs = *shared_.stations[parent_strand];
        if (&theirs == this)
            child_ended(parent, id);
        else
            theirs.home().post([&theirs, parent, id] { theirs.child_ended(parent, id); });
    }
    if (all_stopped_ && figures_.live.value() == 0)
        std::exchange(all_stopped_, nullptr)();
}

/// Retires an actor, and tells all who have a right to know.
[[gnu::noinline]] void station::tell_of_end(cell& self, pid id) noexcept
{
    rare_part* const rare = self.rare();
    extras_part* const more = rare != nullptr ? rare->extras.get() : nullptr;
    if (more != nullptr) {
        for (auto each = more->chain.rbegin(); each != more->chain.rend(); ++each)
            (*each)->stopped(face_of(self));
        more->disarm_idle(home_);  // whoever has set it last
    }
    const bool is_told = shared_.events.has_subscribers<actor_stopped>();
    const std::string name = is_told ? name_of(self) : std::string();
    // Whoever hears of the end, be it by a dead letter, finds neither the pid nor the name any more.
    cells_.retire(self);
    if (self.cold != nullptr && self.cold->name != nullptr)
        shared_.names.erase(*std::exchange(self.cold->name, nullptr));
    if (self.first != nullptr || more != nullptr)
        drop_mailbox(self, self.failed ? errc::actor_failed : errc::actor_stopped);
    if (is_told)
        shared_.events.publish(
            actor_stopped{id, name, self.failed ? errc::actor_failed : errc::cancelled, home_.read_wall()});
    if (rare != nullptr) {
        for (const std::uint64_t token : rare->end_waiters)
            answer(token, std::monostate{});
        tell_watchers(self, id, self.failed ? errc::actor_failed : errc::actor_stopped);
    }
}

void station::release(cell& ended) noexcept
{
    const std::uint32_t slot = ended.slot;
    const pid next(node_, strand_, slot, ended.generation + 2);
    const bool from_afar = ended.from_afar;
    home_.forget(ended);
    ended.~cell();
    if (next.generation() <= shared_.last_generation)  // else all pids of this slot are used up
        cells_.vacate(next, from_afar);
}

void station::leave_family(cell& ended) noexcept
{
    const auto at = [this](std::uint32_t slot) -> cell& { return cells_.at(slot); };
    if (ended.next_sibling != cell::nobody)
        at(ended.next_sibling).previous_sibling = ended.previous_sibling;
    if (ended.previous_sibling != cell::nobody)
        at(ended.previous_sibling).next_sibling = ended.next_sibling;
    else if (ended.parent == cell::nobody)
        first_root_ = ended.next_sibling;
    else if (ended.parent_strand == home_.index())
        at(ended.parent).first_child = ended.next_sibling;
}

void station::child_ended(std::uint32_t parent_slot, pid child) noexcept
{
    cell& parent = cells_.at(parent_slot);
    if (parent.cold == nullptr) [[likely]] {
        if (parent.state == life::closing && parent.first_child == cell::nobody)
            queue_reap(parent);
        return;
    }
    if (rare_part* rare = parent.rare()) {
        if (child.strand() != strand_)
            rare->distant_children.erase(child);
        rare->births.erase(child);
    }
    family_changed(parent);
}

void station::task_done(cell& owner, std::exception_ptr failure) noexcept
{
    const bool is_ended = failure && is_cancellation(failure) && owner.is_cancelled();
    if (failure && owner.state == life::running && !is_ended) {
        if (rare_part& rare = owner.rare_part_made(); !rare.failure)
            rare.failure = std::move(failure);
        end_wait(owner);
    } else if (failure && owner.state == life::closing && !owner.failed && !is_cancellation(failure)) {
        crashed(owner, failure);
        close_family(owner);  // children that were to be kept, if it does not begin again now
    }
    family_changed(owner);
}

void station::stop_all(std::function<void()> done)
{
    if (figures_.live.value() == 0) {
        done();
        return;
    }
    if (all_stopped_)
        all_stopped_ = [first = std::move(all_stopped_), second = std::move(done)] {
            first();
            second();
        };
    else
        all_stopped_ = std::move(done);
    for (std::uint32_t slot = first_root_; slot != cell::nobody;) {
        cell& root = cells_.at(slot);
        slot = root.next_sibling;
        request_stop(root);
    }
}

void station::destroy_all() noexcept
{
    destroying_ = true;
    all_stopped_ = nullptr;
    cells_.for_each([&](cell& each) {
        if (rare_part* rare = each.rare(); rare != nullptr && rare->pause != nullptr)
            home_.disarm(*rare->pause);
        while (each.cold != nullptr && each.cold->tasks != nullptr)
            each.cold->tasks->destroy();
        if (each.body)
            std::exchange(each.body, nullptr).destroy();
    });
    cells_.for_each([&](cell& each) {
        while (envelope* left = each.first) {
            each.first = left->next;
            left->discard();
        }
        if (extras_part* more = each.extras()) {
            while (envelope* left = more->stash_first) {
                more->stash_first = left->next;
                left->discard();
            }
            for (const admission& left : more->waiting)
                left.sent->discard();
            for (const aside& left : more->asides)
                left.which->discard();
            more->disarm_idle(home_);
        }
        if (each.cold != nullptr && each.cold->name != nullptr)
            shared_.names.erase(*std::exchange(each.cold->name, nullptr));
        cells_.retire(each);
        release(each);
    });
}

}  // namespace costar::machine
