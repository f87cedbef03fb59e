// SPDX-License-Identifier: MIT

#include "peer_book.hpp"

#include <costar/kernel/commons.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace costar::remote {

std::shared_ptr<const peer> peer_book::find_life(std::uint64_t life) const
{
    const std::shared_lock lock(mutex_);
    const auto found = by_life_.find(life);
    return found != by_life_.end() ? found->second : nullptr;
}

std::shared_ptr<const peer> peer_book::enter(
    std::uint64_t life, const std::string& address, std::uint32_t teller)
{
    const std::unique_lock lock(mutex_);
    if (const auto found = by_life_.find(life); found != by_life_.end())
        return found->second;
    auto& told = told_by_[teller];
    const std::size_t told_max = std::max<std::size_t>(lives_max_ / 16, 1);
    while (told.size() >= told_max) {
        if (const auto first = by_life_.find(told.front()); first != by_life_.end() && !first->second->is_met)
            erase(told.front());
        told.pop_front();
    }
    auto made = add(life, address);
    if (made != nullptr)
        told_by_[teller].push_back(life);  // making room may have forgotten the teller
    return made;
}

std::shared_ptr<const peer> peer_book::enter_greeted(
    std::uint64_t life, const std::string& address, const std::string& name, std::size_t unknown_features)
{
    const std::unique_lock lock(mutex_);
    const auto found = by_life_.find(life);
    const auto known = found != by_life_.end() ? found->second : add(life, address);
    if (known == nullptr)
        return nullptr;
    // Readers hold the old one; what they have seen of it stays true.
    auto changed = std::make_shared<peer>(*known);
    changed->address = address;
    changed->name = name;
    changed->unknown_features = unknown_features;
    if (!std::exchange(changed->is_met, true))
        met_.push_back(life);
    if (!name.empty())
        by_name_[name] = changed->number;
    change();
    by_number_[changed->number] = changed;
    return by_life_[life] = std::move(changed);
}

bool peer_book::may_be(std::uint64_t life, const std::string& name) const
{
    const std::shared_lock lock(mutex_);
    const auto found = by_life_.find(life);
    return found == by_life_.end() || !found->second->is_met || found->second->name == name;
}

std::shared_ptr<const peer> peer_book::add(std::uint64_t life, const std::string& address)
{
    if (by_life_.size() >= lives_max_ && !make_room())
        return nullptr;
    const auto made = std::make_shared<const peer>(
        peer{.number = machine::next_node_number(), .life = life, .address = address});
    by_life_.emplace(life, made);
    by_number_.emplace(made->number, made);
    change();
    return made;
}

