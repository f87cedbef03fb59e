// SPDX-License-Identifier: MIT

// What a link takes from its peer, which may lie.

#include "link.hpp"

#include <costar/core/log.hpp>
#include <costar/kernel/station.hpp>
#include <costar/wire/flat_message.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace costar::remote {

void link::deliver(schema::Batch::Reader batch)
{
    const auto named = batch.getPids();
    const auto letters = batch.getEnvelopes();
    const auto signals = batch.getSignals();
    if (named.size() > batch_max || letters.size() > batch_max || signals.size() > batch_max)
        KJ_FAIL_REQUIRE("a batch is larger than any node makes one");
    std::vector<pid> pids;
    pids.reserve(named.size());
    for (const auto each : named) {
        pids.push_back(pids_.read(each));
        post().prefetch(pids.back());
    }
    constexpr unsigned lead = 4;
    const auto at = [&](std::uint32_t place) {
        return place == 0 || place > pids.size() ? pid() : pids[place - 1];
    };
    for (unsigned i = 0; i < letters.size(); ++i) {
        const auto each = letters[i];
        if (i + lead < letters.size())
            post().prefetch_waiter(at(letters[i + lead].getTarget()));
        if (each.getAnswers() != 0)
            take_answer(each, each.getBody());
        else
            take_message(each, each.getBody(), at(each.getTarget()), at(each.getSender()));
    }
    for (const auto each : signals)
        take_signal(each, at(each.getTarget()), at(each.getAbout()));
    count_received(letters.size());
}

namespace {

/// It saturates: nobody's deadline is that late.
std::uint64_t deadline_after(std::uint64_t now, std::uint64_t remaining) noexcept
{
    constexpr std::uint64_t latest = std::uint64_t{1} << 62;
    return now + std::min(remaining, latest - std::min(now, latest));
}

}  // namespace

errc reason_from(std::uint16_t number) noexcept
{
    const auto reason = static_cast<errc>(number);
    const bool is_known = number != 0 && reason <= errc::too_many_actors;
    return !is_known || reason == errc::cancelled || reason == errc::request_circle ? errc::actor_failed
                                                                                    : reason;
}

/// Once for a link: who sends one thing that is malformed may send a million.
void link::complain(const char* what)
{
    if (!std::exchange(has_complained_, true))
        log(log_level::warning,
            fmt::format("node {} at {} sends what is malformed: {}", peer_name_, address_, what));
}

/// Memory grows as bytes come, whatever size was announced.
void link::take_part(schema::Part::Reader part, std::unique_ptr<unfinished>& begun)
{
    const capnp::Data::Reader data = part.getData();
    if (part.getSize() != 0) {
        if (begun != nullptr)
            complain("a message in parts has no end");
        begun.reset();
        if (part.getSize() > board_.options().message_max) {
            complain("a message in parts is larger than was agreed");
            return;
        }
        begun = std::make_unique<unfinished>();
        begun->body = std::exchange(spare_body_, {});
        begun->to = pids_.read(part.getTarget());
        begun->sender = pids_.read(part.getSender());
        begun->size = part.getSize();
        begun->envelope.setRoot(part.getEnvelope());
    }
    if (begun == nullptr)
        return;  // of one that was refused
    if (data.size() == 0 || data.size() > begun->size - begun->body.size()) {
        complain("a part is empty, or larger than what is left");
        begun.reset();
        return;
    }
    begun->body.insert(begun->body.end(), data.begin(), data.end());
    if (begun->body.size() < begun->size)
        return;
    const auto whole = std::move(begun);
    const schema::Envelope::Reader envelope = whole->envelope.getRoot<schema::Envelope>().asReader();
    const capnp::Data::Reader body(whole->body.data(), whole->body.size());
    if (envelope.getAnswers() != 0)
        take_answer(envelope, body);
    else
        take_message(envelope, body, whole->to, whole->sender);
    count_received(1);
    whole->body.clear();
    if (whole->body.capacity() <= spare_body_kept)
        spare_body_ = std::move(whole->body);
}

void link::take_message(schema::Envelope::Reader from, capnp::Data::Reader body, pid to, pid sender)
{
    const std::uint64_t request = from.getRequest();
    const auto lose = [&](errc why) {
        board_.tell_of_loss(post().home().now(), to, sender, why, from.getType());
        if (request != 0)
            refuse(request, why);
    };
    if (is_late_) {
        lose(errc::link_lost);
        return;
    }
    if (!to || to.node() != board_.shared().node) {
        lose(errc::no_such_actor);
        return;
    }
    const wire::codec* known = board_.words().find(from.getType());
    if (known == nullptr) {
        lose(errc::no_wire_form);
        return;
    }
    if (!lets_send(known->id)) {
        deny(*known);
        lose(errc::not_permitted);
        return;
    }
    machine::held_envelope made;
    try {
        made = wire::read_flat(*known, body, pids_);
    } catch (const error& failure) {
        complain(failure.what());
        lose(errc::malformed);
        return;
    }
    made->sender = sender;
    std::unique_ptr<headers> with;
    if (const auto given = from.getHeaders(); given.size() != 0) {
        if (given.size() > headers_max) {
            lose(errc::malformed);
            return;
        }
        with = std::make_unique<headers>();
        for (const auto each : given)
            with->set(wire::text(each.getName()), wire::text(each.getValue()));
    }
    if (request != 0) {
        owed_answer* const owed = owe(request);
        if (owed == nullptr)
            return;
        made->reply = owed->token;
        if (from.getRemaining() != 0)
            made->deadline = owed->deadline = deadline_after(post().home().now(), from.getRemaining());
    }
    if (with == nullptr)
        post().send(to, made.release());
    else
        post().admit(to, made.release(), 0, std::move(with));
}

