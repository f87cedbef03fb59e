// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/kernel/message.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/post/outgoing.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace costar::machine {

void post_office::has_taken(cell& self, envelope* taken) noexcept
{
    extras_part& more = *self.extras();
    more.order.removed(self, taken);
    more.order.due = nullptr;
    if (!more.waiting.empty())
        more.drop_expired(home_.now());
    while (!more.waiting.empty() && more.has_room(self.queued())) {
        const admission next = more.waiting.front();
        more.waiting.pop_front();
        put(self, more, next.sent, next.is_borne);
        if (next.token != 0)
            answer(next.token, std::monostate{});
    }
    if (!taken->type->leaves_idle) {
        arm_idle(more.idle);
        arm_idle(more.passing);
    }
    if (self.first == nullptr)
        for (const auto& each : more.chain)
            each->emptied(face_of(self));
}

/// In the hands of the actor from here on. What was asked for by its type cannot be kept from it.
void post_office::pass_through(cell& self, message& taken, bool is_selective)
{
    extras_part& more = *self.extras();
    if (!more.is_needed()) {
        // To come back to the long way means to look at all messages that wait, so it is left when few do.
        constexpr std::uint32_t few = 16;
        self.has_extras = self.queued() > few;
        return;
    }
    envelope* held = taken.envelope_;
    if (!more.asides.empty() && !more.task_failed)
        drop_failed(self, more, errc::actor_failed);  // the actor has survived what failed
    if (more.keeps_failing)
        more.note_attempt(held);
    if (!more.chain.empty() || more.keeps_failing || more.with.contains(held))
        held->mark_kept();
    const pid sender = held->sender;
    if (more.is_intercepted)
        shared_.interceptor->hand(whole(), self, taken);
    for (const auto& each : more.chain) {
        const bool passes = each->receiving(face_of(self), taken);
        if (taken && (passes || is_selective))
            continue;
        if (is_selective)
            throw error(
                errc::not_understood, "middleware took away a message that was asked for by its type");
        if (taken)
            taken.mark_handled();
        taken = message();
        envelope* nothing = envelope::make(withheld{}, sender);
        nothing->hold(self);
        nothing->mark_handled();
        taken = message(nothing);
        return;
    }
}

const headers& post_office::headers_of(const envelope& received) noexcept
{
    static const headers none;
    const extras_part* more = received.receiver().extras();
    if (more == nullptr)
        return none;
    const auto found = more->with.find(&received);
    return found == more->with.end() ? none : found->second;
}

void post_office::finish_long_way(envelope* done) noexcept
{
    station& post = station::of(done->receiver());
    post.finish_specially(*done, post.frame_has_failed_ || std::uncaught_exceptions() != 0);
}

void post_office::finish_specially(envelope& done, bool failed) noexcept
{
    cell& self = done.receiver();
    if (extras_part* more = self.extras(); more != nullptr && !destroying_) {
        if (!more->chain.empty()) {
            message last(&done);
            for (auto each = more->chain.rbegin(); each != more->chain.rend() && last; ++each)
                (*each)->handled(face_of(self), last, failed);
            if (!last)
                return;  // it was handed on
            last.envelope_ = nullptr;
        }
        if (self.current == &done)
            self.current = nullptr;
        if (failed && !self.stop_requested && more->put_aside(done)) {
            self.set_had_branches();  // the next receive that waits tells that it was survived
            return;
        }
        more->forget(&done);
    }
    if (self.current == &done)
        self.current = nullptr;
    const bool handled = done.is_handled();
    errc reason = handled ? errc::unanswered : errc::not_understood;
    if (failed || (!handled && self.stop_requested))
        reason = self.stop_requested ? errc::actor_stopped : errc::actor_failed;
    if (done.reply != 0 && done.type->answer_alone != nullptr && !failed && !destroying_) {
        const std::uint64_t token = std::exchange(done.reply, 0);
        try {
            done.type->answer_alone(whole(), token, pid_of(self), done.body());
        } catch (...) {
            fail(token, errc::actor_failed);
        }
        done.discard();
        return;
    }
    end_message(self, done, reason);
}

void post_office::end_message(cell& self, envelope& done, errc reason) noexcept
{
    if (!done.is_handled() && !destroying_) {
        bury(&done, pid_of(self), reason);
        return;
    }
    if (const std::uint64_t token = std::exchange(done.reply, 0))
        fail(token, reason);
    done.discard();
}

}  // namespace costar::machine