/// Forgets the node that was met first of those without a link; else the one that was told of first by the
/// node that tells of most.
bool peer_book::make_room()
{
    for (std::size_t left = met_.size(); left != 0; --left) {
        const std::uint64_t life = met_.front();
        met_.pop_front();
        const std::uint32_t number = by_life_.at(life)->number;
        if (!links_.contains(number) && !elections_.contains(number)) {
            erase(life);
            return true;
        }
        met_.push_back(life);
    }
    for (;;) {
        const auto most = std::max_element(told_by_.begin(), told_by_.end(),
            [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
        if (most == told_by_.end() || most->second.empty())
            return false;
        const std::uint64_t life = most->second.front();
        most->second.pop_front();
        if (const auto found = by_life_.find(life); found != by_life_.end() && !found->second->is_met) {
            erase(life);
            return true;
        }
    }
}

void peer_book::erase(std::uint64_t life)
{
    const auto found = by_life_.find(life);
    const auto& known = *found->second;
    if (const auto named = by_name_.find(known.name);
        named != by_name_.end() && named->second == known.number)
        by_name_.erase(named);
    told_by_.erase(known.number);
    taken_by_.erase(known.number);
    by_number_.erase(known.number);
    by_life_.erase(found);
    change();
}

peer_book::taker peer_book::take_over(std::uint32_t number, pid ended, taker link)
{
    const std::unique_lock lock(mutex_);
    taker& now = taken_by_[number];
    if (now.link && now.link != ended && now.link != link.link)
        return now;
    now = link;
    return {};
}

peer_book::way peer_book::find(std::uint32_t number) const
{
    const std::shared_lock lock(mutex_);
    const auto known = by_number_.find(number);
    if (known == by_number_.end())
        return {};
    const auto used = links_.find(number);
    return {known->second, used != links_.end() ? used->second.link : pid()};
}

peer_book::way peer_book::find_name(const std::string& name) const
{
    std::uint32_t number = 0;
    {
        const std::shared_lock lock(mutex_);
        const auto found = by_name_.find(name);
        if (found == by_name_.end())
            return {};
        number = found->second;
    }
    return find(number);
}

std::vector<peer_figures> peer_book::figures() const
{
    std::map<std::uint32_t, std::shared_ptr<const peer>> known;
    {
        const std::shared_lock lock(mutex_);
        for (const auto& [number, each] : by_number_)
            if (each->counters->links.load(std::memory_order_relaxed) != 0)
                known.emplace(number, each);
    }
    std::vector<peer_figures> all;
    for (const auto& [number, each] : known) {
        const link_counters& from = *each->counters;
        peer_figures& to = all.emplace_back();
        to.name = each->name;
        to.address = each->address;
        to.unknown_features = each->unknown_features;
        to.is_connected = from.links_now.load(std::memory_order_relaxed) != 0;
        const std::chrono::nanoseconds changed(from.changed_at.load(std::memory_order_relaxed));
        to.since = std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(changed));
        to.links = from.links.load(std::memory_order_relaxed);
        to.sent = from.sent.load(std::memory_order_relaxed);
        to.received = from.received.load(std::memory_order_relaxed);
        to.batches = from.batches.load(std::memory_order_relaxed);
        to.bytes_sent = from.bytes_sent.load(std::memory_order_relaxed);
        to.bytes_received = from.bytes_received.load(std::memory_order_relaxed);
        to.waiting = each->waiting->count.load(std::memory_order_relaxed);
        to.bytes_waiting = each->waiting->bytes.load(std::memory_order_relaxed);
        const auto time = [](const std::atomic<std::int64_t>& of) {
            return std::chrono::nanoseconds(of.load(std::memory_order_relaxed));
        };
        to.round_trip = time(from.round_trip);
        to.times = {time(from.until_taken), time(from.until_written), time(from.until_answered)};
        to.overdue = from.overdue.load(std::memory_order_relaxed);
    }
    return all;
}

bool peer_book::take_name(const std::string& name, std::uint64_t life, const std::string& address, pid link)
{
    if (name.empty())
        return true;
    const std::unique_lock lock(mutex_);
    const auto [found, is_new] = names_.try_emplace(name, holder{life, address, {link}});
    holder& known = found->second;
    if (known.life != life) {
        if (address.empty() || address != known.address)
            return false;
        known = {life, address, {}};
    }
    known.links.insert(link);
    return true;
}

std::string peer_book::other_at(const std::string& address, const std::string& name) const
{
    const std::shared_lock lock(mutex_);
    for (const auto& [other, known] : names_)
        if (known.address == address && other != name)
            return other;
    return {};
}

void peer_book::forget_name(pid link)
{
    for (auto each = names_.begin(); each != names_.end();) {
        const bool is_last = each->second.links.erase(link) != 0 && each->second.links.empty();
        each = is_last ? names_.erase(each) : std::next(each);
    }
}

void peer_book::route(const watch_across& watch, pid link)
{
    const std::unique_lock lock(mutex_);
    routes_[watch] = link;
}

pid peer_book::route_of(const watch_across& watch) const
{
    const std::shared_lock lock(mutex_);
    const auto found = routes_.find(watch);
    return found != routes_.end() ? found->second : pid();
}

bool peer_book::unroute(const watch_across& watch, pid link)
{
    const std::unique_lock lock(mutex_);
    const auto found = routes_.find(watch);
    if (found == routes_.end() || found->second != link)
        return false;
    routes_.erase(found);
    return true;
}

void peer_book::rest(const std::string& address, std::uint64_t now, std::uint64_t pause_min,
    std::uint64_t pause_max, std::uint64_t chance)
{
    constexpr std::size_t many = 4096;
    const std::unique_lock lock(mutex_);
    if (pauses_.size() >= many)
        std::erase_if(pauses_, [&](const auto& each) { return each.second.until + pause_max < now; });
    pause& known = pauses_[address];
    known.length = std::clamp(known.length * 2, pause_min, pause_max);
    known.until = now + known.length - chance % (known.length / 4 + 1);
}

void peer_book::reached(const std::string& address)
{
    const std::unique_lock lock(mutex_);
    pauses_.erase(address);
}

bool peer_book::rests(const std::string& address, std::uint64_t now) const
{
    const std::shared_lock lock(mutex_);
    const auto found = pauses_.find(address);
    return found != pauses_.end() && now < found->second.until;
}

}  // namespace costar::remote
