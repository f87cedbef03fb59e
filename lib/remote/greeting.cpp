// SPDX-License-Identifier: MIT

#include "greeting.hpp"

#include <costar/ground/control_characters.hpp>
#include <costar/wire/mapping.hpp>

#include <algorithm>

namespace costar::remote {

namespace {

constexpr std::uint32_t elects_feature = 1;

}  // namespace

greeting greeting::read(schema::Greeting::Reader from)
{
    greeting read{from.getNewest(), from.getOldest(), wire::text(from.getName()), from.getLife(),
        wire::text(from.getAddress()), from.getMessageMax(), from.getNonce()};
    const auto features = from.getFeatures();
    read.unknown_features = features.size();
    if (read.unknown_features > features_max)
        return read;
    for (const auto each : features) {
        read.feature_bytes += each.getValue().size();
        read.elects |= each.getNumber() == elects_feature;
        read.unknown_features -= each.getNumber() == elects_feature ? 1 : 0;
    }
    return read;
}

void greeting::write(schema::Greeting::Builder to) const
{
    to.setNewest(newest);
    to.setOldest(oldest);
    to.setName(wire::text(name));
    to.setLife(life);
    if (!address.empty())
        to.setAddress(wire::text(address));
    to.setMessageMax(message_max);
    to.setNonce(nonce);
    if (elects)
        to.initFeatures(1)[0].setNumber(elects_feature);
}

bool is_name(std::string_view name) noexcept
{
    return name.size() <= 255 && std::ranges::none_of(name, machine::is_control);
}

std::optional<agreement> agree(const greeting& mine, const greeting& theirs, refusal& why)
{
    const std::uint16_t protocol = std::min(mine.newest, theirs.newest);
    if (!is_name(theirs.name) || theirs.life == 0 || theirs.oldest > theirs.newest ||
        theirs.message_max == 0 || theirs.unknown_features > features_max ||
        theirs.feature_bytes > feature_bytes_max)
        why = refusal::malformed;
    else if (theirs.life == mine.life)
        why = refusal::is_itself;
    else if (protocol < std::max(mine.oldest, theirs.oldest))
        why = refusal::no_common_protocol;
    else if (!theirs.name.empty() && theirs.name == mine.name)
        why = refusal::name_taken;
    else
        return agreement{protocol, std::min(mine.message_max, theirs.message_max)};
    return std::nullopt;
}

}  // namespace costar::remote
