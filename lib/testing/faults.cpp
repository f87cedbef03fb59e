// SPDX-License-Identifier: MIT

#include <costar/testing/faults.hpp>

#include <costar/core/timer.hpp>
#include <costar/kernel/message.hpp>

#include <fmt/format.h>

namespace costar::testing {

using namespace machine;

/// Passes everything on from here on. What is late is destroyed, since it belongs to strands that live now.
void faults::end() noexcept
{
    clear();
    while (!late_.empty()) {
        delayed& late = late_.front();
        envelope* sent = late.sent;
        late.where->home().disarm(late);
        late_.pop_front();
        sent->discard();
    }
}

faults::rule* faults::rule_for(pid to, const message_type* type, bool is_crash)
{
    for (rule& each : rules_) {
        if ((each.what == kind::crash) != is_crash || (each.target.to && each.target.to != to) ||
            (each.type != nullptr && each.type != type))
            continue;
        const std::uint64_t number = ++each.met;
        if (number < each.target.from || number - each.target.from >= each.target.count)
            continue;
        if (each.target.share < 1 &&
            static_cast<double>(random_.below(1'000'000)) >= each.target.share * 1'000'000)
            continue;
        return &each;
    }
    return nullptr;
}

bool faults::take(station& where, cell& to, envelope* sent)
{
    const bool is_control = sent->type == &type_of<poison_pill> ||
        (sent->type->level != nullptr && sent->type->level(sent->body()) == mailbox_order::control);
    if (is_passing_ || is_control)
        return false;
    const pid receiver = where.pid_of(to);
    rule* found = rule_for(receiver, sent->type, false);
    if (found == nullptr)
        return false;
    ++injected_;
    switch (found->what) {
    case kind::lose:
        to.extras()->with.erase(sent);
        sent->discard();
        return true;
    case kind::delay: {
        late_.emplace_front();
        delayed& late = late_.front();
        late.owner = this;
        late.where = &where;
        late.to = receiver;
        late.sent = sent;
        late.place = late_.begin();
        late.fire = [](timer_node* timer) {
            auto& late = *static_cast<delayed*>(timer);
            late.owner->arrive(late);
        };
        where.home().arm(late, deadline_after(where.home().read_clock(), found->by));
        return true;
    }
    case kind::repeat:
        if (held_envelope copy = copy_of(*sent)) {
            is_passing_ = true;
            where.deliver(to, sent);
            where.deliver(to, copy.release());
            is_passing_ = false;
            return true;
        }
        return false;
    case kind::crash:
        break;
    }
    return false;
}

void faults::arrive(delayed& late) noexcept
{
    station& where = *late.where;
    const pid to = late.to;
    envelope* sent = late.sent;
    late_.erase(late.place);
    is_passing_ = true;
    where.send(to, sent);
    is_passing_ = false;
}

void faults::hand(station& where, cell& self, message& taken)
{
    if (rule_for(where.pid_of(self), nullptr, true) == nullptr)
        return;
    ++injected_;
    throw injected_crash(fmt::format("crashed at a {}", taken.type_name()));
}

}  // namespace costar::testing
