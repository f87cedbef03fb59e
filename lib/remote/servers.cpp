// SPDX-License-Identifier: MIT

#include "servers.hpp"

#include "admission.hpp"

#include "actor_server.hpp"
#include "sink.hpp"

#include <costar/core/log.hpp>

#include <fmt/format.h>

namespace costar::remote {

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
    present().be_used();
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
