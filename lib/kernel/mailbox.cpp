// SPDX-License-Identifier: MIT

#include <costar/kernel/mailbox.hpp>

#include <costar/core/timer.hpp>
#include <costar/kernel/extras.hpp>
#include <costar/kernel/message.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/outgoing.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace costar {

namespace {

/// Marks a parcel that brings an envelope with headers, or one whose sender waits for room.
constexpr message_type admission_type{};

/// What `parcel::body` holds then.
struct admission_body {
    std::uint64_t key;
    envelope* sent;
    std::uint64_t token;
    headers* with;
};
static_assert(sizeof(admission_body) <= sizeof(parcel::body));

/// How the giving up of such a message travels, behind it.
constexpr message_type withdrawal_type{};

struct withdrawal_body {
    std::uint64_t key;
    std::uint64_t token;
};

static_assert(sizeof(withdrawal_body) <= sizeof(parcel::body));

/// These are let in however full it is: a stop must not be refused. A pill stands behind who waits outside.
bool is_exempt(const mailbox_order& order, const envelope& sent) noexcept
{
    return sent.type == &type_of<poison_pill> || order.level_of(sent) == mailbox_order::control;
}

/// Requests that wait for room, and that nobody waits for any more.
void drop_expired(station& post, extras_part& more) noexcept
{
    while (!more.waiting.empty()) {
        const admission first = more.waiting.front();
        if (first.token != 0 || first.sent->deadline == 0 || first.sent->deadline > post.home().now())
            break;
        more.waiting.pop_front();
        more.forget(first.sent);
        first.sent->discard();
    }
}

/// Has it anything to do, or to wait for, beside messages? News of silence do not count for one that is to be
/// stopped when there is silence.
bool is_at_work(const cell& self, bool news_do_not_count) noexcept
{
    if (!news_do_not_count)
        return self.first != nullptr || self.wanted == nullptr;
    for (const envelope* each = self.first; each != nullptr; each = each->next)
        if (!each->type->leaves_idle)
            return true;
    return self.wanted == nullptr && (self.current != nullptr || self.first == nullptr);
}

}  // namespace

// Order
// ---------------------------------------------------------------------------------------------------------

std::uint8_t mailbox_order::level_of(const envelope& waiting) const noexcept
{
    if (waiting.type == &type_of<poison_pill>)
        return by_priority_ ? lowest : ordinary;
    if (waiting.type->level == nullptr)
        return ordinary;
    const std::uint8_t level = waiting.type->level(&waiting + 1);
    return by_priority_ || level == control ? level : ordinary;
}

/// The last message of this level, or of the next one above it that has some; null when there is none.
envelope* mailbox_order::last_from(unsigned level) const noexcept
{
    envelope* found = nullptr;
    for (; level <= control && found == nullptr; ++level)
        found = tails_[level];
    return found;
}

void mailbox_order::insert(cell& self, envelope* sent) noexcept
{
    const std::uint8_t level = level_of(*sent);
    has_come(*sent, level);
    link(self, sent, last_from(level));
    tails_[level] = sent;
}

void mailbox_order::insert_first(cell& self, envelope* sent) noexcept
{
    const std::uint8_t level = level_of(*sent);
    has_come(*sent, level);
    link(self, sent, last_from(level + 1U));
    if (tails_[level] == nullptr)
        tails_[level] = sent;
}

void mailbox_order::removed(cell& self, envelope* taken) noexcept
{
    const std::uint8_t level = level_of(*taken);
    has_gone(*taken, level);
    if (tails_[level] == taken)
        restore(self, level);
}

void mailbox_order::has_come(const envelope& sent, std::uint8_t level) noexcept
{
    silences_ += sent.type == &type_of<receive_timeout>;
    if (level != control)
        return;
    ++controls_;
    if (knows_news_)
        note_news(sent);
}

void mailbox_order::has_gone(const envelope& taken, std::uint8_t level) noexcept
{
    silences_ -= taken.type == &type_of<receive_timeout>;
    if (level != control)
        return;
    --controls_;
    if (!knows_news_)
        return;
    if (taken.type == &type_of<terminated>) {
        const auto known = news_.find(const_cast<envelope&>(taken).as<terminated>().who);
        if (known != news_.end() && --known->count == 0)
            news_.erase(known->who);
    }
    knows_news_ = controls_ != 0;
}

/// Looks for the last message of a level.
void mailbox_order::restore(cell& self, std::uint8_t level) noexcept
{
    tails_[level] = nullptr;
    if (!by_priority_ && level == ordinary) {
        if (self.first != nullptr && level_of(*self.last) == ordinary)
            tails_[level] = self.last;
        return;
    }
    for (envelope* each = self.first; each != nullptr && level_of(*each) >= level; each = each->next)
        if (level_of(*each) == level)
            tails_[level] = each;
}

