// SPDX-License-Identifier: MIT

#include "admission.hpp"

#include <costar/core/error.hpp>
#include <costar/core/log.hpp>
#include <costar/core/strand_context.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace costar::remote {

namespace {

bool is_among(const std::vector<std::string>& all, const std::string& name)
{
    return std::find(all.begin(), all.end(), name) != all.end();
}

bool is_proven(const link_place& place, const std::string& name)
{
    return !place.proven_names || name.empty() || is_among(*place.proven_names, name);
}

/// What the program's function throws is for its own log: a stranger is told that it is not let in.
bool allows(switchboard& board, const std::string& name)
{
    const node_options& options = board.options();
    try {
        return !options.allows || options.allows(name);
    } catch (...) {
        const std::string why = machine::text_of(machine::caught_exception());
        const auto* const here = machine::strand_context::current();
        board.refusals().write(log_level::error, here != nullptr ? here->now() : 0, "allows",
            fmt::format("node_options::allows has thrown, so nobody is let in by it: {}", why));
        return false;
    }
}

bool is_allowed(switchboard& board, const std::string& name)
{
    const auto& named = board.options().allowed;
    return (named.empty() || (!name.empty() && is_among(named, name))) && allows(board, name);
}

}  // namespace

std::optional<agreement> admit(
    switchboard& board, pid link, link_place& place, const greeting& mine, const greeting& theirs)
{
    if (place.refused != refusal::none)
        return std::nullopt;
    refusal why = refusal::none;
    auto agreed = agree(mine, theirs, why);
    if (why != refusal::malformed)
        place.peer_name = theirs.name;
    if (agreed && !is_proven(place, theirs.name))
        why = refusal::name_not_proven;
    else if (agreed && !is_allowed(board, theirs.name))
        why = refusal::unknown_peer;
    else if (agreed && !board.book().may_be(theirs.life, theirs.name))
        why = refusal::malformed;
    else if (agreed && !board.book().take_name(theirs.name, theirs.life, theirs.address, link))
        why = refusal::name_taken;
    if (why == refusal::none)
        return agreed;
    place.refused = why;
    return std::nullopt;
}

bool admits_client(switchboard& board, const link_place& place)
{
    if (board.options().allowed.empty() && !board.options().allows)
        return true;
    return place.proven_names &&
        std::any_of(place.proven_names->begin(), place.proven_names->end(),
            [&](const std::string& name) { return is_allowed(board, name); });
}

std::string text_of(const link_place& place)
{
    return (place.by_peer ? "it refuses this node: " : "it is refused: ") + text_of(place.refused);
}

}  // namespace costar::remote
