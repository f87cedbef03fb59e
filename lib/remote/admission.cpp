// SPDX-License-Identifier: MIT

#include "admission.hpp"

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

bool is_allowed(const node_options& options, const std::string& name)
{
    return (options.allowed.empty() || (!name.empty() && is_among(options.allowed, name))) &&
        (!options.allows || options.allows(name));
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
    else if (agreed && !is_allowed(board.options(), theirs.name))
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

bool admits_client(const node_options& options, const link_place& place)
{
    if (options.allowed.empty() && !options.allows)
        return true;
    return place.proven_names &&
        std::any_of(place.proven_names->begin(), place.proven_names->end(),
            [&](const std::string& name) { return is_allowed(options, name); });
}

std::string text_of(const link_place& place)
{
    return (place.by_peer ? "it refuses this node: " : "it is refused: ") + text_of(place.refused);
}

}  // namespace costar::remote
