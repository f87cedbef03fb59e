// SPDX-License-Identifier: MIT

// Which link leads to a node.

#include "peer_book.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace costar::remote {

/// For the node with this number, if it is one.
void peer_book::lead(std::uint32_t number, pid dialling)
{
    if (number == 0)
        return;
    links_.emplace(number, entry{dialling, true});
    change();
}

pid peer_book::join(const std::string& address, std::uint32_t number)
{
    const std::unique_lock lock(mutex_);
    if (const auto used = links_.find(number); used != links_.end())
        return used->second.link;
    for (const auto* const known : {&dialled_, &yielded_})
        if (const auto found = known->find(address); found != known->end()) {
            lead(number, found->second);
            return found->second;
        }
    return {};
}

pid peer_book::claim(const std::string& address, std::uint32_t number, pid dialling)
{
    const std::unique_lock lock(mutex_);
    if (const auto used = links_.find(number); used != links_.end())
        return used->second.link;  // the peer was faster
    if (const auto found = dialled_.find(address); found != dialled_.end())
        dialling = found->second;
    else if (ended_.erase(dialling) == 0)
        dialled_.emplace(address, dialling);
    else
        return dialling;
    lead(number, dialling);
    return dialling;
}

std::vector<pid> peer_book::greeted(std::uint32_t number, pid link, bool has_dialled)
{
    const std::unique_lock lock(mutex_);
    const auto [found, is_new] = links_.emplace(number, entry{link, has_dialled});
    change();
    if (is_new || found->second.link == link || found->second.has_dialled || has_dialled)
        return {};
    return {std::exchange(found->second, entry{link, has_dialled}).link};
}

void peer_book::meet(std::uint32_t number, candidate one)
{
    const std::unique_lock lock(mutex_);
    elections_[number].enter(std::move(one));
}

std::vector<std::uint64_t> peer_book::told_to(std::uint32_t number, pid link) const
{
    const std::shared_lock lock(mutex_);
    const auto known = elections_.find(number);
    return known != elections_.end() ? known->second.told_to(link) : std::vector<std::uint64_t>();
}

std::uint64_t peer_book::turn()
{
    const std::unique_lock lock(mutex_);
    return ++turns_;
}

peer_book::verdict peer_book::elect(std::uint32_t number, pid link, const election::ballot& cast)
{
    const std::unique_lock lock(mutex_);
    election& here = elections_[number];
    const candidate* const rival = here.rival_of(link, cast);
    if (rival == nullptr)
        return take(number, link);
    verdict found;
    found.yields_to = rival->link;
    hand_over(link, *rival);
    return found;
}

peer_book::verdict peer_book::use(std::uint32_t number, pid link)
{
    const std::unique_lock lock(mutex_);
    return take(number, link);
}

/// The link is used. One that still dials keeps what leads to it, until it yields.
peer_book::verdict peer_book::take(std::uint32_t number, pid link)
{
    verdict found;
    election& here = elections_[number];
    found.former = here.use(link, ++turns_);
    const entry mine{link, here.find(link)->has_dialled};
    const auto [used, is_new] = links_.try_emplace(number, mine);
    if (std::ranges::find(found.former, used->second.link) != found.former.end())
        used->second = mine;
    if (used->second.link != link)
        found.dialling.push_back(used->second.link);
    if (const pid dialling = dialling_to(number);
        dialling && dialling != link && dialling != used->second.link)
        found.dialling.push_back(dialling);
    change();
    return found;
}

/// What leads to a link leads to another one from now on.
void peer_book::hand_over(pid link, const candidate& to)
{
    to.handing_over->fetch_add(1, std::memory_order_relaxed);  // seen by whoever is led there, by the lock
    for (auto& [number, each] : links_)
        if (each.link == link)
            each = {to.link, to.has_dialled};
    std::erase_if(dialled_, [&](const auto& each) {
        if (each.second != link)
            return false;
        yielded_.insert_or_assign(each.first, to.link);
        yielding_.insert(link);
        return true;
    });
    change();
}

pid peer_book::yield(pid link)
{
    const std::unique_lock lock(mutex_);
    for (const auto& [number, each] : elections_) {
        const candidate* const used = each.used();
        if (used == nullptr || used->link == link)
            continue;
        const auto leads = links_.find(number);
        if ((leads != links_.end() && leads->second.link == link) || dialling_to(number) == link) {
            hand_over(link, *used);
            return used->link;
        }
    }
    return {};
}

/// Who dials where a node says that it can be dialled.
pid peer_book::dialling_to(std::uint32_t number) const
{
    const auto known = by_number_.find(number);
    const auto found = known != by_number_.end() ? dialled_.find(known->second->address) : dialled_.end();
    return found != dialled_.end() ? found->second : pid();
}

std::vector<pid> peer_book::links() const
{
    const std::shared_lock lock(mutex_);
    std::set<pid> all;
    for (const auto& [number, each] : links_)
        all.insert(each.link);
    for (const auto& [address, link] : dialled_)
        all.insert(link);
    return {all.begin(), all.end()};
}

void peer_book::forget_use(pid link)
{
    for (auto each = links_.begin(); each != links_.end();) {
        if (each->second.link != link) {
            ++each;
            continue;
        }
        const auto known = elections_.find(each->first);
        const candidate* const used = known != elections_.end() ? known->second.used() : nullptr;
        if (used != nullptr)
            (each++)->second = {used->link, used->has_dialled};
        else
            each = links_.erase(each);
        change();
    }
}

void peer_book::forget(pid link, std::uint32_t number)
{
    const std::unique_lock lock(mutex_);
    if (const auto known = elections_.find(number); known != elections_.end()) {
        known->second.forget(link);
        if (known->second.empty())
            elections_.erase(known);
    }
    std::erase_if(yielded_, [&](const auto& each) { return each.second == link; });
    forget_use(link);
    forget_name(link);
}

void peer_book::forget_dialling(pid link)
{
    const std::unique_lock lock(mutex_);
    forget_use(link);
    if (std::erase_if(dialled_, [&](const auto& each) { return each.second == link; }) == 0 &&
        yielding_.erase(link) == 0)
        ended_.insert(link);
}

}  // namespace costar::remote
