// SPDX-License-Identifier: MIT

#include "ledger.hpp"

#include <algorithm>
#include <limits>

namespace service {

receipt ledger::credit(step_id step, std::int64_t amount)
{
    if (std::find(credited_.begin(), credited_.end(), step) != credited_.end())
        return {verdict::done, balance_};
    if (amount > std::numeric_limits<std::int64_t>::max() - balance_ - held_)
        return {verdict::overflow, balance_};
    credited_.push_back(step);  // the only line that can throw
    balance_ += amount;
    return {verdict::done, balance_};
}

receipt ledger::hold(step_id step, std::int64_t amount)
{
    if (find_held(step) != reservations_.end())
        return {verdict::done, balance_};
    if (amount > balance_)
        return {verdict::overdraft, balance_};
    reservations_.push_back({step, amount});
    balance_ -= amount;
    held_ += amount;
    return {verdict::done, balance_};
}

void ledger::settle(step_id step) noexcept
{
    const auto found = find_held(step);
    if (found == reservations_.end())
        return;
    held_ -= found->amount;
    reservations_.erase(found);
}

void ledger::release(step_id step) noexcept
{
    const auto found = find_held(step);
    if (found == reservations_.end())
        return;
    held_ -= found->amount;
    balance_ += found->amount;
    reservations_.erase(found);
}

void ledger::forget(step_id step) noexcept
{
    std::erase(credited_, step);
}

std::vector<ledger::reservation>::iterator ledger::find_held(step_id step) noexcept
{
    return std::find_if(reservations_.begin(), reservations_.end(),
        [step](const reservation& each) { return each.step == step; });
}

}  // namespace service