void mailbox_order::begin(cell& self) noexcept
{
    controls_ = 0;
    silences_ = 0;
    knows_news_ = false;
    news_.clear();
    std::fill(std::begin(tails_), std::end(tails_), nullptr);
    envelope* left = std::exchange(self.first, nullptr);
    self.last = nullptr;
    while (envelope* each = left) {  // a plain mailbox may hold control messages between others
        left = each->next;
        insert(self, each);
    }
}

envelope* mailbox_order::take_oldest(cell& self) noexcept
{
    // By priority the list begins with the most urgent ones: of the least urgent the first is meant.
    for (unsigned level = lowest; level < control; ++level) {
        if (tails_[level] == nullptr)
            continue;
        envelope* before = last_from(level + 1);
        envelope* each = before == nullptr ? self.first : before->next;
        while ((each == due || is_exempt(*this, *each)) && each != tails_[level])
            before = std::exchange(each, each->next);
        if (each == due || is_exempt(*this, *each))
            continue;
        unlink(self, each, before);
        return each;
    }
    return nullptr;
}

bool mailbox_order::has_news_of(const cell& self, pid ended) noexcept
{
    constexpr std::uint32_t few = 16;
    if (!knows_news_ && controls_ > few)
        learn_news(self);
    if (knows_news_)
        return news_.contains(ended);
    std::uint32_t left = controls_;
    for (envelope* each = self.first; left != 0; each = each->next, --left)
        if (each->type == &type_of<terminated> && each->as<terminated>().who == ended)
            return true;
    return false;
}

void mailbox_order::learn_news(const cell& self) noexcept
{
    knows_news_ = true;
    std::uint32_t left = controls_;
    for (const envelope* each = self.first; left != 0 && knows_news_; each = each->next, --left)
        note_news(*each);
}

void mailbox_order::note_news(const envelope& sent) noexcept
{
    if (sent.type != &type_of<terminated>)
        return;
    const pid who = const_cast<envelope&>(sent).as<terminated>().who;
    try {
        if (!news_.insert({who, 1}))
            ++news_.find(who)->count;
    } catch (const std::bad_alloc&) {
        knows_news_ = false;  // they are looked for one by one
        news_.clear();
    }
}

void mailbox_order::forget(cell& self, pid ended) noexcept
{
    if (!has_news_of(self, ended))
        return;
    forget_if(
        self, [&](const envelope& waiting) { return level_of(waiting) == control; },
        [&](envelope& waiting) {
            return waiting.type == &type_of<terminated> && waiting.as<terminated>().who == ended;
        });
}

void mailbox_order::forget_silence(cell& self) noexcept
{
    forget_if(
        self, [&](const envelope&) { return silences_ != 0; },
        [](const envelope& waiting) { return waiting.type == &type_of<receive_timeout>; });
}

template <class Continues, class Predicate>
void mailbox_order::forget_if(cell& self, Continues&& goes_on, Predicate&& is_meant) noexcept
{
    envelope* before = nullptr;
    for (envelope* each = self.first; each != nullptr && goes_on(*each);) {
        envelope* const next = each->next;
        if (each != due && is_meant(*each)) {
            unlink(self, each, before);
            self.count_taken(*each);
            each->discard();
        } else {
            before = each;
        }
        each = next;
    }
}

/// Puts a message behind `before`, or first.
void mailbox_order::link(cell& self, envelope* sent, envelope* before) noexcept
{
    envelope*& link = before == nullptr ? self.first : before->next;
    sent->next = link;
    link = sent;
    if (sent->next == nullptr)
        self.last = sent;
}

/// Takes a message out that lies behind `before`, or first.
void mailbox_order::unlink(cell& self, envelope* taken, envelope* before) noexcept
{
    self.unlink(taken, before);
    const std::uint8_t level = level_of(*taken);
    has_gone(*taken, level);
    if (tails_[level] == taken)
        tails_[level] = before != nullptr && level_of(*before) == level ? before : nullptr;
}

// What comes
// ----------------------------------------------------------------------------------------------------------

void station::deliver_specially(cell& to, envelope* sent, bool is_borne) noexcept
{
    static_cast<void>(let_in(to, {sent, 0, is_borne}));
}

