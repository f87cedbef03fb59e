// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <exception>
#include <new>
#include <utility>

namespace costar::machine {

attempt* extras_part::attempt_of(const envelope* held) noexcept
{
    const auto known = attempts.find(held);
    return known == attempts.end() ? nullptr : &*known;
}

void extras_part::note_attempt(const envelope* taken)
{
    if (attempt* known = attempt_of(taken))
        known->number = ++last_number;
    else
        attempts.insert({taken, ++last_number});
}

bool extras_part::put_aside(envelope& failed) noexcept
{
    const attempt* known = attempt_of(&failed);
    if (known == nullptr)
        return false;
    try {
        asides.push_back({&failed, known->number, known->failures});
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

std::vector<aside> extras_part::take_aside() noexcept
{
    std::sort(asides.begin(), asides.end(),
        [](const aside& one, const aside& other) { return one.number < other.number; });
    return std::exchange(asides, {});
}

void post_office::forget_attempt(const envelope& gone) noexcept
{
    if (extras_part* more = gone.receiver().extras())
        more->attempts.erase(&gone);
}

void station::task_fails(cell& owner) noexcept
{
    if (extras_part* more = owner.extras())
        more->task_failed = true;
}

/// The actor has crashed: what is not given to it again ends.
void post_office::settle_failed(cell& self, extras_part& more, bool is_given_again) noexcept
{
    std::vector<aside> all = more.take_aside();
    auto kept = all.begin();
    for (const aside& each : all) {
        if (is_given_again && each.failures < more.failing.redeliveries && !each.which->is_moved()) {
            *kept++ = each;
            continue;
        }
        more.forget(each.which);
        if (more.failing.becomes_dead_letter)
            bury(each.which, pid_of(self), errc::actor_failed);
        else
            end_message(self, *each.which, errc::actor_failed);
    }
    all.erase(kept, all.end());
    all.insert(all.end(), more.asides.begin(), more.asides.end());  // by whoever was told of a dead letter
    more.asides = std::move(all);
}

/// What is left comes again, before all others and in its order.
void post_office::give_back_failed(cell& self, extras_part& more) noexcept
{
    settle_failed(self, more, true);
    const std::vector<aside> back = more.take_aside();
    for (auto each = back.rbegin(); each != back.rend(); ++each) {
        ++more.attempt_of(each->which)->failures;
        more.order.insert_first(self, each->which);
        home_.message_queued(self);
    }
    for (const aside& each : back)
        has_come(self, more, each.which);
}

/// There was no crash, or no more than that: it ends as any message that was let go of in a failure.
void post_office::drop_failed(cell& self, extras_part& more, errc reason) noexcept
{
    while (!more.asides.empty())
        for (const aside& each : more.take_aside()) {
            more.forget(each.which);
            end_message(self, *each.which, reason);
        }
}

void post_office::has_survived(cell& self) noexcept
{
    if (!self.extras()->asides.empty())
        home_.post([this, id = pid_of(self)] { look_for_survivor(id); });
}

/// Has the actor survived what failed, and waits for messages again?
void post_office::look_for_survivor(pid who) noexcept
{
    cell* self = find(who);
    extras_part* more = self != nullptr ? self->extras() : nullptr;
    if (more != nullptr && self->wanted != nullptr && !more->task_failed)
        drop_failed(*self, *more, errc::actor_failed);
}

void post_office::give_again(envelope& failed) noexcept
{
    cell& self = failed.receiver();
    finish_specially(failed, true);
    if (extras_part* more = self.extras())
        give_back_failed(self, *more);
}

}  // namespace costar::machine
