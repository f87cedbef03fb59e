// SPDX-License-Identifier: MIT

#include <costar/kernel/supervision.hpp>

#include <costar/core/log.hpp>
#include <costar/kernel/gateway.hpp>
#include <costar/kernel/station.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace costar {

using namespace machine;

std::string_view to_string(directive what) noexcept
{
    switch (what) {
    case directive::resume:
        return "resume";
    case directive::restart:
        return "restart";
    case directive::stop:
        return "stop";
    case directive::escalate:
        return "escalate";
    }
    return "?";
}

directive decider::operator()(const std::exception_ptr& failure) const noexcept
{
    for (const rule& each : rules_)
        if (each.matches(failure))
            return each.what;
    if (!function_)
        return otherwise_;
    try {
        return function_(failure);
    } catch (...) {
        log(log_level::error, "a decider threw; the actor is stopped");
        return directive::stop;
    }
}

}  // namespace costar

namespace costar::machine {

void station::set_supervision(cell& born, const spawn_options& options,
    const std::shared_ptr<const supervisor>& from_above, std::unique_ptr<recipe> again)
{
    const bool says_restart = options.restart.limit != 0;
    restart_policy policy = options.restart;
    if (!says_restart && from_above != nullptr)
        policy = from_above->restart;
    else if (!says_restart && options.decide)
        policy = supervisor().restart;
    cold_part& cold = born.cold_part_made();
    cold.restart_limit = policy.limit;
    cold.restart_within = policy.within;
    cold.restart_delay = policy.delay;
    cold.again = std::move(again);
    const bool is_plain = policy.longest_delay.count() == 0 && policy.jitter <= 0 && !policy.keep_children &&
        !options.decide && from_above == nullptr;
    if (is_plain)
        return;
    auto part = std::make_unique<supervision_part>();
    part->restart = policy;
    part->began = home_.read_clock();
    if (from_above != nullptr) {
        part->decide = from_above->decide;
        part->strategy = from_above->strategy;
    }
    if (options.decide)
        part->decide = options.decide;
    else if (says_restart)
        part->decide = {};
    born.rare_part_made().supervision = std::move(part);
}

void station::supervise(cell& parent, supervisor rules)
{
    parent.rare_part_made().of_children = std::make_shared<const supervisor>(std::move(rules));
}

directive station::decision_for(cell& self, const std::exception_ptr& failure) noexcept
{
    if (self.stop_requested || shared_.closing.load(std::memory_order_relaxed))
        return directive::stop;
    if (const supervision_part* part = self.supervision(); part != nullptr && part->decide)
        return part->decide(failure);
    return self.cold != nullptr && self.cold->again != nullptr && self.cold->restart_limit != 0
        ? directive::restart
        : directive::stop;
}

bool station::resumes(cell& self, const std::exception_ptr& failure) noexcept
{
    const supervision_part* part = self.supervision();
    if (part == nullptr || !part->decide || self.is_cancelled())
        return false;
    rare_part& rare = *self.rare();
    rare.decided = decision_for(self, failure);
    rare.is_decided = rare.decided != directive::resume;
    if (rare.is_decided)
        return false;
    const std::string reason = text_of(failure);
    log(log_level::warning, fmt::format("actor {} failed and goes on: {}", name_of(self), reason));
    shared_.events.publish(
        supervision_decision{pid_of(self), name_of(self), reason, directive::resume, home_.read_wall()});
    return true;
}

bool station::decide(cell& self, const std::exception_ptr& failure) noexcept
{
    rare_part& rare = self.rare_part_made();
    const std::exception_ptr& cause = rare.failure ? rare.failure : failure;
    directive what = rare.is_decided ? rare.decided : decision_for(self, cause);
    if (what == directive::resume)
        what = directive::restart;  // what would go on has unwound
    if (what == directive::restart && (self.cold->again == nullptr || !may_restart(self, cause)))
        what = directive::stop;
    rare.is_decided = true;
    rare.is_settled = true;
    rare.decided = what;
    return what == directive::restart;
}

bool station::is_begun_anew(cell& self, const std::exception_ptr& failure) noexcept
{
    const rare_part* rare = self.rare();
    const bool is_stop = self.stop_requested && (!failure || is_cancellation(failure));
    if (is_stop)
        return false;
    if (rare != nullptr && rare->restart_asked && (!failure || is_cancellation(failure)))
        return true;
    if (!failure)
        return false;
    return decide(self, failure);
}

/// Is there a restart left in the window? Takes it.
bool station::may_restart(cell& self, const std::exception_ptr& failure) noexcept
{
    const cold_part& cold = *self.cold;
    if (cold.restart_limit == restart_policy::always)
        return true;
    auto& times = self.rare_part_made().restarts;
    const auto window = static_cast<std::uint64_t>(cold.restart_within.count());
    const std::uint64_t now = home_.read_clock();
    if (window != 0)
        std::erase_if(times, [&](std::uint64_t then) { return now - then >= window; });
    if (times.size() < cold.restart_limit) {
        times.push_back(now);
        return true;
    }
    if (cold.restart_limit != 0)
        shared_.events.publish(restart_limit_reached{
            pid_of(self), name_of(self), text_of(failure), cold.restart_count, home_.read_wall()});
    return false;
}

void station::crashed(cell& self, const std::exception_ptr& failure) noexcept
{
    self.failed = true;
    directive what = directive::stop;
    if (self.cold != nullptr) {  // else nobody has said anything
        rare_part* rare = self.rare();
        if (rare == nullptr || !rare->is_settled)
            decide(self, failure);
        rare = self.rare();
        rare->is_decided = false;
        rare->is_settled = false;
        what = rare->decided;
        if (what == directive::restart && self.stop_requested)
            what = directive::stop;
    }
    self.begin_again = what == directive::restart;
    if (extras_part* more = self.extras())
        settle_failed(self, *more, self.begin_again);
    const std::string reason = text_of(failure);
    log(log_level::error,
        fmt::format(
            "actor {} crashed: {}{}", name_of(self), reason, self.begin_again ? "; it is begun anew" : ""));
    if (shared_.events.has_subscribers()) {
        shared_.events.publish(
            supervision_decision{pid_of(self), name_of(self), reason, what, home_.read_wall()});
        if (self.begin_again)
            shared_.events.publish(actor_restarted{
                pid_of(self), name_of(self), reason, self.cold->restart_count + 1, home_.read_wall()});
    }
    if (what == directive::escalate)
        escalate(self, failure);
    else if (!self.stop_requested)
        treat_siblings(self, what);
}

void station::escalate(cell& self, const std::exception_ptr& failure) noexcept
{
    const pid parent = parent_of(self);
    if (!parent) {
        log(log_level::critical, fmt::format("the crash of {} has reached the root", name_of(self)));
        return;
    }
    const auto crash = [parent, failure](station& theirs) {
        if (cell* found = theirs.find(parent))
            theirs.fail_from_afar(*found, failure, keeps_children_at_all(*found));
    };
    if (!goes_on_at(parent, crash))
        crash(*this);
}

/// Crashes an actor over what happened to another one; between two lives, if it matters then, when the next
/// one begins.
void station::fail_from_afar(cell& self, std::exception_ptr failure, bool matters_in_pause) noexcept
{
    const bool is_pausing = matters_in_pause &&
        (self.state == life::restarting || (self.state == life::closing && self.begin_again));
    if ((self.state != life::running && !is_pausing) || self.stop_requested)
        return;
    rare_part& rare = self.rare_part_made();
    if (!rare.failure)
        rare.failure = std::move(failure);
    if (!is_pausing)  // else it crashes when it begins
        end_wait(self);
}

/// Ends what the body waits for, so that it unwinds.
void station::end_wait(cell& self) noexcept
{
    self.cancel();
    if (self.wanted != nullptr) {
        self.wanted = nullptr;
        home_.make_ready(self);
    }
}

// Siblings
// -------------------------------------------------------------------------------------------------------

void station::treat_siblings(cell& self, directive what) noexcept
{
    const supervision_part* part = self.supervision();
    if (part == nullptr || part->strategy == strategy::one_for_one || self.parent == cell::nobody)
        return;
    station& theirs = *shared_.stations[self.parent_strand];
    if (&theirs == this)
        treat_siblings(self.parent, pid_of(self), part->strategy, what);
    else
        theirs.home().post(
            [&theirs, parent = parent_of(self), id = pid_of(self), how = part->strategy, what] {
                if (theirs.find(parent) != nullptr)
                    theirs.treat_siblings(parent.slot(), id, how, what);
            });
}

void station::treat_siblings(std::uint32_t parent_slot, pid failed, strategy how, directive what) noexcept
{
    const cell& parent = cells_.at(parent_slot);
    const rare_part* rare = parent.rare();
    if (rare == nullptr || parent.state != life::running)
        return;
    const auto first = how == strategy::rest_for_one ? rare->births.find(failed) : rare->births.begin();
    const std::vector<pid> concerned(first, rare->births.end());  // some may end at once
    for (const pid each : concerned) {
        if (each == failed)
            continue;
        if (what == directive::restart)
            restart(each);
        else
            stop(each, 0);
    }
}

void station::restart(pid target)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.restart(target); }) ||
        goes_abroad({.what = outbound_signal::kind::restart, .to = target}))
        return;
    if (cell* found = find(target))
        request_restart(*found);
}