/// False when the mailbox is full; what becomes of the message then is settled.
bool station::let_in(cell& to, const admission& arrived) noexcept
{
    extras_part& more = *to.extras();
    if (more.is_intercepted && shared_.interceptor->take(*this, to, arrived.sent))
        return true;
    if (!more.waiting.empty() && arrived.sent->type == &type_of<poison_pill>) {
        if (!more.waiting.insert(arrived))
            arrived.sent->discard();  // one that nobody waits for stands there already
        return true;
    }
    // Who waits already comes first.
    const bool is_free = more.has_room(to.queued()) && more.waiting.empty();
    if (!is_free && !is_exempt(more.order, *arrived.sent)) {
        overflow_with(to, more, arrived);
        return false;
    }
    put(to, more, arrived.sent, arrived.is_borne);
    return true;
}

void station::put(cell& to, extras_part& more, envelope* sent, bool is_borne) noexcept
{
    more.order.insert(to, sent);
    home_.message_queued(to);
    if (is_borne) {
        sent->mark_borne();
        home_.message_borne(to);
    }
    const message_type& type = *sent->type;  // a request that closes a circle is taken back now
    has_come(to, more, sent);
    // Last: what middleware sends may drive the message out again.
    for (const auto& each : more.chain)
        each->posted(face_of(to), type.name(), to.queued());
}

/// Wakes the actor when it waits for this message, which stays where it is until the actor runs.
void station::has_come(cell& to, extras_part& more, const envelope* sent) noexcept
{
    const bool waits = to.wanted != nullptr;
    has_arrived(to, *sent);
    if (waits && to.wanted == nullptr)
        more.order.due = sent;
}

void station::overflow_with(cell& to, extras_part& more, const admission& arrived) noexcept
{
    const auto refuse = [&](envelope* refused, std::uint64_t token) {
        more.forget(refused);
        if (token != 0) {  // the sender is told, so nothing vanishes
            fail(token, errc::mailbox_full);
            refused->discard();
        } else {
            bury(refused, pid_of(to), errc::mailbox_full);
        }
    };
    const auto drop = [&](envelope* dropped) {
        more.forget(dropped);
        figures_.dropped.add(1);
        if (const std::uint64_t asked = std::exchange(dropped->reply, 0))
            fail(asked, errc::mailbox_full);
        dropped->discard();
    };
    switch (more.box.when_full) {
    case overflow::wait:
        // Some that nobody asks for have a token too: somebody counts them.
        if (arrived.token != 0 || (arrived.sent->reply != 0 && arrived.sent->type->reply != nullptr)) {
            drop_expired(*this, more);
            more.waiting.insert(arrived);
            if (to.wanted == nullptr && arrived.sent->sender && is_stuck(to))
                suspect_circle(to, arrived.token != 0 ? arrived.token : arrived.sent->reply,
                    arrived.token != 0 ? awaited_kind::room : awaited_kind::answer, arrived.sent->sender);
        } else
            refuse(arrived.sent, 0);
        break;
    case overflow::fail:
    case overflow::dead_letter:
        refuse(arrived.sent, arrived.token);
        break;
    case overflow::drop_newest:
        drop(arrived.sent);
        if (arrived.token != 0)
            answer(arrived.token, std::monostate{});
        break;
    case overflow::drop_oldest:
        if (envelope* oldest = more.order.take_oldest(to)) {
            to.count_taken(*oldest);
            drop(oldest);
        }
        put(to, more, arrived.sent, arrived.is_borne);
        if (arrived.token != 0)
            answer(arrived.token, std::monostate{});
        break;
    }
}

void station::admit(pid to, envelope* sent, std::uint64_t token, std::unique_ptr<headers> with)
{
    if (to.place() == place_ && is_to_be_born(to)) {
        goes_on_after_birth([this, to, token, held = held_envelope(sent), with = std::move(with)]() mutable {
            admit_here(to, {held.release(), token}, std::move(with));
        });
        return;
    }
    if (to.node() != node_ || to.strand() == strand_ || !is_known(to.strand())) {
        admit_here(to, {sent, token}, std::move(with));
        return;
    }
    parcel packed{};
    packed.to = nobodys_answer;
    packed.kind = &admission_type;
    ::new (packed.body) admission_body{to.key(), sent, token, with.release()};
    send_parcel(to.strand(), packed);
}

