// SPDX-License-Identifier: MIT

#include "found_names.hpp"

namespace costar::remote {

bool found_names::enter(pid link, const std::string& name, pid who)
{
    const std::lock_guard lock(mutex_);
    if (by_name_.size() >= names_max)
        return false;
    const auto [place, is_new] = by_name_.emplace(std::pair(link, name), who);
    if (!is_new)
        return false;
    try {
        by_actor_.emplace(who, place);
    } catch (...) {
        by_name_.erase(place);
        throw;
    }
    return true;
}

pid found_names::find(pid link, const std::string& name) const
{
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find({link, name});
    return found != by_name_.end() ? found->second : pid();
}

std::string found_names::name_of(pid who) const
{
    const std::lock_guard lock(mutex_);
    const auto found = by_actor_.find(who);
    return found != by_actor_.end() ? found->second->first.second : std::string();
}

void found_names::forget(pid who)
{
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = by_actor_.equal_range(who);
    for (auto each = begin; each != end; ++each)
        by_name_.erase(each->second);
    by_actor_.erase(begin, end);
}

void found_names::forget_link(pid link)
{
    const std::lock_guard lock(mutex_);
    for (auto each = by_name_.lower_bound({link, std::string()});
        each != by_name_.end() && each->first.first == link;) {
        const auto [begin, end] = by_actor_.equal_range(each->second);
        for (auto entry = begin; entry != end; ++entry) {
            if (entry->second == each) {
                by_actor_.erase(entry);
                break;
            }
        }
        each = by_name_.erase(each);
    }
}

}  // namespace costar::remote
