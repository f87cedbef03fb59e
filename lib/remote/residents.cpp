// SPDX-License-Identifier: MIT

#include "residents.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace costar::machine {

tenant::~tenant()
{
    book_->leave(*this);
}

}  // namespace costar::machine

namespace costar::remote {

void residents::offer(std::string name, std::shared_ptr<const machine::kind> added)
{
    const std::lock_guard lock(mutex_);
    if (offered_.find(name) != nullptr || !added_.emplace(name, std::move(added)).second)
        throw std::logic_error(fmt::format("there is a kind \"{}\" already", name));
}

std::shared_ptr<const machine::kind> residents::kind(std::string_view name) const
{
    const std::lock_guard lock(mutex_);
    if (const auto found = added_.find(name); found != added_.end())
        return found->second;
    return offered_.find(name);
}

std::shared_ptr<machine::tenant> residents::admit(const std::string& peer)
{
    auto made = std::make_shared<machine::tenant>(shared_from_this(), peer);
    {
        const std::lock_guard lock(mutex_);
        const auto found = counts_.find(peer);
        if ((found != counts_.end() ? found->second : 0) >= spawned_max_)
            made->is_counted_ = false;
        else
            ++counts_[peer];
    }
    return made->is_counted_ ? made : nullptr;
}

void residents::enter(
    machine::tenant& one, pid who, std::shared_ptr<const machine::kind> kind, std::uint32_t number)
{
    const std::lock_guard lock(mutex_);
    entries_.insert_or_assign(who, entry{std::move(kind), number});
    one.who_ = who;
}

void residents::leave(const machine::tenant& one) noexcept
{
    if (!one.is_counted_)
        return;
    const std::lock_guard lock(mutex_);
    if (one.who_)
        entries_.erase(one.who_);
    const auto found = counts_.find(one.peer_);
    if (found != counts_.end() && --found->second == 0)
        counts_.erase(found);
}

bool residents::may_be_stopped(pid who, std::uint32_t number, std::string_view peer) const
{
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(who);
    return found != entries_.end() &&
        (found->second.number == number || found->second.kind->options.stopped_by.contains(peer));
}

bool residents::notes_refusal(std::uint32_t number, const std::string& what)
{
    constexpr std::size_t refusals_max = 65'536;
    const std::lock_guard lock(mutex_);
    if (refusals_.size() >= refusals_max)
        refusals_.clear();  // each is told once more
    return refusals_.emplace(number, what).second;
}

}  // namespace costar::remote