void station::admit_here(pid to, const admission& arrived, std::unique_ptr<headers> with) noexcept
{
    const auto refuse = [&](errc reason) {
        bury(arrived.sent, to, reason);
        if (arrived.token != 0)
            fail(arrived.token, reason);
    };
    cell* receiver = find(to);
    if (receiver == nullptr) {
        refuse(to && to.node() != node_ ? errc::not_local : errc::no_such_actor);
        return;
    }
    if (with != nullptr) {
        try {
            receiver->extras_made().with.emplace(arrived.sent, std::move(*with));
        } catch (const std::bad_alloc&) {
            refuse(errc::mailbox_full);
            return;
        }
    }
    bool is_in = true;
    if (receiver->has_extras)
        is_in = let_in(*receiver, arrived);
    else if (arrived.is_borne)
        deliver_borne(*receiver, arrived.sent);
    else
        deliver(*receiver, arrived.sent);
    if (is_in && arrived.token != 0)
        answer(arrived.token, std::monostate{});
}

/// An answer that nobody waits for, or what came with headers or waits for room.
void station::receive_unclaimed(parcel& arrived)
{
    if (arrived.kind == &withdrawal_type) {
        const auto* given_up = std::launder(reinterpret_cast<const withdrawal_body*>(arrived.body));
        withdraw_here(pid(place_, given_up->key), given_up->token);
        return;
    }
    if (arrived.kind != &admission_type) {
        figures_.late_replies.add(1);
        if (arrived.kind != &failure_type)
            unpack(arrived)->discard();
        return;
    }
    const auto* body = std::launder(reinterpret_cast<const admission_body*>(arrived.body));
    admit_here(pid(place_, body->key), {body->sent, body->token, true}, std::unique_ptr<headers>(body->with));
}

void station::discard(parcel& left) noexcept
{
    if (left.kind == &failure_type || left.kind == &withdrawal_type)
        return;
    if (left.kind == &admission_type) {
        const auto* body = std::launder(reinterpret_cast<const admission_body*>(left.body));
        body->sent->discard();
        delete body->with;
        return;
    }
    unpack(left)->discard();
}

void station::look_at_mailbox(pid target, std::uint64_t token)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.look_at_mailbox(target, token); }))
        return;
    const cell* found = find(target);
    if (found == nullptr) {
        fail(token, errc::no_such_actor);
        return;
    }
    mailbox_state seen{.queued = found->queued()};
    if (const extras_part* more = found->extras()) {
        seen.limit = more->box.limit;
        seen.when_full = more->box.when_full;
        seen.outside = more->waiting.size();
        seen.stashed = more->stashed;
    }
    answer(token, seen);
}

void station::withdraw(pid to, std::uint64_t token)
{
    if (token == 0)
        return;
    if (is_awaited_here(token) && to.node() == node_ && to.strand() != strand_ && is_known(to.strand())) {
        // The message may lie in the ring still, or wait in front of it, so this goes behind it.
        parcel packed{};
        packed.to = nobodys_answer;
        packed.kind = &withdrawal_type;
        ::new (packed.body) withdrawal_body{to.key(), token};
        send_parcel(to.strand(), packed);
        return;
    }
    if (!goes_on_at(to, [=](station& theirs) { theirs.withdraw_here(to, token); }))
        withdraw_here(to, token);
}

void station::withdraw_here(pid to, std::uint64_t token) noexcept
{
    cell* receiver = find(to);
    extras_part* more = receiver != nullptr ? receiver->extras() : nullptr;
    if (more == nullptr)
        return;
    const auto found = more->waiting.find(token);
    if (found == more->waiting.end())
        return;
    envelope* const given_up = found->sent;
    more->waiting.erase(token);
    more->forget(given_up);
    given_up->discard();
}

// What leaves
// ---------------------------------------------------------------------------------------------------------

pid station::send_specially(
    cell& from, pid to, envelope* sent, std::unique_ptr<headers> with, std::uint64_t token)
{
    home_.spend();
    outgoing leaving(to, *sent, with);
    // A pill is the runtime's own: no middleware may keep it back.
    if (extras_part* more = from.extras(); more != nullptr && sent->type != &type_of<poison_pill>) {
        try {
            for (const auto& each : more->chain)
                if (!each->sending(face_of(from), leaving)) {
                    bury(sent, leaving.to(), errc::cancelled);
                    if (token != 0)
                        fail(token, errc::cancelled);
                    return leaving.to();
                }
        } catch (...) {
            if (sent->sender == pid_of(from))
                sent->reply = 0;  // who asks hears of it by the exception
            bury(sent, leaving.to(), errc::actor_failed);
            throw;
        }
    }
    if (must_stay(leaving.to(), *sent)) {
        refuse_to_pass(leaving.to(), sent);
        if (token != 0)
            fail(token, errc::not_understood);
    } else if ((with != nullptr && !with->empty()) || token != 0)
        admit(leaving.to(), sent, token, std::move(with));
    else
        send(leaving.to(), sent);
    return leaving.to();
}

// What is taken
// -------------------------------------------------------------------------------------------------------

