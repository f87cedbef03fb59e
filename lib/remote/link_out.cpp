// SPDX-License-Identifier: MIT

// What a link sends: messages, requests, answers and signals, in batches.

#include "link.hpp"
#include "sink.hpp"
#include "spawning.hpp"

#include <costar/rpc/await.hpp>

#include <algorithm>
#include <exception>
#include <limits>
#include <new>
#include <utility>

namespace costar::remote {

bool link::take(message next)
{
    if (!next)
        return false;
    if (next.is<departing>()) {
        if (taking_over_.is_under_way()) [[unlikely]]
            taking_over_.hold({std::move(next.get<departing>())});
        else
            depart(std::move(next.get<departing>()));
    } else if (next.is<departing_news>()) {
        depart(std::move(next.get<departing_news>()));
    } else if (next.is<departing_signal>()) {
        if (taking_over_.is_under_way()) [[unlikely]]
            taking_over_.hold({std::move(next.get<departing_signal>())});
        else
            depart(std::move(next.get<departing_signal>()));
    } else if (next.is<withdrawn>()) {
        if (taking_over_.is_under_way()) [[unlikely]]
            taking_over_.hold({next.get<withdrawn>()});
        else
            outside_.forget(next.get<withdrawn>().token);
    } else if (next.is<handed>()) {
        take_handed(std::move(next.get<handed>()));
    } else if (next.is<handed_over>()) {
        next.mark_handled();
        end_of_handing();
    } else if (next.is<give_way>()) {
        next.mark_handled();  // it has come into use meanwhile
    } else if (next.is<queue_filled>()) {
        next.mark_handled();
        is_told_ = false;
    } else if (next.is<machine::look_up>()) {
        self_.spawn_task(look_up_there(place_, std::move(next)));
    } else if (next.is<machine::spawn_there>()) {
        self_.spawn_task(spawn_there(place_, std::move(next)));
    } else if (next.is<take_leave>()) {
        left_from_.insert(next.sender().strand());
        leaves_.push_back(std::move(next));
    } else if (next.is<link_ended>()) {
        why_ended_ = std::move(next.get<link_ended>().why);
        return false;
    }
    return true;
}

void link::depart(departing&& leaving)
{
    letter& out = leaving.out;
    errc failure{};
    if (leaving.asker != 0 && is_past(out.deadline))
        failure = errc::timed_out;
    else if (out.target.node() != peer_)  // of a former life of the peer
        failure = errc::no_such_actor;
    else if (!out.is_within(message_max_))
        failure = errc::too_large;
    if (failure == errc::too_large)
        if (const wire::codec* const known = board_.words().find(out.type))
            board_.tell_of_size(post().home().now(), *known, out.size(), message_max_);
    if (failure == errc::timed_out)
        tell_of_overdue(
            {.deadline = out.deadline, .whom = out.target, .asked_at = leaving.asked_at, .type = out.type},
            false);
    if (failure != errc{}) {
        leaving.lose(post(), failure);
        return;
    }
    if (leaving.waiter == 0) {
        send(std::move(leaving));
    } else {
        outside_.push(std::move(leaving));
        let_in();
    }
}

/// Who waits for room gets what there is.
void link::let_in()
{
    while (!outside_.empty()) {
        const std::size_t bytes = outside_.front().out.bytes();
        if (!board_.has_room_for(*queue_, bytes))
            break;
        departing next = outside_.pop();
        next.out.place = place_in_queue(queue_, bytes);
        post().answer(std::exchange(next.waiter, 0), std::monostate{});
        send(std::move(next));
    }
}

void link::send(departing&& leaving)
{
    letter& out = leaving.out;
    if (leaving.asker != 0) {
        out.request = ++last_request_;
        asked_.emplace(out.request,
            asker{.token = leaving.asker,
                .answer = leaving.answer,
                .deadline = out.deadline,
                .whom = out.target,
                .asked_at = leaving.asked_at,
                .taken_at = post().home().now(),
                .type = out.type});
    }
    enqueue(std::move(out));
}

/// Behind what must be in front of it.
void link::enqueue(letter&& out)
{
    if (bulk_.takes(out)) {
        bulk_.push({std::move(out), ordinary_});
        carry();
        return;
    }
    ++ordinary_;
    letter_bytes_ += out.bytes();
    letters_.push_back(std::move(out));
    if (letters_.size() >= letters_sent_early && was_greeted_ &&
        outlet_->window.under_way() < bytes_of_idleness) {
        send_batch();
        direct_.send_now();
    }
}

void link::depart(departing_signal&& leaving)
{
    using kind = machine::outbound_signal::kind;
    const machine::outbound_signal news = leaving.news;
    machine::outbound_signal& out = leaving.news;
    if (news.to.node() != peer_) {  // of a former life of the peer: it has ended
        if (news.what == kind::watch)
            post().tell_watcher({news.about, news.is_linked}, news.to, errc::no_such_actor);
        else if (news.token != 0 && news.what != kind::forget_end)
            post().answer(news.token, std::monostate{});
        return;
    }
    switch (news.what) {
    case kind::stop:
    case kind::await_end:
        if (news.token != 0) {
            out.token = ++last_request_;
            asked_.emplace(out.token,
                asker{.token = news.token,
                    .answer = &wire::codec_of<std::monostate>,
                    .whom = news.to,
                    .is_end = true});
            awaited_ends_.emplace(news.token, out.token);
        }
        break;
    case kind::forget_end: {
        const auto found = awaited_ends_.find(news.token);
        if (found == awaited_ends_.end())
            return;
        out.token = found->second;
        asked_.erase(out.token);
        awaited_ends_.erase(found);
        break;
    }
    case kind::watch:
        watching_.insert({news.to, {news.about, news.is_linked}});
        break;
    case kind::unwatch:
        watching_.erase({news.to, {news.about, news.is_linked}});
        break;
    case kind::ended:
        watched_.erase({news.about, {news.to, news.is_linked}});
        board_.book().unroute({news.about, {news.to, news.is_linked}}, self_.pid());
        break;
    case kind::restart:
    case kind::poison:
        break;
    }
    if (bulk_.takes(out)) {
        bulk_.push({std::move(leaving), ordinary_});
        carry();
    } else {
        if (out.what == kind::poison)
            pills_.push_back(ordinary_);
        (stays_behind(out.what) ? signals_ : news_).push_back(std::move(leaving));
    }
}

void link::answer(owed_answer& owed, const machine::message_type* type, void* value, errc failure) noexcept
{
    const auto found = owed_.find(owed.request);
    std::unique_ptr<owed_answer> self = std::move(found->second);  // it lives as long as this
    owed_.erase(found);
    try {
        letter out;
        out.answers = owed.request;
        out.failure = failure;
        if (const wire::codec* known = type != nullptr ? board_.words().find(*type) : nullptr) {
            out.failure = out.write(*known, value, board_);
            if (!out.is_within(message_max_)) {
                board_.tell_of_size(post().home().now(), *known, out.size(), message_max_);
                out.failure = errc::too_large;
                out.empty();
            }
        } else if (type != nullptr) {
            out.failure = errc::no_wire_form;
        }
        if (letter_bytes_ + bulk_.answer_bytes() + out.bytes() > board_.answer_bytes_max()) {
            out.failure = errc::mailbox_full;
            out.empty();
        }
        queue(std::move(out));
        if (spare_owed_.size() < letters_of_a_batch)
            spare_owed_.push_back(std::move(self));
    } catch (const std::bad_alloc&) {
        // The asker's deadline ends its wait.
    }
}

/// For what is queued outside of the body: it may wait for a message.
void link::wake()
{
    if (!std::exchange(is_told_, true))
        self_.send(self_.pid(), queue_filled{});
}

void link::queue(letter&& out)
{
    enqueue(std::move(out));
    wake();
    // Where too much waits requests are refused in a few bytes: this many have not been taken.
    if (letter_bytes_ + bulk_.answer_bytes() > board_.answer_bytes_max() + letter_bytes_max &&
        !std::exchange(is_full_, true))
        end("it asks, and does not take the answers");
}

/// Nobody waits for it any more: it becomes an answer that nobody has asked for, which the peer skips, and
/// counts as it must.
void link::drop(letter& expired)
{
    lose(expired, errc::timed_out);
    letter_bytes_ -= expired.bytes();
    expired = letter();
    expired.answers = std::numeric_limits<std::uint64_t>::max();
    letter_bytes_ += expired.bytes();
}

void link::send_batch()
{
    std::size_t count = 0;
    std::size_t bytes = 0;
    bool has_messages = false;
    // What was sent behind a pill goes behind its batch.
    const std::size_t most = pills_.empty() ? letters_.size() : pills_.front() + letters_.size() - ordinary_;
    while (count < most && count < letters_of_a_batch && bytes < bytes_of_a_batch) {
        letter& next = letters_[count++];
        if (has_expired(next))
            drop(next);
        has_messages |= next.answers == 0;
        bytes += next.bytes();
    }
    const std::vector<departing_signal> signals = next_signals(count == most);
    machine::direct_call call(*outlet_, {capnp::typeId<schema::Sink>(), sink::deliver});
    auto batch = call.params<schema::Sink::DeliverParams>().initBatch();
    if (has_messages)
        batch.setLink(number());
    fill(batch, count, signals);
    direct_.send(*outlet_, call);
    letters_.erase(letters_.begin(), letters_.begin() + static_cast<std::ptrdiff_t>(count));
    letter_bytes_ -= bytes;
    count_sent(count);
    board_.counters.batches.fetch_add(1, std::memory_order_relaxed);
    counters_->batches.fetch_add(1, std::memory_order_relaxed);
}

/// News of what others wait for; and what stays behind messages, up to the next pill, where none of those are
/// left.
std::vector<departing_signal> link::next_signals(bool is_behind_all)
{
    std::vector<departing_signal> next;
    const auto take = [&](std::deque<departing_signal>& from) {
        next.push_back(std::move(from.front()));
        from.pop_front();
    };
    while (!news_.empty() && next.size() < letters_of_a_batch)
        take(news_);
    while (is_behind_all && !signals_.empty() && next.size() < letters_of_a_batch) {
        take(signals_);
        if (next.back().news.what != machine::outbound_signal::kind::poison)
            continue;
        pills_.pop_front();
        break;
    }
    return next;
}

void link::fill(schema::Batch::Builder batch, std::size_t letters, std::span<const departing_signal> signals)
{
    places_.clear();
    auto envelopes = batch.initEnvelopes(static_cast<unsigned>(letters));
    for (unsigned i = 0; i < letters; ++i) {
        const letter& from = letters_[i];
        auto to = envelopes[i];
        write(from, to);
        to.setTarget(places_.of_target(from.target));
        to.setSender(places_.of_sender(from.sender));
        to.setBody(from.body_bytes());
    }
    auto news = batch.initSignals(static_cast<unsigned>(signals.size()));
    for (unsigned i = 0; i < signals.size(); ++i) {
        const machine::outbound_signal& from = signals[i].news;
        write(from, news[i]);
        news[i].setTarget(places_.of_target(from.to));
        news[i].setAbout(places_.of_sender(from.about));
    }
    auto pids = batch.initPids(static_cast<unsigned>(places_.all().size()));
    for (unsigned i = 0; i < places_.all().size(); ++i)
        board_.write(places_.all()[i], pids[i]);
}

void link::write(const letter& from, schema::Envelope::Builder to)
{
    if (from.request != 0)
        note_written(from.request);
    to.setType(from.type);
    to.setRequest(from.request);
    to.setAnswers(from.answers);
    to.setFailure(static_cast<std::uint16_t>(from.failure));
    if (from.deadline != 0) {
        const std::uint64_t now = std::min(post().home().now(), from.deadline);
        to.setRemaining(std::max<std::uint64_t>(from.deadline - now, 1));
    }
    if (from.with == nullptr)
        return;
    auto list = to.initHeaders(static_cast<unsigned>(from.with->size()));
    unsigned at = 0;
    for (const auto& [name, value] : *from.with) {
        list[at].setName(wire::text(name));
        list[at++].setValue(wire::text(value));
    }
}

void link::write(const machine::outbound_signal& from, schema::Signal::Builder to)
{
    to.setKind(static_cast<std::uint16_t>(from.what));
    to.setLinked(from.is_linked);
    to.setReason(static_cast<std::uint16_t>(from.reason));
    to.setRequest(from.token);
}

}  // namespace costar::remote
