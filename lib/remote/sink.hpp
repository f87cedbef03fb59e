// SPDX-License-Identifier: MIT

#pragma once

#include "link.hpp"

#include <costar/rpc/direct_calls.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace costar::remote {

/// Where the batches of a peer arrive. It never fails a call, which would break it for good.
class sink final : public machine::direct_object {
public:
    /// Of its interface.
    enum method : std::uint16_t {
        deliver,
        done,
        piece
    };
    static constexpr std::uint16_t methods = 3;

    explicit sink(std::shared_ptr<link_place> place) : place_(std::move(place)) {}

    bool take(std::uint16_t what, capnp::AnyPointer::Reader params,
        capnp::AnyPointer::Builder results) noexcept override;

    void take(schema::Batch::Reader batch) noexcept;
    void take(schema::Part::Reader part) noexcept;
    void say(schema::Sink::DoneResults::Builder results) const;

    /// The link whose way has to be free before this may be taken; null where it may be at once.
    link* waits_for(schema::Batch::Reader batch) { return waits_if(holds_messages(batch)); }

    /// Parts wait behind parts.
    link* waits_for(schema::Part::Reader part) { return waits_if(has_waited_ || holds_messages(part)); }

    /// What asks whether all has been taken waits for what has not been.
    link* waits_for_all() { return waits_if(has_waited_); }

private:
    template <class Letters>
    bool take_in_order(Letters letters) noexcept;

    link* waits_if(bool is_one_that_waits)
    {
        link* const there = place_->there;
        if (there == nullptr || there->is_way_free() || !is_one_that_waits)
            return nullptr;
        has_waited_ = true;
        return there;
    }

    // Answers and news of ends go where they were asked for, and wait for nobody.
    static bool holds_messages(schema::Batch::Reader batch);
    static bool holds_messages(schema::Part::Reader part);

    void is_unreadable(const char* what, const kj::Exception& failure, std::size_t envelopes) noexcept;

    std::shared_ptr<link_place> place_;
    std::unique_ptr<unfinished> begun_;
    std::uint64_t count_ = 0;
    std::uint64_t unreadable_ = 0;
    bool has_waited_ = false;  // something, until the way is free
};

/// It, as Cap'n Proto finds it: for a peer that calls it before it has it.
class sink_server final : public schema::Sink::Server {
public:
    explicit sink_server(std::shared_ptr<link_place> place) : sink_(std::move(place)) {}

private:
    kj::Promise<void> deliver(DeliverContext call) override;
    kj::Promise<void> piece(PieceContext call) override;
    kj::Promise<void> done(DoneContext call) override;

    sink sink_;
};

}  // namespace costar::remote
