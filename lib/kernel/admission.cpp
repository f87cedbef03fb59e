// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/kernel/gateway.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/post/outgoing.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace costar::machine {

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

}  // namespace

void extras_part::drop_expired(std::uint64_t now) noexcept
{
    while (!waiting.empty()) {
        const admission first = waiting.front();
        if (first.token != 0 || first.sent->deadline == 0 || first.sent->deadline > now)
            break;
        waiting.pop_front();
        forget(first.sent);
        first.sent->discard();
    }
}

void post_office::deliver_specially(cell& to, envelope* sent, bool is_borne) noexcept
{
    static_cast<void>(let_in(to, {sent, 0, is_borne}));
}

/// False when the mailbox is full; what becomes of the message then is settled.
bool post_office::let_in(cell& to, const admission& arrived) noexcept
{
    extras_part& more = *to.extras();
    if (more.is_intercepted && shared_.interceptor->take(whole(), to, arrived.sent))
        return true;
    if (!more.waiting.empty() && arrived.sent->type == &type_of<poison_pill>) {
        if (!more.waiting.insert(arrived))
            arrived.sent->discard();  // one that nobody waits for stands there already
        return true;
    }
    // Who waits already comes first.
    const bool is_free = more.has_room(to.queued()) && more.waiting.empty();
    if (!is_free && !more.order.is_exempt(*arrived.sent)) {
        overflow_with(to, more, arrived);
        return false;
    }
    put(to, more, arrived.sent, arrived.is_borne);
    return true;
}

void post_office::put(cell& to, extras_part& more, envelope* sent, bool is_borne) noexcept
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
void post_office::has_come(cell& to, extras_part& more, const envelope* sent) noexcept
{
    const bool waits = to.wanted != nullptr;
    has_arrived(to, *sent);
    if (waits && to.wanted == nullptr)
        more.order.due = sent;
}

void post_office::overflow_with(cell& to, extras_part& more, const admission& arrived) noexcept
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
            more.drop_expired(home_.now());
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

void post_office::admit(
    pid to, envelope* sent, std::uint64_t token, std::unique_ptr<headers> with, bool is_borne)
{
    if (to.place() == place_ && is_to_be_born(to)) {
        goes_on_after_birth([this, to, token, held = held_envelope(sent), with = std::move(with)]() mutable {
            admit_here(to, {held.release(), token}, std::move(with));
        });
        return;
    }
    if (to.node() != node_) {
        send_abroad(to, sent, token, std::move(with));
        return;
    }
    if (to.strand() == strand_ || !is_known(to.strand())) {
        admit_here(to, {sent, token, is_borne}, std::move(with));
        return;
    }
    parcel packed{};
    packed.to = reply_table::nobodys;
    packed.kind = &admission_type;
    ::new (packed.body) admission_body{to.key(), sent, token, with.release()};
    send_parcel(to.strand(), packed);
}

void post_office::admit_here(pid to, const admission& arrived, std::unique_ptr<headers> with) noexcept
{
    const auto refuse = [&](errc reason) {
        bury(arrived.sent, to, reason);
        if (arrived.token != 0)
            fail(arrived.token, reason);
    };
    cell* receiver = find(to);
    if (receiver == nullptr) {
        refuse(errc::no_such_actor);
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
    if (receiver->has_extras) {
        is_in = let_in(*receiver, arrived);
    } else if (arrived.is_borne) {
        arrived.sent->mark_borne();
        deliver_borne(*receiver, arrived.sent);
    } else {
        deliver(*receiver, arrived.sent);
    }
    if (is_in && arrived.token != 0)
        answer(arrived.token, std::monostate{});
}

/// An answer that nobody waits for, or what came with headers or waits for room.
void post_office::receive_unclaimed(parcel& arrived)
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

void post_office::discard(parcel& left) noexcept
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

void post_office::look_at_mailbox(pid target, std::uint64_t token)
{
    if (goes_on_at(target, [=](station& theirs) { theirs.look_at_mailbox(target, token); }))
        return;
    const cell* found = find(target);
    if (found == nullptr) {
        fail(token, is_elsewhere(target) ? errc::not_local : errc::no_such_actor);
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

void post_office::withdraw(pid to, std::uint64_t token)
{
    if (token == 0)
        return;
    if (to.node() != node_) {
        if (gateway* const way = to ? shared_.way_out.load(std::memory_order_acquire) : nullptr)
            way->withdraw(*this, to, token);
        return;
    }
    if (replies_.is_own(token) && to.strand() != strand_ && is_known(to.strand())) {
        // The message may lie in the ring still, or wait in front of it, so this goes behind it.
        parcel packed{};
        packed.to = reply_table::nobodys;
        packed.kind = &withdrawal_type;
        ::new (packed.body) withdrawal_body{to.key(), token};
        send_parcel(to.strand(), packed);
        return;
    }
    if (!goes_on_at(to, [=](station& theirs) { theirs.withdraw_here(to, token); }))
        withdraw_here(to, token);
}

void post_office::withdraw_here(pid to, std::uint64_t token) noexcept
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

pid post_office::send_specially(
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

}  // namespace costar::machine
