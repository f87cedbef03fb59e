// SPDX-License-Identifier: MIT

#include <costar/remote/spawn.hpp>

#include "switchboard.hpp"

#include <costar/kernel/station.hpp>
#include <costar/wire/flat_message.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

namespace costar::machine {

namespace {

/// After a shutdown no link is made any more.
errc reason_without_link(const post_office& where, errc reason) noexcept
{
    return where.shared().closing.load(std::memory_order_relaxed) ? errc::engine_stopped
                                                                  : reason_of_loss(reason);
}

}  // namespace

errc spawn_there::bury(post_office& where, errc reason) noexcept
{
    return reason_without_link(where, reason);
}

errc look_up::bury(post_office& where, errc reason) noexcept
{
    return reason_without_link(where, reason);
}

spawn_there spawn_there_with(const remote::switchboard& board, const remote::destination& where,
    remote::newcomer what, const wire::codec* known, const void* arguments)
{
    spawn_there made{.what = std::move(what), .node = where.actor().node()};
    if (known == nullptr)
        return made;
    wire::flat_writer& writer = remote::writer_of_thread();
    made.arguments.resize(writer.write(*known, arguments, board) / sizeof(std::uint64_t));
    writer.copy_to(reinterpret_cast<kj::byte*>(made.arguments.data()));
    made.type = known->id;
    return made;
}

namespace {

task<pid> ask_for(context& self, pid link, spawn_there wanted)
{
    const std::string name = wanted.what.name;
    const auto timeout = wanted.what.timeout.value_or(self.engine().station_at(0).shared().ask_timeout);
    const spawned made = co_await self.ask(link, std::move(wanted), timeout);
    if (made.failure == errc::name_in_use)
        throw name_in_use(name, made.who);
    if (made.failure != errc{})
        throw error(made.failure);
    co_return made.who;
}

}  // namespace

task<pid> spawn_from(context& self, const remote::destination& where, remote::newcomer what,
    const wire::codec* known, const void* arguments)
{
    const auto board = self.engine().extensions().find<std::shared_ptr<remote::switchboard>>();
    if (board == nullptr)
        throw std::logic_error("an actor can be spawned elsewhere by an engine that is a node");
    return ask_for(
        self, (*board)->node_at(where), spawn_there_with(**board, where, std::move(what), known, arguments));
}

}  // namespace costar::machine
