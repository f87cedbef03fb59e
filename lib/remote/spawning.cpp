// SPDX-License-Identifier: MIT

// Actors that one node spawns for another: what the asking and what the asked node do.

#include "spawning.hpp"

#include "link.hpp"

#include <costar/core/log.hpp>
#include <costar/ground/control_characters.hpp>
#include <costar/kernel/station.hpp>
#include <costar/rpc/await.hpp>
#include <costar/wire/flat_message.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <list>
#include <new>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace costar::remote {

namespace {

constexpr std::size_t longest_name = 255;

std::span<const kj::byte> bytes_of(const std::vector<std::uint64_t>& words) noexcept
{
    return {reinterpret_cast<const kj::byte*>(words.data()), words.size() * sizeof(std::uint64_t)};
}

errc reason_of(const error& thrown) noexcept
{
    return thrown.code().category() == error_category() ? static_cast<errc>(thrown.code().value())
                                                        : errc::actor_failed;
}

}  // namespace

// What the asked node does
// ----------------------------------------------------------------------------------------------------------

void tell_of_denial(switchboard& board, const visitor& who, const std::string& what)
{
    if (!board.residents().notes_refusal(who.number, what))
        return;
    log(log_level::warning, fmt::format("node {} at {} may not {} here", who.name, who.address, what));
    board.shared().events.publish(peer_denied{who.name, who.address, what});
}

machine::spawned spawn_here(switchboard& board, const visitor& for_whom, const newcomer& wanted,
    std::uint64_t type, capnp::Data::Reader arguments)
{
    residents& book = board.residents();
    const auto kind = book.kind(wanted.kind);
    if (kind == nullptr)
        return {{}, errc::unknown_kind};
    if (for_whom.number != board.shared().node && !kind->options.spawned_by.contains(for_whom.name)) {
        tell_of_denial(board, for_whom, fmt::format("spawn the kind \"{}\"", wanted.kind));
        return {{}, errc::not_permitted};
    }
    if (type != (kind->arguments != nullptr ? kind->arguments->id : 0))
        return {{}, errc::not_understood};
    if (wanted.name.size() > longest_name)
        return {{}, errc::too_large};
    // It stands in texts and logs, and one with a dollar would be read as a place.
    if (wanted.name.starts_with('$') || std::ranges::any_of(wanted.name, machine::is_control))
        return {{}, errc::malformed};
    spawn_options how = kind->options.actor;
    if (!wanted.name.empty())
        how.name = wanted.name;
    if (how.placement == placement::beside)
        how.placement = placement::spread;
    try {
        machine::held_envelope given;
        if (kind->arguments != nullptr)
            given = wire::read_flat(*kind->arguments, arguments, board);
        const auto entry = book.admit(for_whom.name);
        if (entry == nullptr) {
            // Who asks again for a name, since it has heard nothing, is told who has it.
            if (const auto holder = board.shared().names.find(how.name))
                return {*holder, errc::name_in_use};
            return {{}, errc::too_many_actors};
        }
        const pid born =
            kind->bear(board.owner(), std::move(how), entry, given != nullptr ? given->body() : nullptr);
        book.enter(*entry, born, kind, for_whom.number);
        return {born, {}};
    } catch (const name_in_use& taken) {
        return {taken.holder(), errc::name_in_use};
    } catch (const error& failure) {
        return {{}, reason_of(failure)};
    } catch (const std::exception& failure) {
        log(log_level::warning,
            fmt::format("kind {}: an actor could not be spawned: {}", wanted.kind, failure.what()));
        return {{}, errc::actor_failed};
    }
}

machine::spawned link::spawn_for_peer(schema::Node::SpawnParams::Reader wanted)
{
    const capnp::Data::Reader arguments = wanted.getArguments();  // once: what is read is counted
    if (arguments.size() > message_max_)
        return {{}, errc::too_large};
    return spawn_here(board_, {peer_, peer_name_, address_},
        {.kind = wire::text(wanted.getKind()), .name = wire::text(wanted.getName())}, wanted.getType(),
        arguments);
}

void link::deny(const wire::codec& known)
{
    tell_of_denial(
        board_, {peer_, peer_name_, address_}, fmt::format("send the message {}", known.type->name()));
}

bool link::lets_stop(pid target) const
{
    return board_.options().lets_stop.contains(peer_name_) ||
        board_.residents().may_be_stopped(target, peer_, peer_name_);
}

void link::deny_stop(pid target, std::uint64_t request)
{
    if (denied_.size() >= owed_max) {
        settle(denied_stop(*this, request), false);
        return;
    }
    denied_stop& denied = denied_.emplace_back(*this, request);
    denied.place = std::prev(denied_.end());
    denied.token = post().expect(denied);
    post().look_at_mailbox(target.node() == board_.shared().node ? target : pid(), denied.token);
}

