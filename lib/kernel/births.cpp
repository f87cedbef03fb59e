// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/core/log.hpp>

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace costar::machine {

station::place station::occupy_or_give_up(pid reserved, pid parent, registry::entry* name) noexcept
{
    try {
        return cells_.occupy(reserved.slot());
    } catch (const std::bad_alloc&) {
        // The pid is not given back: what is under way to it is not meant for another one.
        const std::string text = name != nullptr ? std::string(registry::name_of(*name)) : std::string();
        if (name != nullptr)
            shared_.names.erase(*name);
        log(log_level::error, fmt::format("no memory for actor {} {}", reserved, text));
        if (shared_.events.has_subscribers())
            shared_.events.publish(actor_stopped{reserved, text, errc::actor_failed, home_.read_wall()});
        if (parent)
            goes_on_at(parent, [=](station& theirs) {
                if (theirs.find(parent) != nullptr)
                    theirs.child_ended(parent.slot(), reserved);
            });
        return {};
    }
}

void station::close(cell& unborn) noexcept
{
    if (unborn.cold != nullptr && unborn.cold->name != nullptr)
        shared_.names.erase(*unborn.cold->name);
    cells_.retire(unborn);
    release(unborn);
}

/// Answers the sibling that was born before, null when there is none on this strand.
cell* station::join_family(cell& born, pid parent) noexcept
{
    born.parent = parent ? parent.slot() : cell::nobody;
    born.parent_strand = parent.strand();
    if (parent && parent.strand() != strand_) {
        born.cold_part_made().parent_generation = parent.generation();
        return nullptr;  // the parent keeps a list of its own
    }
    cell* family = parent ? cells_.find(parent.slot(), parent.generation()) : nullptr;
    if (family != nullptr && family->rare() != nullptr && family->rare()->of_children != nullptr)
        family->rare()->births.insert(pid_of(born));
    cell* elder = become_sibling(born, family != nullptr ? family->first_child : first_root_);
    return family != nullptr ? elder : nullptr;
}

[[gnu::always_inline]] inline cell* station::become_sibling(cell& born, std::uint32_t& first) noexcept
{
    born.next_sibling = first;
    cell* elder = nullptr;
    if (first != cell::nobody) {
        elder = &cells_.at(first);
        elder->previous_sibling = born.slot;
    }
    first = born.slot;
    return elder;
}

void station::set_middleware(cell& born, const std::vector<std::shared_ptr<middleware>>& chain)
{
    born.extras_made().chain = chain;
}

void station::set_mailbox(cell& born, const mailbox_options& box, const failing_message& failing)
{
    auto made = std::make_unique<extras_part>(box);
    made->failing = failing;
    made->keeps_failing = failing.redeliveries != 0 || failing.becomes_dead_letter;
    const bool is_needed = made->is_needed();
    born.rare_part_made().extras = std::move(made);
    born.has_extras = is_needed;
}

void station::set_name(cell& born, registry::entry* name)
{
    try {
        born.cold_part_made().name = name;
    } catch (...) {
        shared_.names.erase(*name);
        throw;
    }
}

registry::entry* station::claim_name(
    std::string_view name, pid owner, const std::function<void(registry::entry&)>& first)
{
    const registry::outcome outcome = shared_.names.insert(name, owner, first);
    if (outcome.made != nullptr)
        return outcome.made;
    shared_.events.publish(duplicate_name{outcome.holder, std::string(name)});
    throw name_in_use(name, outcome.holder);
}

/// False when middleware would not have it; that is a crash.
bool station::begin_body(cell& self, task<> body) noexcept
{
    if (self.has_extras) [[unlikely]] {
        try {
            for (const auto& each : self.extras()->chain)
                each->started(face_of(self));
        } catch (...) {
            could_not_begin(self, caught_exception());
            return false;
        }
    }
    start_body(self, std::move(body));
    return true;
}

[[gnu::always_inline]] inline void station::start_body(cell& self, task<> body) noexcept
{
    body.promise().start_under(self, *this);
    self.waiter = &body.promise();
    self.body = body.release().promise().handle();
    self.state = life::running;
    self.failed = false;
}

void station::begin(cell& born, pid parent, task<> body, const actor_kind& kind)
{
    // Most actors are born to plain parents while nobody looks on; nothing is called for them here.
    cell* family = find(parent);
    if (family == nullptr || family->rare() != nullptr || born.has_extras || is_looked_at()) [[unlikely]] {
        begin_specially(born, parent, std::move(body), kind);
        return;
    }
    born.kind = &kind;
    born.parent = parent.slot();
    born.parent_strand = strand_;
    cell* elder = become_sibling(born, family->first_child);
    figures_.live.add(1);
    figures_.spawned.add(1);
    start_body(born, std::move(body));
    queue_birth(born, elder);
}

/// Is the engine closing, or does somebody want to know of births and ends?
bool station::is_looked_at() const noexcept
{
    return shared_.interceptor != nullptr || shared_.events.has_subscribers() ||
        shared_.closing.load(std::memory_order_relaxed);
}

[[gnu::noinline]] void station::begin_specially(cell& born, pid parent, task<> body, const actor_kind& kind)
{
    born.kind = &kind;
    if (shared_.interceptor != nullptr)
        born.extras_made().is_intercepted = true;
    cell* elder = join_family(born, parent);
    figures_.live.add(1);
    figures_.spawned.add(1);
    if (shared_.events.has_subscribers<actor_initialized>())
        shared_.events.publish(actor_initialized{pid_of(born), name_of(born), home_.read_wall()});
    if (begin_body(born, std::move(body))) {
        queue_birth(born, elder);
        if (shared_.events.has_subscribers<actor_started>())
            shared_.events.publish(actor_started{pid_of(born), name_of(born), home_.read_wall()});
    }
    if (shared_.closing.load(std::memory_order_relaxed)) [[unlikely]]
        request_stop(born);  // it was under way from another strand when the shutdown began
}

void station::begin_failed(
    cell& born, pid parent, const actor_kind& kind, std::exception_ptr failure) noexcept
{
    born.kind = &kind;
    join_family(born, parent);
    figures_.live.add(1);
    figures_.spawned.add(1);
    born.state = life::closing;
    crashed(born, failure);
    close_family(born);
    queue_reap(born);
}

void station::restart(cell& self) noexcept
{
    self.state = life::running;  // a stop from here on is one like any other
    self.reset_cancelled();
    self.was_told_end = false;
    if (rare_part* rare = self.rare())
        rare->ends_children = false;
    ++self.cold->restart_count;
    figures_.restarts.add(1);
    try {
        if (supervision_part* part = self.supervision())
            part->began = home_.now();
        if (extras_part* more = self.extras()) {
            more->task_failed = false;
            give_back_failed(self, *more);
            more->order.forget_silence(self);
        }
        unstash(self, SIZE_MAX);
        if (rare_part* rare = self.rare(); rare != nullptr && rare->failure) {  // it came in the pause
            could_not_begin(self, std::exchange(rare->failure, nullptr));
            return;
        }
        if (begin_body(self, self.cold->again->begin(self)))
            home_.make_ready(self);
    } catch (...) {
        could_not_begin(self, caught_exception());
    }
}

/// The end, or the next attempt, comes in a later step: endless attempts must leave others their time.
void station::could_not_begin(cell& self, const std::exception_ptr& failure) noexcept
{
    self.state = life::closing;
    crashed(self, failure);
    if (rare_part* rare = self.rare()) {  // of the life that did not begin
        rare->failure = nullptr;
        rare->restart_asked = false;
    }
    close_family(self);  // what middleware has spawned
    home_.post([this, id = pid_of(self)] {
        cell* found = find(id);
        if (found != nullptr && found->state == life::closing && !found->body)
            queue_reap(*found);
    });
}

}  // namespace costar::machine