void station::request_restart(cell& target) noexcept
{
    if (target.stop_requested || target.state != life::running)
        return;
    if (target.cold == nullptr || target.cold->again == nullptr) {
        request_stop(target);  // it cannot be begun anew, and must not go on as it is
        return;
    }
    target.rare_part_made().restart_asked = true;
    end_wait(target);
}

std::chrono::nanoseconds station::pause_before(cell& self) noexcept
{
    using std::chrono::nanoseconds;
    nanoseconds pause = self.cold->restart_delay;
    supervision_part* part = self.supervision();
    if (part == nullptr)
        return pause;
    const restart_policy& policy = part->restart;
    const auto healthy = policy.healthy_after.count() != 0 ? policy.healthy_after : policy.within;
    if (home_.read_clock() - part->began >= static_cast<std::uint64_t>(healthy.count()))
        part->doublings = 0;
    if (policy.longest_delay > pause) {
        for (std::uint32_t i = 0; i < part->doublings && pause < policy.longest_delay; ++i)
            pause = pause > policy.longest_delay / 2 ? policy.longest_delay : pause * 2;
        ++part->doublings;
    }
    if (policy.jitter > 0) {
        const double share = static_cast<double>(home_.random().below(1'000'001)) / 1e6;
        pause -= nanoseconds(static_cast<std::int64_t>(
            static_cast<double>(pause.count()) * std::min(policy.jitter, 1.0) * share));
    }
    return pause;
}

}  // namespace costar::machine
