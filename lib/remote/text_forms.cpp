// SPDX-License-Identifier: MIT

// How actors of several nodes stand in texts.

#include "address.hpp"
#include "spawning.hpp"
#include "switchboard.hpp"

#include <costar/remote/node.hpp>

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace costar::remote {

namespace {

/// Where an actor is on a node, and the life of that.
struct place_of_actor {
    pid who;
    std::uint64_t life = 0;
};

/// Reads "$strand-slot-generation-life".
std::optional<place_of_actor> place_from(std::string_view text)
{
    const std::size_t dash = text.rfind('-');
    if (!text.starts_with('$') || dash == std::string_view::npos)
        return std::nullopt;
    const auto who = pid::parse(fmt::format("0/{}", text.substr(0, dash)));
    std::uint64_t life = 0;
    const char* const end = text.data() + text.size();
    const auto [read_to, failure] = std::from_chars(text.data() + dash + 1, end, life);
    if (!who || failure != std::errc() || read_to != end || life == 0)
        return std::nullopt;
    return place_of_actor{*who, life};
}

bool is_address(const std::string& text) noexcept
{
    return !address_or_none(text).empty();
}

}  // namespace

std::string switchboard::text_of(pid who) const
{
    const bool is_own = who.node() == shared_.node;
    const auto known = is_own ? nullptr : book_.find(who.node()).to;
    if (!who || (!is_own && known == nullptr))
        return who.to_string();
    const std::string& address = is_own ? address_ : known->address;
    const std::string& node = address.empty() ? (is_own ? options_.name : known->name) : address;
    if (address.empty() && !is_name_for_texts(node))
        return who.to_string();
    std::string name = is_own ? shared_.names.name_of(who) : names_.name_of(who);
    if (name.empty() || place_from(name))  // which would be that of another one
        name = fmt::format(
            "${}-{}-{}-{}", who.strand(), who.slot(), who.generation(), is_own ? life_ : known->life);
    return node + (is_unix_address(node) ? ":/" : "/") + name;
}

/// Nobody where the engine is stopping: whoever asks that is told so.
pid switchboard::node_at(const destination& where)
try {
    if (const pid known = where.actor()) {
        if (known.node() == shared_.node)
            return spawn_clerk(*this);
        return link_of(book_.find(known.node()));
    }
    const std::string& text = where.text();
    if ((!address_.empty() && text == address_) || (!options_.name.empty() && text == options_.name))
        return spawn_clerk(*this);
    // A peer may call itself as an address.
    if (const auto way = is_address(text) ? peer_book::way() : book_.find_name(text); way.to != nullptr)
        return link_of(way);
    if (text.find(':') == std::string::npos && !text.empty())
        return {};  // the name of a node that has not been met
    check_address(text);
    return link_to(text);
} catch (const error& failure) {
    if (failure.code() != errc::engine_stopped)
        throw;
    return {};
}

std::pair<pid, machine::look_up> switchboard::way_to(std::string_view text)
{
    std::string node;
    machine::look_up wanted;
    if (is_unix_address(text)) {
        std::tie(node, wanted.name) = address_and_name(text);
    } else {
        const std::size_t slash = text.find('/');
        if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size())
            throw std::invalid_argument(fmt::format("\"{}\" names no actor of a node: write host:port/name, "
                                                    "node/name or unix:/run/x.sock:/name",
                text));
        node = text.substr(0, slash);
        wanted.name = text.substr(slash + 1);
    }
    const auto place = place_from(wanted.name);
    if (!place)
        return {node_at(node), std::move(wanted)};
    std::uint32_t number = shared_.node;
    if (place->life != life_) {
        if (!is_address(node) && book_.find_name(node).to == nullptr)
            return {node_at(node), std::move(wanted)};
        const auto known = book_.enter(place->life, address_or_none(node));
        if (known == nullptr)
            return {pid(), std::move(wanted)};
        number = known->number;
    }
    wanted.known = pid(number, place->who.strand(), place->who.slot(), place->who.generation());
    return {spawn_clerk(*this), std::move(wanted)};
}

std::string node::text_of(pid who) const
{
    return board_->text_of(who);
}

std::pair<pid, machine::look_up> node::way_to(std::string_view where)
{
    return board_->way_to(where);
}

pid node::node_at(const destination& where)
{
    return board_->node_at(where);
}

}  // namespace costar::remote
