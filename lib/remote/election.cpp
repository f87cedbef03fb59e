// SPDX-License-Identifier: MIT

#include "election.hpp"

#include <algorithm>

namespace costar::remote {

const candidate* election::find(pid link) const noexcept
{
    const auto found = std::ranges::find(all_, link, &candidate::link);
    return found != all_.end() ? &*found : nullptr;
}

const candidate* election::used() const noexcept
{
    const auto found = std::ranges::max_element(all_, {}, &candidate::used_since);
    return found != all_.end() && found->used_since != 0 ? &*found : nullptr;
}

void election::enter(candidate one)
{
    if (find(one.link) == nullptr)
        all_.push_back(std::move(one));
}

std::vector<std::uint64_t> election::told_to(pid link) const
{
    std::vector<std::uint64_t> told;
    const candidate* const first = used();
    if (first != nullptr && first->link != link)
        told.push_back(first->nonce);
    for (const candidate& each : all_)
        if (each.link != link && &each != first && !each.has_dialled && told.size() < others_max)
            told.push_back(each.nonce);
    return told;
}

const candidate* election::rival_of(pid link, const ballot& cast) const noexcept
{
    const candidate* const mine = find(link);
    const candidate* best = nullptr;
    for (const candidate& each : all_) {
        if (&each == mine)
            continue;
        const bool is_told = std::ranges::find(cast.told, each.nonce) != cast.told.end();
        const bool has_crossed = each.used_since > cast.asked;  // the welcome, on its way
        if ((is_told || has_crossed) && (best == nullptr || best->used_since == 0))
            best = &each;
    }
    for (const candidate& each : all_)
        if (best == nullptr && mine != nullptr && !each.has_dialled && each.used_since == 0 &&
            std::tie(each.dialler, each.nonce) < std::tie(mine->dialler, mine->nonce))
            best = &each;
    return best;
}

std::vector<pid> election::use(pid link, std::uint64_t turn)
{
    std::vector<pid> former;
    for (candidate& each : all_) {
        if (each.link == link)
            each.used_since = turn;
        else if (each.used_since != 0)
            former.push_back(each.link);
    }
    for (const pid each : former)
        forget(each);
    return former;
}

void election::forget(pid link)
{
    std::erase_if(all_, [&](const candidate& each) { return each.link == link; });
}

}  // namespace costar::remote