void denied_stop::take_it(reply_waiter& self, const machine::message_type*, void*, errc failure) noexcept
{
    auto& denied = static_cast<denied_stop&>(self);
    denied.owner->settle(denied, failure == errc::no_such_actor);
}

void link::settle(const denied_stop& denied, bool has_ended) noexcept
{
    std::list<denied_stop> taken;  // it lives as long as this
    if (denied.token != 0)
        taken.splice(taken.end(), denied_, denied.place);
    try {
        if (!has_ended)
            tell_of_denial(board_, {peer_, peer_name_, address_}, "stop actors");
        if (denied.request == 0)
            return;
        if (!has_ended) {
            refuse(denied.request, errc::not_permitted);
            return;
        }
        letter out;
        out.answers = denied.request;
        const std::monostate nothing;
        out.failure = out.write(wire::codec_of<std::monostate>, &nothing, board_);
        queue(std::move(out));
    } catch (const std::bad_alloc&) {
        // The asker's deadline ends its wait.
    }
}

// What the asking node does
// ----------------------------------------------------------------------------------------------------------

void fail(message&& asked, errc why)
{
    machine::envelope* const envelope = asked.release();
    machine::station::of(envelope->receiver()).fail(std::exchange(envelope->reply, 0), why);
    envelope->discard();
}

task<> link::spawn_there(std::shared_ptr<link_place> place, message asked)
{
    machine::envelope* const sent = asked.release();
    const std::uint64_t deadline = sent->deadline;
    asked = message(sent);
    if (place->there == nullptr) {
        fail(std::move(asked), errc::link_lost);
        co_return;
    }
    if (deadline != 0 && deadline <= place->there->post().home().now()) {
        fail(std::move(asked), errc::timed_out);
        co_return;
    }
    const auto& wanted = asked.get<machine::spawn_there>();
    if (wanted.node != 0 && wanted.node != place->there->peer_) {
        fail(std::move(asked), errc::no_such_actor);  // the life in which it was is over
        co_return;
    }
    const auto bytes = bytes_of(wanted.arguments);
    if (bytes.size() > place->there->message_max_ || wanted.what.name.size() > longest_name ||
        wanted.what.kind.size() > bytes_of_a_part) {
        fail(std::move(asked), errc::too_large);
        co_return;
    }
    auto request = place->there->node_->spawnRequest();
    request.setKind(wire::text(wanted.what.kind));
    request.setName(wire::text(wanted.what.name));
    request.setType(wanted.type);
    request.setArguments(wire::data(bytes));
    errc failure = errc::link_lost;
    try {
        auto came = co_await rpc::send(request);
        if (place->there != nullptr) {
            link& self = *place->there;
            const pid who = self.pids_.read(came.getWho());
            const machine::spawned made{
                who, came.getFailure() != 0 ? reason_from(came.getFailure()) : errc{}};
            if (made.failure == errc{} && (!who || who.node() != self.peer_)) {
                failure = errc::malformed;
            } else {
                if (made.failure == errc{} && !wanted.what.name.empty())
                    self.remember(wanted.what.name, who);
                asked.respond(made);
                co_return;
            }
        }
    } catch (const rpc::error& thrown) {
        if (thrown.kind() == rpc::errc::unimplemented)  // by a release that spawns for nobody
            failure = errc::unknown_kind;
        else
            failure = reason_of_failed_call();
    } catch (...) {
        failure = reason_of_failed_call();
    }
    fail(std::move(asked), failure);
}

// What a node does for itself
// ----------------------------------------------------------------------------------------------------------

namespace {

task<> serve_once(context& self, switchboard* board)
{
    message asked = co_await self.receive();
    if (!asked)
        co_return;
    if (asked.is<machine::look_up>()) {
        const auto& wanted = asked.get<machine::look_up>();
        const pid known =
            wanted.known ? wanted.known : board->shared().names.find(wanted.name).value_or(pid());
        if (known)
            asked.respond(known);
        else
            fail(std::move(asked), errc::no_such_actor);
    } else if (asked.is<machine::spawn_there>()) {
        const auto& wanted = asked.get<machine::spawn_there>();
        const visitor me{board->shared().node, board->options().name, board->address()};
        asked.respond(
            spawn_here(*board, me, wanted.what, wanted.type, wire::data(bytes_of(wanted.arguments))));
    }
}

}  // namespace

pid spawn_clerk(switchboard& board)
{
    try {
        return board.owner().spawn(serve_once, &board);
    } catch (const error&) {
        return {};
    }
}

}  // namespace costar::remote