void station::has_taken(cell& self, envelope* taken) noexcept
{
    extras_part& more = *self.extras();
    more.order.removed(self, taken);
    more.order.due = nullptr;
    if (!more.waiting.empty())
        drop_expired(*this, more);
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
void station::pass_through(cell& self, message& taken, bool is_selective)
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
        shared_.interceptor->hand(*this, self, taken);
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

const headers& station::headers_of(const envelope& received) noexcept
{
    static const headers none;
    const extras_part* more = received.receiver().extras();
    if (more == nullptr)
        return none;
    const auto found = more->with.find(&received);
    return found == more->with.end() ? none : found->second;
}

void station::finish_long_way(envelope* done) noexcept
{
    station& post = of(done->receiver());
    post.finish_specially(*done, post.frame_has_failed_ || std::uncaught_exceptions() != 0);
}

void station::finish_specially(envelope& done, bool failed) noexcept
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
            done.type->answer_alone(*this, token, pid_of(self), done.body());
        } catch (...) {
            fail(token, errc::actor_failed);
        }
        done.discard();
        return;
    }
    end_message(self, done, reason);
}

void station::end_message(cell& self, envelope& done, errc reason) noexcept
{
    if (!done.is_handled() && !destroying_) {
        bury(&done, pid_of(self), reason);
        return;
    }
    if (const std::uint64_t token = std::exchange(done.reply, 0))
        fail(token, reason);
    done.discard();
}

// What an actor failed over
// -------------------------------------------------------------------------------------------------------

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

void extras_part::disarm_idle(strand_context& home) noexcept
{
    for (idle_timer* each : {idle.get(), passing.get()})
        if (each != nullptr) {
            home.disarm(*each);
            each->length = {};
        }
}

void station::forget_attempt(const envelope& gone) noexcept
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
void station::settle_failed(cell& self, extras_part& more, bool is_given_again) noexcept
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
void station::give_back_failed(cell& self, extras_part& more) noexcept
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
void station::drop_failed(cell& self, extras_part& more, errc reason) noexcept
{
    while (!more.asides.empty())
        for (const aside& each : more.take_aside()) {
            more.forget(each.which);
            end_message(self, *each.which, reason);
        }
}

void station::has_survived(cell& self) noexcept
{
    if (!self.extras()->asides.empty())
        home_.post([this, id = pid_of(self)] { look_for_survivor(id); });
}

/// Has the actor survived what failed, and waits for messages again?
void station::look_for_survivor(pid who) noexcept
{
    cell* self = find(who);
    extras_part* more = self != nullptr ? self->extras() : nullptr;
    if (more != nullptr && self->wanted != nullptr && !more->task_failed)
        drop_failed(*self, *more, errc::actor_failed);
}

void station::give_again(envelope& failed) noexcept
{
    cell& self = failed.receiver();
    finish_specially(failed, true);
    if (extras_part* more = self.extras())
        give_back_failed(self, *more);
}

// What is put aside
// --------------------------------------------------------------------------------------------------------

void station::stash(cell& self, message&& aside)
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

std::size_t station::unstash(cell& self, std::size_t count) noexcept
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

void station::bury_stash(cell& self, extras_part& more, errc reason) noexcept
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

// Silence
// -----------------------------------------------------------------------------------------------------------

void station::watch_idleness(cell& self, std::chrono::nanoseconds length, bool repeats, bool stops)
{
    extras_part& more = self.extras_made();
    std::unique_ptr<idle_timer>& made = stops ? more.passing : more.idle;
    if (made == nullptr) {
        made = std::make_unique<idle_timer>();
        made->owner = this;
        made->target = &self;
        made->fire = [](timer_node* timer) {
            auto& idle = *static_cast<idle_timer*>(timer);
            station& post = *idle.owner;
            cell& target = *idle.target;
            const bool is_busy = is_at_work(target, idle.stops);
            if (is_busy || idle.repeats)
                post.home_.arm(idle, deadline_after(post.home_.now(), idle.length));
            else
                idle.length = std::chrono::nanoseconds(0);
            if (is_busy)
                return;
            if (idle.stops)
                post.request_stop(target);
            else
                post.deliver(target, envelope::make(receive_timeout{}));
        };
    }
    home_.disarm(*made);
    made->length = length;
    made->repeats = repeats;
    made->stops = stops;
    arm_idle(made);
}

void station::arm_idle(const std::unique_ptr<idle_timer>& timer)
{
    if (timer != nullptr && timer->is_set())
        home_.arm(*timer, deadline_after(home_.time_for(timer->length), timer->length));
}

}  // namespace costar
