// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/kernel/message.hpp>

#include <cstddef>
#include <utility>

namespace costar::machine {

void post_office::stash(cell& self, message&& aside)
{
    if (!aside)
        aside.refuse_nothing();
    extras_part& more = self.extras_made();
    if (more.stashed >= more.box.stash_limit)
        throw error(errc::mailbox_full, "stash");
    const attempt* known = more.attempt_of(aside.envelope_);
    const std::uint32_t failures = known != nullptr ? known->failures : 0;
    envelope* put_aside = aside.release();
    if (failures != 0)
        more.attempts.insert({put_aside, ++more.last_number, failures});
    put_aside->next = nullptr;
    (more.stash_first == nullptr ? more.stash_first : more.stash_last->next) = put_aside;
    more.stash_last = put_aside;
    ++more.stashed;
}

std::size_t post_office::unstash(cell& self, std::size_t count) noexcept
{
    extras_part* more = self.extras();
    if (more == nullptr)
        return 0;
    // Each is put in front of those behind it, so the last one goes first.
    std::vector<envelope*> back;
    while (more->stash_first != nullptr && back.size() < count) {
        back.push_back(more->stash_first);
        more->stash_first = back.back()->next;
    }
    more->stashed -= static_cast<std::uint32_t>(back.size());
    self.extras_made();
    for (auto each = back.rbegin(); each != back.rend(); ++each) {
        more->order.insert_first(self, *each);
        home_.message_queued(self);
    }
    for (const envelope* each : back)
        has_come(self, *more, each);
    return back.size();
}

void post_office::bury_stash(cell& self, extras_part& more, errc reason) noexcept
{
    drop_failed(self, more, reason);
    while (envelope* left = more.stash_first) {
        more.stash_first = left->next;
        bury(left, pid_of(self), reason);
    }
    more.stashed = 0;
    while (!more.waiting.empty()) {
        const admission left = more.waiting.front();
        more.waiting.pop_front();
        drop_unhandled(left.sent, pid_of(self), reason);
        if (left.token != 0)
            fail(left.token, reason);
    }
}

}  // namespace costar::machine
