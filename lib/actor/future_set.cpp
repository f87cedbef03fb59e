// SPDX-License-Identifier: MIT

#include <costar/actor/future_set.hpp>

#include <string>

namespace costar::machine {

const hook_actions future_group::actions{.cancel =
                                             [](cancel_hook& hook) noexcept {
                                                 auto& self = static_cast<future_group&>(hook);
                                                 self.cancelled_ = true;
                                                 self.wake();
                                             },
    .describe =
        [](const cancel_hook& hook) {
            std::string all;
            for (const member& each : static_cast<const future_group&>(hook).members_)
                if (each.subject != nullptr && !each.subject->ready())
                    all += (all.empty() ? "replies from " : ", ") + each.subject->asked().to_string();
            return all;
        }};

bool future_group::begin(scope& within) noexcept
{
    for (member& each : members_)
        if (!is_over() && (each.subject == nullptr || each.subject->ready()))
            note(each);
    home_ = &within.home();
    cancelled_ = !is_over() && within.is_cancelled();
    if (is_over() || cancelled_)
        return home_->must_yield(*this, *waiter);
    within.attach(*this);
    for (member& each : members_) {
        if (each.subject == nullptr || each.subject->ready())
            continue;
        each.group = this;
        each.subject->attach(each);
    }
    return true;
}

void future_group::note(member& ended) noexcept
{
    const errc failure = ended.subject != nullptr ? ended.subject->failure() : errc::cancelled;
    ended.is_chosen = failure == errc{};
    if (ended.is_chosen) {
        ++values_;
    } else {
        ++failures_;
        last_failure_ = failure;
    }
}

void future_group::notify(future_waiter& base, bool) noexcept
{
    auto& ended = static_cast<member&>(base);
    future_group& self = *ended.group;
    ended.leave();
    self.note(ended);
    if (self.is_over())
        self.wake();
}

/// Nothing that is still to come changes the outcome.
bool future_group::is_over() const noexcept
{
    return values_ >= wanted_ || failures_ > spared_ || values_ + failures_ == members_.size() ||
        wanted_ > members_.size();
}

void future_group::wake() noexcept
{
    for (member& each : members_)
        each.leave();
    detach();
    home_->make_ready(*this);
}

errc future_group::failure_of(std::size_t index) const noexcept
{
    const future_state* subject = members_[index].subject;
    return subject != nullptr ? subject->failure() : errc::cancelled;
}

void future_group::check_cancelled() const
{
    if (cancelled_)
        throw error(errc::cancelled);
}

void future_group::check_values() const
{
    if (values_ < wanted_)
        throw error(last_failure_);
}

}  // namespace costar::machine
