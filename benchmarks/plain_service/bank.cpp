// SPDX-License-Identifier: MIT

#include "bank.hpp"

#include <fmt/format.h>

#include <limits>

namespace plain {

using service::http::status;
using service::refusal;

namespace {

std::int64_t& at(std::unordered_map<std::string, std::int64_t>& balances, const std::string& name)
{
    const auto found = balances.find(name);
    if (found == balances.end())
        throw refusal(status::not_found, fmt::format("there is no account {}", name));
    return found->second;
}

void add(std::int64_t& balance, std::int64_t amount)
{
    if (amount > std::numeric_limits<std::int64_t>::max() - balance)
        throw refusal(status::bad_request, "the balance would exceed 9223372036854775807");
    balance += amount;
}

}  // namespace

std::int64_t bank::deposit(const std::string& name, std::int64_t amount)
{
    part& here = part_of(name);
    const std::lock_guard lock(here.mutex);
    std::int64_t& balance = here.balances[name];
    add(balance, amount);
    return balance;
}

std::int64_t bank::transfer(const service::transfer_order& order)
{
    part& from_part = part_of(order.from);
    part& to_part = part_of(order.to);
    std::unique_lock first(from_part.mutex, std::defer_lock);
    std::unique_lock second(to_part.mutex, std::defer_lock);
    if (&from_part == &to_part)
        first.lock();
    else
        std::lock(first, second);
    std::int64_t& from = at(from_part.balances, order.from);
    std::int64_t& to = at(to_part.balances, order.to);
    if (order.amount > from)
        throw refusal(status::conflict, fmt::format("{} has only {}", order.from, from));
    add(to, order.amount);
    from -= order.amount;
    return from;
}

std::int64_t bank::balance(const std::string& name) const
{
    const part& here = part_of(name);
    const std::lock_guard lock(here.mutex);
    const auto found = here.balances.find(name);
    if (found == here.balances.end())
        throw refusal(status::not_found, fmt::format("there is no account {}", name));
    return found->second;
}

std::size_t bank::size() const
{
    std::size_t all = 0;
    for (const part& each : parts_) {
        const std::lock_guard lock(each.mutex);
        all += each.balances.size();
    }
    return all;
}

}  // namespace plain
