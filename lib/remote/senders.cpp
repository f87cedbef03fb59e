// SPDX-License-Identifier: MIT

#include <costar/remote/senders.hpp>

#include <algorithm>

namespace costar::remote {

namespace {

bool are_among(const peers& all, std::span<const std::string> names)
{
    return all.contains({}) ||
        std::any_of(names.begin(), names.end(), [&](const std::string& name) { return all.contains(name); });
}

}  // namespace

void senders::enter(std::uint64_t type, const peers& who)
{
    listed_.insert_or_assign(type, who);
}

machine::permitted_types senders::permit(std::span<const std::string> names) const
{
    const bool are_others = are_among(others_, names);
    std::vector<std::uint64_t> exceptions;
    for (const auto& [type, who] : listed_)
        if (are_among(who, names) != are_others)
            exceptions.push_back(type);
    return {are_others, std::move(exceptions)};
}

}  // namespace costar::remote
