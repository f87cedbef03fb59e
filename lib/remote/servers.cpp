// SPDX-License-Identifier: MIT

#include "servers.hpp"

#include "admission.hpp"

#include "actor_server.hpp"

#include <costar/core/log.hpp>

#include <fmt/format.h>

namespace costar::remote {

namespace {

/// Where the batches of a peer arrive. It never fails a call, which would break it for good.
class sink_server final : public schema::Sink::Server {
public:
    explicit sink_server(std::shared_ptr<link_place> place) : place_(std::move(place)) {}

private:
    kj::Promise<void> deliver(DeliverContext call) override
    {
        if (link* const there = place_->there;
            there != nullptr && !there->is_way_free() && holds_messages(call.getParams().getBatch()))
            return there->when_way_is_free(call.getParams().getBatch().getLink())
                .then([this, call]() mutable { take(call.getParams().getBatch()); });
        take(call.getParams().getBatch());
        return kj::READY_NOW;
    }

    kj::Promise<void> piece(PieceContext call) override
    {
        if (link* const there = place_->there;
            there != nullptr && !there->is_way_free() && begins_message(call.getParams().getPart()))
            return there->when_way_is_free(call.getParams().getPart().getLink()).then([this, call]() mutable {
                take(call.getParams().getPart());
            });
        take(call.getParams().getPart());
        return kj::READY_NOW;
    }

    kj::Promise<void> done(DoneContext call) override
    {
        call.getResults().setCount(count_);
        call.getResults().setUnreadable(unreadable_);
        return kj::READY_NOW;
    }

    /// Answers and news of ends go where they were asked for, and wait for nobody.
    static bool holds_messages(schema::Batch::Reader batch)
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

    /// What follows is behind it.
    static bool begins_message(schema::Part::Reader part)
    {
        try {
            return part.getSize() != 0 && part.getEnvelope().getAnswers() == 0;
        } catch (const kj::Exception&) {
            return false;
        }
    }

    void take(schema::Batch::Reader batch) noexcept
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

    void take(schema::Part::Reader part) noexcept
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

    void is_unreadable(const char* what, const kj::Exception& failure, std::size_t envelopes) noexcept
    {
        if (std::exchange(unreadable_, unreadable_ + envelopes) == 0)
            log(log_level::warning,
                fmt::format(
                    "a {} from another node is malformed: {}", what, failure.getDescription().cStr()));
    }

    std::shared_ptr<link_place> place_;
    std::unique_ptr<unfinished> begun_;
    std::uint64_t count_ = 0;
    std::uint64_t unreadable_ = 0;
};

}  // namespace

link& node_server::present() const
{
    if (place_->there == nullptr)
        kj::throwFatalException(
            kj::Exception(kj::Exception::Type::DISCONNECTED, "", 0, kj::str("the link has ended")));
    return *place_->there;
}

link& node_server::greeted() const
{
    KJ_REQUIRE(present().has_heard(), "a node says hello first");
    return present();
}

link& node_server::served() const
{
    if (present().take_call(caller_kind::client) != caller_kind::client)
        return greeted();
    KJ_REQUIRE(admits_client(present().board(), *place_),
        "this node lets in whom it knows, and this program proves no name that it does");
    return present();
}

kj::Promise<void> node_server::hello(HelloContext call)
{
    KJ_REQUIRE(present().is_first_hello(), "a node says hello once");
    KJ_REQUIRE(present().take_call(caller_kind::node) == caller_kind::node, "a node says hello first");
    present().hear(greeting::read(call.getParams().getGreeting()), call.getResults().initWelcome());
    return kj::READY_NOW;
}

kj::Promise<void> node_server::open(OpenContext call)
{
    KJ_REQUIRE(greeted().may_open_sink(), "a node opens a dozen sinks at most");
    call.getResults().setSink(kj::heap<sink_server>(place_));
    return kj::READY_NOW;
}

kj::Promise<void> node_server::find(FindContext call)
{
    const switchboard& board = greeted().board();
    if (const auto known = board.shared().names.find(wire::text(call.getParams().getName())))
        board.write(*known, call.getResults().initWho());
    return kj::READY_NOW;
}

kj::Promise<void> node_server::ping(PingContext)
{
    greeted();
    return kj::READY_NOW;
}

kj::Promise<void> node_server::spawn(SpawnContext call)
{
    link& asking = greeted();
    const machine::spawned made = asking.spawn_for_peer(call.getParams());
    call.getResults().setFailure(static_cast<std::uint16_t>(made.failure));
    if (made.who)
        asking.board().write(made.who, call.getResults().initWho());
    return kj::READY_NOW;
}

kj::Promise<void> node_server::actor(ActorContext call)
{
    const link& there = served();
    const auto known = there.board().shared().names.find(wire::text(call.getParams().getName()));
    auto results = call.getResults();
    if (place_->actors >= client_actors_max) {
        results.setFailure(static_cast<std::uint16_t>(errc::mailbox_full));
        return kj::READY_NOW;
    }
    if (!known)
        results.setFailure(static_cast<std::uint16_t>(errc::no_such_actor));
    results.setActor(kj::heap<actor_server>(place_, known.value_or(pid())));
    return kj::READY_NOW;
}

kj::Promise<void> node_server::service(ServiceContext call)
{
    link& there = served();
    const std::string name(wire::text(call.getParams().getName()));
    auto results = call.getResults();
    errc failure = errc::no_such_actor;
    try {
        if (auto* found = there.service(name)) {
            results.setService(*found);
            return kj::READY_NOW;
        }
    } catch (...) {
        failure = errc::actor_failed;
        log(log_level::error,
            fmt::format(
                "the service {} cannot be made: {}", name, machine::text_of(machine::caught_exception())));
    }
    results.setFailure(static_cast<std::uint16_t>(failure));
    return kj::READY_NOW;
}

}  // namespace costar::remote
