// SPDX-License-Identifier: MIT

// What a link sends in parts, beside its batches.

#include "link.hpp"
#include "sink.hpp"

#include <costar/rpc/await.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace costar::remote {

/// Begins to carry what is in the bulk lane, unless that is under way.
void link::carry()
{
    if (was_greeted_ && !std::exchange(is_carrying_, true))
        self_.spawn_task(carry_bulk(place_));
}

task<> link::carry_bulk(std::shared_ptr<link_place> place)
{
    std::string why;
    try {
        if (place->there != nullptr && !place->there->bulk_sink_) {
            auto open = place->there->node_->openRequest();
            open.setLane(2);
            auto opened = co_await rpc::send(open);
            if (place->there == nullptr)
                co_return;
            place->there->bulk_sink_.emplace(opened.getSink());
            place->there->bulk_outlet_ = place->there->direct_.opened({bulk_window_least, window_most});
            if (!place->there->bulk_outlet_) {
                place->there->end("it gives a sink that is not its own");
                co_return;
            }
        }
        while (place->there != nullptr && !place->there->bulk_.empty()) {
            co_await wait_for_ordinary(place, place->there->bulk_.items().front().after);
            co_await wait_for_room(place);
            if (place->there == nullptr)
                break;
            bulk_lane::item next = place->there->bulk_.take();
            const letter* const message = std::get_if<letter>(&next.what);
            const auto which = bulk_lane::pair_of(next);
            if (message != nullptr && place->there->has_expired(*message)) {
                place->there->lose(*message, errc::timed_out);
            } else if (message != nullptr && message->body_bytes().size() > bytes_of_a_part) {
                place->there->in_parts_ = std::make_shared<letter>(std::move(std::get<letter>(next.what)));
                co_await send_in_parts(place, place->there->in_parts_);
            } else {
                place->there->send_alone(next);
            }
            if (place->there != nullptr && !place->there->outside_.empty())
                place->there->wake();  // it has left its place
            if (!which || place->there == nullptr)
                continue;
            if (const std::uint64_t begun = place->there->bulk_.has_left(*which); begun != 0)
                place->there->self_.spawn_task(release(place, *which, begun));
        }
    } catch (const rpc::error& failure) {
        why = failure.what();
    }
    if (place->there == nullptr)
        co_return;
    place->there->is_carrying_ = false;
    if (!why.empty())
        place->there->end(std::move(why));
    else
        place->there->wake();  // it may be what the end waits for
}

/// What was sent before has to be there before: the peer says how many letters it has taken. Pills are none,
/// and have to have left.
task<> link::wait_for_ordinary(std::shared_ptr<link_place> place, std::uint64_t count)
{
    while (
        place->there != nullptr && (place->there->ordinary_taken_ < count || !place->there->pills_.empty())) {
        auto request = (*place->there->sink_)->doneRequest();
        auto taken = co_await rpc::send(request);
        if (place->there != nullptr)
            place->there->ordinary_taken_ = taken.getCount();
    }
}

task<> link::wait_for_room(std::shared_ptr<link_place> place)
{
    if (place->there == nullptr || place->there->bulk_outlet_->window.has_room())
        co_return;
    while (place->there != nullptr && !place->there->bulk_outlet_->window.has_much_room()) {
        auto pair = kj::newPromiseAndFulfiller<void>();
        place->there->bulk_room_ = kj::mv(pair.fulfiller);
        rpc::pending<kj::Promise<void>> room(kj::mv(pair.promise));
        co_await kj::mv(room);
    }
}

task<> link::send_in_parts(std::shared_ptr<link_place> place, std::shared_ptr<const letter> message)
{
    for (std::size_t at = 0; at < message->body_bytes().size() && place->there != nullptr;
        at += bytes_of_a_part) {
        place->there->send_part(message, at);
        if (at + bytes_of_a_part >= message->body_bytes().size())
            place->there->in_parts_ = nullptr;
        co_await wait_for_room(place);
    }
}

void link::send_part(const std::shared_ptr<const letter>& whole, std::size_t at)
{
    const letter& message = *whole;
    machine::direct_call call(*bulk_outlet_, {capnp::typeId<schema::Sink>(), sink::piece});
    auto part = call.params<schema::Sink::PieceParams>().initPart();
    const auto body = message.body_bytes();
    if (at == 0) {
        write(message, part.initEnvelope());
        board_.write(message.target, part.initTarget());
        board_.write(message.sender, part.initSender());
        part.setSize(static_cast<std::uint32_t>(body.size()));
        if (message.answers == 0)
            part.setLink(number());
        count_sent(1);
    }
    part.adoptData(capnp::Orphanage::getForMessageContaining(part).referenceExternalData(
        body.slice(at, std::min(body.size(), at + bytes_of_a_part))));
    direct_.send(*bulk_outlet_, call, body, whole);
}

/// What is small, and waits here since it must not overtake.
void link::send_alone(const bulk_lane::item& next)
{
    machine::direct_call call(*bulk_outlet_, {capnp::typeId<schema::Sink>(), sink::deliver});
    auto batch = call.params<schema::Sink::DeliverParams>().initBatch();
    auto pids = batch.initPids(2);
    if (const letter* const message = std::get_if<letter>(&next.what); message != nullptr) {
        board_.write(message->target, pids[0]);
        board_.write(message->sender, pids[1]);
        if (message->answers == 0)
            batch.setLink(number());
        auto envelope = batch.initEnvelopes(1)[0];
        write(*message, envelope);
        envelope.setTarget(1);
        envelope.setSender(2);
        envelope.setBody(message->body_bytes());
        count_sent(1);
    } else {
        const machine::outbound_signal& news = std::get<departing_signal>(next.what).news;
        board_.write(news.to, pids[0]);
        board_.write(news.about, pids[1]);
        auto signal = batch.initSignals(1)[0];
        write(news, signal);
        signal.setTarget(1);
        signal.setAbout(2);
    }
    direct_.send(*bulk_outlet_, call);
}

/// When the peer has taken all that has left so far, what follows may go with the others again.
task<> link::release(std::shared_ptr<link_place> place, bulk_lane::pair which, std::uint64_t begun)
{
    if (place->there == nullptr)
        co_return;
    try {
        auto request = (*place->there->bulk_sink_)->doneRequest();
        co_await rpc::send(request);
    } catch (const rpc::error&) {
        co_return;  // the link ends
    }
    if (place->there == nullptr)
        co_return;
    place->there->bulk_.release(which, begun);
    place->there->wake();
}

}  // namespace costar::remote
