// SPDX-License-Identifier: MIT

#include "sink.hpp"

#include <costar/core/log.hpp>

#include <fmt/format.h>

namespace costar::remote {

bool sink::take(
    std::uint16_t what, capnp::AnyPointer::Reader params, capnp::AnyPointer::Builder results) noexcept
{
    try {
        switch (what) {
        case deliver:
            return take_in_order(params.getAs<schema::Sink::DeliverParams>().getBatch());
        case piece:
            return take_in_order(params.getAs<schema::Sink::PieceParams>().getPart());
        default:
            if (waits_for_all() != nullptr)
                return false;
            say(results.initAs<schema::Sink::DoneResults>());
        }
    } catch (const kj::Exception& failure) {
        is_unreadable("call", failure, 1);
    } catch (...) {  // without memory
        ++unreadable_;
    }
    return true;
}

template <class Letters>
bool sink::take_in_order(Letters letters) noexcept
{
    if (link* const there = waits_for(letters); there != nullptr && !there->ask_for_way(letters.getLink()))
        return false;
    take(letters);
    return true;
}

bool sink::holds_messages(schema::Batch::Reader batch)
{
    try {
        for (const auto each : batch.getEnvelopes())
            if (each.getAnswers() == 0)
                return true;
    } catch (const kj::Exception&) {
        // It is told of when it is taken.
    }
    return false;
}

/// Only the first part says it.
bool sink::holds_messages(schema::Part::Reader part)
{
    try {
        return part.getSize() != 0 && part.getEnvelope().getAnswers() == 0;
    } catch (const kj::Exception&) {
        return false;
    }
}

void sink::take(schema::Batch::Reader batch) noexcept
{
    std::size_t envelopes = 1;  // where it cannot be said
    try {
        envelopes = batch.getEnvelopes().size();
        count_ += envelopes;
        if (place_->there != nullptr)
            place_->there->deliver(batch);
    } catch (const kj::Exception& failure) {
        is_unreadable("batch", failure, envelopes);
    } catch (...) {  // without memory
        ++unreadable_;
    }
}

void sink::take(schema::Part::Reader part) noexcept
{
    try {
        count_ += part.getSize() != 0 ? 1 : 0;
        if (place_->there != nullptr)
            place_->there->take_part(part, begun_);
    } catch (const kj::Exception& failure) {
        is_unreadable("part", failure, 1);
    } catch (...) {  // without memory
        ++unreadable_;
    }
}

void sink::say(schema::Sink::DoneResults::Builder results) const
{
    results.setCount(count_);
    results.setUnreadable(unreadable_);
}

void sink::is_unreadable(const char* what, const kj::Exception& failure, std::size_t envelopes) noexcept
{
    if (std::exchange(unreadable_, unreadable_ + envelopes) == 0)
        log(log_level::warning,
            fmt::format("a {} from another node is malformed: {}", what, failure.getDescription().cStr()));
}

kj::Promise<void> sink_server::deliver(DeliverContext call)
{
    const auto batch = call.getParams().getBatch();
    if (link* const there = sink_.waits_for(batch))
        return there->when_way_is_free(batch.getLink()).then([this, call]() mutable {
            sink_.take(call.getParams().getBatch());
        });
    sink_.take(batch);
    return kj::READY_NOW;
}

kj::Promise<void> sink_server::piece(PieceContext call)
{
    const auto part = call.getParams().getPart();
    if (link* const there = sink_.waits_for(part))
        return there->when_way_is_free(part.getLink()).then([this, call]() mutable {
            sink_.take(call.getParams().getPart());
        });
    sink_.take(part);
    return kj::READY_NOW;
}

kj::Promise<void> sink_server::done(DoneContext call)
{
    if (link* const there = sink_.waits_for_all())
        return there->when_way_is_free().then([this, call]() mutable { sink_.say(call.getResults()); });
    sink_.say(call.getResults());
    return kj::READY_NOW;
}

}  // namespace costar::remote
