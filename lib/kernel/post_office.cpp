// SPDX-License-Identifier: MIT

#include <costar/kernel/post_office.hpp>

#include <costar/core/log.hpp>
#include <costar/kernel/gateway.hpp>
#include <costar/kernel/station.hpp>

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace costar::machine {

post_office::post_office(commons& shared, strand_context& home) noexcept
    : shared_(shared),
      home_(home),
      place_(pid::place_of(shared.node, static_cast<std::uint16_t>(home.index()))),
      node_(shared.node),
      strand_(static_cast<std::uint16_t>(home.index())),
      cells_(node_, strand_),
      replies_(strand_)
{}

post_office::~post_office() = default;

void post_office::send_parcel(std::uint32_t strand, const parcel& packed)
{
    home_.send(shared_.stations[strand]->home(), packed);
}

bool post_office::must_stay(pid to, const envelope& sent) const noexcept
{
    return sent.type->is_strand_bound && to.node() == node_ && to.strand() != strand_ &&
        is_known(to.strand());
}

void post_office::refuse_to_pass(pid to, envelope* sent) noexcept
{
    log(log_level::warning,
        fmt::format(
            "a message of type {} belongs to its strand and is not passed on to {}", sent->type->name(), to));
    bury(sent, to, errc::not_understood);
}

void post_office::pass_away(pid to, envelope* sent)
{
    if (must_stay(to, *sent))
        refuse_to_pass(to, sent);
    else
        send_away(to, sent);
}

/// To another strand, or to nobody.
void post_office::send_away(pid to, envelope* sent)
{
    if (to.node() != node_)
        send_abroad(to, sent, 0, nullptr);
    else if (!is_known(to.strand()))
        bury(sent, to, errc::no_such_actor);
    else if (to.strand() != strand_)
        send_parcel(to.strand(), pack(to.key(), sent));
    else if (is_to_be_born(to))
        goes_on_after_birth([this, to, held = held_envelope(sent)]() mutable { send(to, held.release()); });
    else
        bury(sent, to, errc::no_such_actor);
}

/// To another node, or to nobody.
void post_office::send_abroad(pid to, envelope* sent, std::uint64_t token, std::unique_ptr<headers> with)
{
    gateway* const way = to ? shared_.way_out.load(std::memory_order_acquire) : nullptr;
    if (way != nullptr) {
        way->send(*this, {to, held_envelope(sent), std::move(with), token});
        return;
    }
    const errc reason = to ? errc::not_local : errc::no_such_actor;
    bury(sent, to, reason);
    if (token != 0)
        fail(token, reason);
}

bool post_office::goes_abroad(const outbound_signal& news)
{
    if (news.to.node() == node_ || !news.to) [[likely]]
        return false;
    gateway* const way = shared_.way_out.load(std::memory_order_acquire);
    if (way != nullptr)
        way->signal(*this, news);
    return way != nullptr;
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

void post_office::tell_of_dead_letter(envelope& lost, pid to, errc reason)
{
    shared_.letters.note(home_.now(), [&] {
        return fmt::format("dead letter {} to {} from {}: {}", lost.type->name(), shared_.names.told(to),
            lost.sender ? shared_.names.told(lost.sender) : "outside", make_error_code(reason).message());
    });
    // That the news of a dead letter is one itself is not told: its receiver would be told without end.
    if (shared_.events.has_subscribers<dead_letter>() && lost.type != &type_of<dead_letter>)
        shared_.events.publish(dead_letter{to, lost.sender, reason, lost.type->name(), kept_of(lost)});
}

void post_office::bury(envelope* lost, pid to, errc reason) noexcept
{
    if (lost->type->bury != nullptr) [[unlikely]] {
        if (!destroying_)
            reason = lost->type->bury(*this, lost->body(), reason);
    } else if (!destroying_) {
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

/// Small messages whose memory lies ready take a way without any call.
void post_office::receive(parcel& arrived)
{
    if (reply_table::is_token(arrived.to)) {
        receive_answer(arrived);
        return;
    }
    void* memory = is_boxed(arrived) ? nullptr : home_.arena().allocate_if_ready(small_envelope_bytes);
    if (memory == nullptr) {
        receive_message(arrived);
        return;
    }
    deliver_borne(arrived.to, unpack_at(memory, arrived, envelope::borne_mark));
}

/// As `receive`, of messages of any kind.
void post_office::receive_message(parcel& arrived)
{
    envelope* sent = unpack(arrived);
    sent->mark_borne();
    deliver_borne(arrived.to, sent);
}

inline void post_office::deliver_borne(std::uint64_t key, envelope* sent) noexcept
{
    if (cell* receiver = cells_.find(static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)))
        [[likely]]
        deliver_borne(*receiver, sent);
    else
        bury_borne(sent, key);
}

/// What another strand or thread has sent to an actor that is gone.
void post_office::bury_borne(envelope* sent, std::uint64_t key) noexcept
{
    sent->unmark_borne();
    bury(sent, {place_, key}, errc::no_such_actor);
}

void post_office::receive_answer(parcel& arrived)
{
    reply_waiter* waiter = replies_.claim(arrived.to);
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

void post_office::pass_on(std::uint64_t token, const message_type& type, void* value) noexcept
{
    if (replies_.is_own(token)) {
        if (reply_waiter* waiter = claim(token))
            waiter->take(&type, value);
        return;
    }
    if (type.is_strand_bound) {
        fail(token, errc::wrong_reply);
        return;
    }
    try {
        send_parcel(reply_table::strand_of(token), pack(token, move_into_envelope(type, value).release()));
    } catch (...) {
        fail(token, errc::wrong_reply);  // it cannot be moved, and so is none
    }
}

void post_office::fail(std::uint64_t token, errc reason) noexcept
{
    if (destroying_)
        return;  // whoever waits is destroyed too, or has been
    if (replies_.is_own(token)) {
        if (reply_waiter* waiter = claim(token))
            waiter->fail(reason);
        return;
    }
    parcel packed{};
    packed.to = token;
    packed.kind = &failure_type;
    std::memcpy(packed.body, &reason, sizeof reason);
    send_parcel(reply_table::strand_of(token), packed);
}

void post_office::drop_mailbox(cell& self, errc reason) noexcept
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
void post_office::drop_unhandled(envelope* left, pid id, errc reason) noexcept
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

}  // namespace costar::machine
