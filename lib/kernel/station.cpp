// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/kernel/spawned_child.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <functional>
#include <new>

namespace costar {

namespace {

/// Without the place in a header of Boost where the code was set, which is longer than all else.
std::string without_location(const boost::system::system_error& thrown)
{
    std::string text = thrown.what();
    const std::string code = "[" + thrown.code().to_string();
    if (const std::size_t begin = text.rfind(code + " at "); begin != std::string::npos)
        text.replace(begin + code.size(), std::string::npos, "]");
    return text;
}

}  // namespace

std::string text_of(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& thrown) {
        return without_location(thrown);
    } catch (const std::exception& thrown) {
        const char* text = thrown.what();
        return text != nullptr ? text : "an exception without a text";
    } catch (...) {
        return "an exception of unknown type";
    }
}

name_in_use::name_in_use(std::string_view name, pid holder)
    : error(errc::name_in_use, fmt::format("'{}' is the name of {}", name, holder)), holder_(holder)
{}

station::station(commons& shared, strand_context& home)
    : shared_(shared),
      home_(home),
      place_(pid::place_of(shared.node, static_cast<std::uint16_t>(home.index()))),
      node_(shared.node),
      strand_(static_cast<std::uint16_t>(home.index())),
      reply_place_(reply_flag | std::uint64_t{strand_} << (reply_slot_bits + reply_generation_bits))
{}

station::~station() = default;

// Cells
// ---------------------------------------------------------------------------------------------------------

station::place station::occupy(std::uint32_t slot)
{
    while (slot >= slots_) {  // others may have reserved the slots between
        chunks_.push_back(std::make_unique<chunk>());
        slots_ += chunk::cells;
    }
    chunk& part = *chunks_[slot / chunk::cells];
    const std::uint32_t generation = ++part.generations[slot % chunk::cells];
    return {part.memory + (slot % chunk::cells) * sizeof(cell), slot, generation};
}

station::place station::occupy_free()
{
    if (!free_slots_.empty()) {
        const std::uint32_t slot = free_slots_.back();
        free_slots_.pop_back();
        return occupy(slot);
    }
    if (fresh_slot_ == fresh_end_) {
        constexpr std::uint32_t block = 64;
        fresh_slot_ = next_slot_.fetch_add(block, std::memory_order_relaxed);
        fresh_end_ = fresh_slot_ + block;
    }
    const place found = occupy(fresh_slot_);
    ++fresh_slot_;
    return found;
}

pid station::reserve() noexcept
{
    {
        const std::lock_guard lock(vacancies_mutex_);
        if (!vacancies_.empty()) {
            const pid vacant = vacancies_.back();
            vacancies_.pop_back();
            return vacant;
        }
    }
    const std::uint32_t slot = next_slot_.fetch_add(1, std::memory_order_relaxed);
    return {shared_.node, static_cast<std::uint16_t>(home_.index()), slot, 1};
}

void station::give_back(pid reserved) noexcept
{
    try {
        const std::lock_guard lock(vacancies_mutex_);
        vacancies_.push_back(reserved);
    } catch (const std::bad_alloc&) {
        // The slot is not used again.
    }
}

station::place station::occupy_or_give_up(pid reserved, pid parent, registry::entry* name) noexcept
{
    try {
        return occupy(reserved.slot());
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
    retire(unborn);
    release(unborn);
}

/// From here on the pid is stale.
void station::retire(cell& ending) noexcept
{
    ++chunks_[ending.slot / chunk::cells]->generations[ending.slot % chunk::cells];
}

void station::release(cell& ended) noexcept
{
    const std::uint32_t slot = ended.slot;
    const pid next(node_, strand_, slot, ended.generation + 2);
    const bool from_afar = ended.from_afar;
    home_.forget(ended);
    shared_.faces->destroy(ended);
    if (next.generation() > shared_.last_generation)
        return;  // all pids of this slot are used up
    if (from_afar) {
        give_back(next);
        return;
    }
    try {
        free_slots_.push_back(slot);
    } catch (const std::bad_alloc&) {
        // It is not used again.
    }
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
    cell* family = parent ? find(parent.slot(), parent.generation()) : nullptr;
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
        elder = chunks_[first / chunk::cells]->at(first % chunk::cells);
        elder->previous_sibling = born.slot;
    }
    first = born.slot;
    return elder;
}