/// Null where the number was used before, and its answer is still owed; or where too many are. Those that
/// nobody waits for any more are looked for seldom, as that takes a look at all.
owed_answer* link::owe(std::uint64_t request)
{
    constexpr std::uint64_t interval = 100'000'000;
    const std::uint64_t now = owed_.size() < owed_max ? 0 : post().home().now();
    if (now >= last_forgotten_ + interval) {
        last_forgotten_ = now;
        forget_owed(now, 0);
    }
    if (owed_.size() >= owed_max) {
        refuse(request, errc::mailbox_full);
        return nullptr;
    }
    std::unique_ptr<owed_answer> made;
    if (spare_owed_.empty()) {
        made = std::make_unique<owed_answer>(*this, request);
    } else {
        made = std::move(spare_owed_.back());
        spare_owed_.pop_back();
        *made = owed_answer(*this, request);
    }
    const auto [place, is_new] = owed_.emplace(request, std::move(made));
    if (!is_new)
        return nullptr;
    place->second->token = post().expect(*place->second);
    return place->second.get();
}

void link::refuse(std::uint64_t request, errc why)
{
    letter out;
    out.answers = request;
    out.failure = why;
    queue(std::move(out));
}

void link::take_answer(schema::Envelope::Reader from, capnp::Data::Reader body)
{
    const auto found = asked_.find(from.getAnswers());
    if (found == asked_.end())
        return;  // nobody asked
    const asker waits = found->second;
    asked_.erase(found);
    if (waits.written_at != 0)
        note_times(waits);
    if (waits.is_end)
        awaited_ends_.erase(waits.token);
    if (from.getFailure() != 0) {
        const errc reason = reason_from(from.getFailure());
        if (reason == errc::no_such_actor || reason == errc::actor_stopped)
            board_.names().forget(waits.whom);
        post().fail(waits.token, reason);
        return;
    }
    if (waits.is_end)
        board_.names().forget(waits.whom);
    if (waits.answer == nullptr || waits.answer->id != from.getType()) {
        post().fail(waits.token, errc::wrong_reply);
        return;
    }
    try {
        const auto made = wire::read_flat(*waits.answer, body, pids_);
        post().pass_on(waits.token, *made->type, made->body());
    } catch (const error& failure) {
        complain(failure.what());
        post().fail(waits.token, errc::malformed);
    }
}

void link::take_signal(schema::Signal::Reader from, pid to, pid about)
{
    using kind = machine::outbound_signal::kind;
    const auto what = static_cast<kind>(from.getKind());
    const std::uint64_t request = from.getRequest();
    const bool is_ours = to && to.node() == board_.shared().node;
    // Who watches, or has ended, is the peer's own: nobody speaks for others.
    const bool is_theirs = about && about.node() == peer_;
    switch (what) {
    case kind::stop:
    case kind::await_end: {
        if ((what == kind::stop && !lets_stop(to)) ||
            (what == kind::await_end && refused_poison_.erase(to) != 0)) {
            deny_stop(to, request);
            return;
        }
        std::uint64_t token = 0;
        if (request != 0) {
            owed_answer* const owed = owe(request);
            if (owed == nullptr)
                return;
            owed->ends = to;
            token = owed->token;
        }
        if (what == kind::stop)
            post().stop(is_ours ? to : pid(), token);
        else
            post().await_end(is_ours ? to : pid(), token, {});
        return;
    }
    case kind::restart:
        if (is_ours && lets_stop(to))
            post().restart(to);
        else if (is_ours)
            deny_stop(to, 0);
        return;
    case kind::poison:
        if (!is_ours)
            return;
        if (lets_stop(to)) {
            post().send(to, machine::envelope::make(poison_pill{}, about));
            return;
        }
        if (refused_poison_.size() < watches_max)
            refused_poison_.insert(to);  // whoever waits for the end is told
        deny_stop(to, 0);
        return;
    case kind::forget_end:
        if (const auto found = owed_.find(request); found != owed_.end() && found->second->ends) {
            post().forget_end(found->second->ends, found->second->token);
            post().forget(found->second->token);
            owed_.erase(found);
        }
        return;
    case kind::watch:
        if (!is_theirs)
            return;
        if (!is_ours || watched_.size() >= watches_max) {
            news_.push_back({{.what = kind::ended,
                .to = about,
                .about = to,
                .is_linked = from.getLinked(),
                .reason = is_ours ? errc::unreachable : errc::no_such_actor}});
            wake();
            return;
        }
        watched_.insert({to, {about, from.getLinked()}});
        board_.book().route({to, {about, from.getLinked()}}, self_.pid());
        post().add_watcher(to, {about, from.getLinked()});
        return;
    case kind::unwatch:
        if (watched_.erase({to, {about, from.getLinked()}}) != 0 &&
            board_.book().unroute({to, {about, from.getLinked()}}, self_.pid()))
            post().remove_watcher(to, {about, from.getLinked()});
        return;
    case kind::ended:
        if (is_theirs)
            board_.names().forget(about);
        // Who is tied hears of it, whichever side has tied them.
        if (is_ours &&
            (watching_.erase({about, {to, from.getLinked()}}) != 0 ||
                (from.getLinked() && watched_.contains({to, {about, true}}))))
            post().tell_watcher({to, from.getLinked()}, about, reason_from(from.getReason()));
        return;
    }
}

void owed_answer::take_it(
    reply_waiter& self, const machine::message_type* type, void* value, errc failure) noexcept
{
    auto& owed = static_cast<owed_answer&>(self);
    owed.owner->answer(owed, type, value, failure);
}

}  // namespace costar::remote
