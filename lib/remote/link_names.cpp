// SPDX-License-Identifier: MIT

// What a link finds by name on the other side.

#include "link.hpp"
#include "spawning.hpp"

#include <costar/rpc/await.hpp>

#include <utility>

namespace costar::remote {

errc reason_of_failed_call() noexcept
{
    try {
        throw;
    } catch (const rpc::error& thrown) {
        return thrown.kind() == rpc::errc::disconnected ? errc::link_lost : errc::malformed;
    } catch (const error& thrown) {
        return thrown.code() == errc::cancelled ? errc::link_lost : errc::malformed;
    } catch (...) {
        return errc::malformed;
    }
}

task<> link::look_up_there(std::shared_ptr<link_place> place, message asked)
{
    errc failure = errc::link_lost;
    if (place->there != nullptr) {
        const std::string& name = asked.get<machine::look_up>().name;
        if (const pid known = place->there->board_.names().find(place->there->self_.pid(), name)) {
            asked.respond(known);
            co_return;
        }
        if (name.size() > place->there->message_max_) {
            fail(std::move(asked), errc::too_large);
            co_return;
        }
        auto request = place->there->node_->findRequest();
        request.setName(wire::text(name));
        try {
            auto found = co_await rpc::send(request);
            if (place->there != nullptr) {
                if (const pid who = place->there->pids_.read(found.getWho())) {
                    place->there->remember(name, who);
                    asked.respond(who);
                    co_return;
                }
                failure = errc::no_such_actor;
            }
        } catch (...) {
            failure = reason_of_failed_call();
        }
    }
    fail(std::move(asked), failure);
}

void link::remember(const std::string& name, pid who)
{
    if (who.node() != peer_)
        return;
    found_names& names = board_.names();
    if (const pid former = names.find(self_.pid(), name); former && former != who)
        names.forget(former);  // it has ended, and the news of that are on their way
    if (!names.enter(self_.pid(), name, who))
        return;
    news_.push_back({{.what = machine::outbound_signal::kind::watch, .to = who, .about = self_.pid()}});
    wake();
}

}  // namespace costar::remote