void station::leave_family(cell& ended) noexcept
{
    const auto at = [this](std::uint32_t slot) -> cell& {
        return *chunks_[slot / chunk::cells]->at(slot % chunk::cells);
    };
    if (ended.next_sibling != cell::nobody)
        at(ended.next_sibling).previous_sibling = ended.previous_sibling;
    if (ended.previous_sibling != cell::nobody)
        at(ended.previous_sibling).next_sibling = ended.next_sibling;
    else if (ended.parent == cell::nobody)
        first_root_ = ended.next_sibling;
    else if (ended.parent_strand == home_.index())
        at(ended.parent).first_child = ended.next_sibling;
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

void station::add_distant_child(cell& parent, pid child)
{
    rare_part& rare = parent.rare_part_made();
    rare.distant_children.insert(child);
    if (rare.of_children != nullptr)
        rare.births.insert(child);
}

void station::remove_distant_child(cell& parent, pid child) noexcept
{
    parent.rare()->distant_children.erase(child);
    parent.rare()->births.erase(child);
}

std::string station::name_of(const cell& self) const
{
    if (self.cold != nullptr && self.cold->name != nullptr)
        return std::string(registry::name_of(*self.cold->name));
    return fmt::format("${}-{}-{}", home_.index(), self.slot, self.generation);
}

pid station::parent_of(const cell& self) noexcept
{
    if (self.parent == cell::nobody)
        return {};
    const std::uint32_t generation = self.parent_strand != strand_
        ? self.cold->parent_generation
        : chunks_[self.parent / chunk::cells]->generations[self.parent % chunk::cells];
    return {node_, self.parent_strand, self.parent, generation};
}

/// False when middleware would not have it; that is a crash.
bool station::begin_body(cell& self, task<> body) noexcept
{
    if (self.has_extras) [[unlikely]] {
        try {
            for (const auto& each : self.extras()->chain)
                each->started(face_of(self));
        } catch (...) {
            could_not_begin(self, std::current_exception());
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

// Messages
// ------------------------------------------------------------------------------------------------------

void station::send_parcel(std::uint32_t strand, const parcel& packed)
{
    home_.send(shared_.stations[strand]->home(), packed);
}

void commons::check_way(pid to, const strand_context& home) const
{
    if (to.node() == node && to.strand() < stations.size() && &stations[to.strand()]->home() != &home)
        refuse_to_leave_strand();
}

bool station::must_stay(pid to, const envelope& sent) const noexcept
{
    return sent.type->is_strand_bound && to.node() == node_ && to.strand() != strand_ &&
        is_known(to.strand());
}

void station::refuse_to_pass(pid to, envelope* sent) noexcept
{
    log(log_level::warning,
        fmt::format(
            "a message of type {} belongs to its strand and is not passed on to {}", sent->type->name(), to));
    bury(sent, to, errc::not_understood);
}

void station::pass_away(pid to, envelope* sent)
{
    if (must_stay(to, *sent))
        refuse_to_pass(to, sent);
    else
        send_away(to, sent);
}

/// To another strand, or to nobody.
void station::send_away(pid to, envelope* sent)
{
    if (to.node() != node_ || !is_known(to.strand()))
        bury(sent, to, to && to.node() != node_ ? errc::not_local : errc::no_such_actor);
    else if (to.strand() != strand_)
        send_parcel(to.strand(), pack(to.key(), sent));
    else if (is_to_be_born(to))
        goes_on_after_birth([this, to, held = held_envelope(sent)]() mutable { send(to, held.release()); });
    else
        bury(sent, to, errc::no_such_actor);
}

bool station::is_to_be_born(pid where) const noexcept
{
    const std::uint32_t slot = where.slot();
    if (are_births_over_ || where.generation() % 2 == 0 || slot >= next_slot_.load(std::memory_order_relaxed))
        return false;
    return slot >= slots_ ||
        chunks_[slot / chunk::cells]->generations[slot % chunk::cells] < where.generation();
}

namespace {

/// The message of a dead letter. One that belongs to its strand, or may hold what does because it cannot be
/// copied, is destroyed there.
std::shared_ptr<const lost_message> kept_of(envelope& lost) noexcept
{
    if (lost.type->copy == nullptr || lost.type->is_strand_bound)
        return nullptr;
    try {
        return std::make_shared<const lost_message>(*lost.type, lost.body());
    } catch (...) {
        return nullptr;
    }
}

}  // namespace

void station::tell_of_dead_letter(envelope& lost, pid to, errc reason)
{
    shared_.letters.note(home_.now(), [&] {
        return fmt::format("dead letter {} to {} from {}: {}", lost.type->name(), to,
            lost.sender ? lost.sender.to_string() : "outside", make_error_code(reason).message());
    });
    // That the news of a dead letter is one itself is not told: its receiver would be told without end.
    if (shared_.events.has_subscribers<dead_letter>() && lost.type != &type_of<dead_letter>)
        shared_.events.publish(dead_letter{to, lost.sender, reason, lost.type->name(), kept_of(lost)});
}

void station::bury(envelope* lost, pid to, errc reason) noexcept
{
    if (!destroying_) {
        figures_.dead_letters.add(1);
        try {
            tell_of_dead_letter(*lost, to, reason);
        } catch (const std::bad_alloc&) {
            // It is counted.
        }
    }
    if (const std::uint64_t token = std::exchange(lost->reply, 0))
        fail(token, reason);
    lost->discard();
}

void station::receive(parcel& arrived)
{
    if ((arrived.to & reply_flag) == 0) {
        const auto slot = static_cast<std::uint32_t>(arrived.to);
        const auto generation = static_cast<std::uint32_t>(arrived.to >> 32);
        envelope* sent = unpack(arrived);
        if (cell* receiver = find(slot, generation)) [[likely]] {
            deliver_borne(*receiver, sent);
        } else
            bury(sent, {shared_.node, static_cast<std::uint16_t>(home_.index()), slot, generation},
                errc::no_such_actor);
        return;
    }
    reply_waiter* waiter = claim(arrived.to, false);
    if (waiter == nullptr) [[unlikely]] {
        receive_unclaimed(arrived);
        return;
    }
    if (arrived.kind == &failure_type) {
        errc reason{};
        std::memcpy(&reason, arrived.body, sizeof reason);
        waiter->fail(reason);
        return;
    }
    envelope* answer = unpack(arrived);
    waiter->take(answer->type, answer->body());
    answer->discard();
}

// Answers
// -------------------------------------------------------------------------------------------------------

std::uint64_t station::expect_in_new_place(reply_waiter& waiter)
{
    free_reply_ = static_cast<std::uint32_t>(replies_.size());
    try {
        replies_.emplace_back().next_free = cell::nobody;
    } catch (...) {
        free_reply_ = cell::nobody;
        throw;
    }
    return expect(waiter);
}

void station::pass_on(std::uint64_t token, const message_type& type, void* value) noexcept
{
    if (is_awaited_here(token)) {
        if (reply_waiter* waiter = claim(token))
            waiter->take(&type, value);
        return;
    }
    if (type.is_strand_bound) {
        fail(token, errc::wrong_reply);
        return;
    }
    try {
        send_parcel(strand_of(token), pack(token, move_into_envelope(type, value).release()));
    } catch (...) {
        fail(token, errc::wrong_reply);  // it cannot be moved, and so is none
    }
}

void station::fail(std::uint64_t token, errc reason) noexcept
{
    if (destroying_)
        return;  // whoever waits is destroyed too, or has been
    if (is_awaited_here(token)) {
        if (reply_waiter* waiter = claim(token))
            waiter->fail(reason);
        return;
    }
    parcel packed{};
    packed.to = token;
    packed.kind = &failure_type;
    std::memcpy(packed.body, &reason, sizeof reason);
    send_parcel(strand_of(token), packed);
}

// Ends
// ----------------------------------------------------------------------------------------------------------

void station::stop(pid target, std::uint64_t token)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.stop(target, token); }))
        return;
    if (cell* found = find_or_answer(target, token))
        request_stop(*found);
}

void station::await_end(pid target, std::uint64_t token, pid asker)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.await_end(target, token, asker); }))
        return;
    cell* found = find_or_answer(target, token);
    if (found != nullptr && asker && found->wanted == nullptr && is_stuck(*found))
        suspect_circle(*found, token, awaited_kind::end, asker);
}

void station::forget_end(pid target, std::uint64_t token)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.forget_end(target, token); }))
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
        answer(token, std::monostate{});
        return nullptr;
    }
    found->rare_part_made().end_waiters.insert(token);
    return found;
}

void station::request_stop(cell& target) noexcept
{
    if (target.stop_requested)
        return;
    target.stop_requested = true;
    const bool is_pausing = target.state == life::restarting;
    if (is_pausing || (target.state == life::closing && target.begin_again)) {
        if (rare_part* rare = target.rare(); is_pausing && rare != nullptr && rare->pause != nullptr)
            home_.disarm(*rare->pause);
        target.state = life::closing;
        target.begin_again = false;
        target.failed = false;  // it would have gone on; the stop ends it
        close_family(target);   // children that were to be kept
        if (is_pausing)
            queue_reap(target);
        return;
    }
    end_wait(target);
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
        cell& child = *chunks_[slot / chunk::cells]->at(slot % chunk::cells);
        slot = child.next_sibling;
        request_stop(child);
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
        could_not_begin(self, std::current_exception());
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

void station::drop_mailbox(cell& self, errc reason) noexcept
{
    const pid id = pid_of(self);
    while (envelope* left = self.first) {
        self.first = left->next;
        drop_unhandled(left, id, reason);
    }
    self.last = nullptr;
    if (extras_part* more = self.extras())
        bury_stash(self, *more, reason);
}

/// What an actor leaves behind that ends.
void station::drop_unhandled(envelope* left, pid id, errc reason) noexcept
{
    if (left->type == &type_of<poison_pill>) {
        if (const std::uint64_t token = std::exchange(left->reply, 0))
            answer(token, std::monostate{});
        left->discard();
    } else if (left->type == &type_of<terminated> || left->type == &type_of<receive_timeout>) {
        left->discard();  // it was meant for this actor alone, and from nobody
    } else {
        bury(left, id, reason);
    }
}

void station::terminate(cell& self) noexcept
{
    const pid id = pid_of(self);
    if (self.cold != nullptr || self.first != nullptr || shared_.events.has_subscribers())
        tell_of_end(self, id);
    else
        retire(self);
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
            theirs.home_.post([&theirs, parent, id] { theirs.child_ended(parent, id); });
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
    retire(self);
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

void station::child_ended(std::uint32_t parent_slot, pid child) noexcept
{
    cell& parent = *chunks_[parent_slot / chunk::cells]->at(parent_slot % chunk::cells);
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

parcel_receiver::run_identity station::identify(root_scope& root) noexcept
{
    if (!root.is_actor())
        return {};
    const auto& self = static_cast<cell&>(root);
    const bool takes_message = self.is_receptive() && self.first != nullptr;
    return {pid_of(self).key(), takes_message ? self.first->type : nullptr};
}

bool station::is_mailbox(const run_node& node, const root_scope& root) const noexcept
{
    // Of a root that is no cell only the address is formed, and no node lies there.
    return root.is_receptive() && static_cast<const run_node*>(static_cast<const cell*>(&root)) == &node;
}

void station::report_hog(run_identity who, std::chrono::nanoseconds spent) noexcept
{
    const pid id(place_, who.who);
    const cell* self = find(id);
    const auto* type = static_cast<const message_type*>(who.why);
    strand_hogged event{id, self != nullptr ? name_of(*self) : std::string(),
        type != nullptr ? type->name() : std::string(), spent};
    log(log_level::warning,
        fmt::format("strand {} was kept for {} ms by {}{}{}", strand_,
            std::chrono::duration_cast<std::chrono::milliseconds>(spent).count(),
            who.who == 0             ? "a task or handler"
                : event.name.empty() ? "an actor that has ended"
                                     : event.name,
            type != nullptr ? ", with a " : "", event.type));
    shared_.events.publish(event);
}

station_figures station::figures() const noexcept
{
    return {.live = figures_.live.value(),
        .spawned = figures_.spawned.value(),
        .restarts = figures_.restarts.value(),
        .dead_letters = figures_.dead_letters.value(),
        .late_replies = figures_.late_replies.value(),
        .dropped = figures_.dropped.value()};
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
        cell& root = *chunks_[slot / chunk::cells]->at(slot % chunk::cells);
        slot = root.next_sibling;
        request_stop(root);
    }
}

template <class Visitor>
void station::for_each_cell(Visitor&& visit) const
{
    for (const auto& part : chunks_) {
        for (std::size_t i = 0; i < chunk::cells; ++i)
            if (part->generations[i] % 2 == 1)
                visit(*part->at(i));
    }
}

std::vector<std::string> station::living_names() const
{
    std::vector<std::string> all;
    for_each_cell([&](cell& each) { all.push_back(name_of(each)); });
    return all;
}

/// Who of an actor's family is waited for, the first few by their pids.
std::string station::family_of(cell& self) const
{
    constexpr std::size_t named = 4;
    const std::vector<pid> all = children_of(self);
    std::string text;
    for (std::size_t i = 0; i < std::min(all.size(), named); ++i)
        text += fmt::format("{}{}", i == 0 ? ", waits for its children to end: " : ", ", all[i]);
    if (all.size() > named)
        text += fmt::format(" and {} more", all.size() - named);
    return text;
}

std::vector<std::string> station::dump() const
{
    std::vector<std::string> lines;
    for_each_cell([&](cell& each) {
        std::string line = fmt::format("{} {} ({}), {} queued", pid_of(each), name_of(each),
            each.kind != nullptr ? demangled(*each.kind->info) : "being born", each.queued());
        if (each.state == life::closing)
            line += ", is ending" + (keeps_children(each) ? std::string() : family_of(each));
        else if (each.state == life::restarting)
            line += ", waits to be begun anew";
        else if (each.wanted == &any_type && !each.receives_in_branch)
            line += ", waits for a message";
        else if (each.wanted != nullptr && !each.receives_in_branch)
            line += ", waits for a message of type " + each.wanted->name();
        each.for_each_waiting([&](const cancel_hook& hook) {
            const scope* inner = hook.inside();
            if (inner == nullptr || !inner->has_ended())
                line += (inner != nullptr && inner->is_apart() ? ", a task waits for " : ", waits for ") +
                    hook.describe();
            if (hook.request().kind == awaited_kind::children)
                line += family_of(each);
        });
        if (each.waiter != nullptr && each.body && each.state == life::running)
            line += fmt::format(
                ", from {}:{}", each.body.promise().where().file_name(), each.body.promise().where().line());
        lines.push_back(std::move(line));
    });
    return lines;
}

void station::destroy_all() noexcept
{
    destroying_ = true;
    all_stopped_ = nullptr;
    for_each_cell([&](cell& each) {
        if (rare_part* rare = each.rare(); rare != nullptr && rare->pause != nullptr)
            home_.disarm(*rare->pause);
        while (each.cold != nullptr && each.cold->tasks != nullptr)
            each.cold->tasks->destroy();
        if (each.body)
            std::exchange(each.body, nullptr).destroy();
    });
    for_each_cell([&](cell& each) {
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
        retire(each);
        release(each);
    });
}

}  // namespace costar
