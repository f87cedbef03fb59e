// SPDX-License-Identifier: MIT

#include "ledger.hpp"

#include <algorithm>
#include <limits>

namespace service {

template <class Records>
auto ledger::find(Records& records, const step_id& step) noexcept
{
    return std::find_if(
        records.begin(), records.end(), [&](const record& each) { return each.of.step == step; });
}

receipt ledger::credit(const order& asked, time now)
{
    if (const record* known = find_done(asked.step))
        return compared(asked, *known);
    if (!has_room_for_key(asked, now))
        return {verdict::full, balance_};
    if (asked.amount > std::numeric_limits<std::int64_t>::max() - balance_ - held_)
        return {verdict::overflow, balance_};
    write_down({asked, balance_ + asked.amount}, now);  // the only line that can throw
    balance_ += asked.amount;
    return {verdict::done, balance_};
}

receipt ledger::hold(const order& asked, time now)
{
    if (const record* known = find_done(asked.step))
        return compared(asked, *known);
    if (const auto held = find(reservations_, asked.step); held != reservations_.end()) {
        const receipt known = compared(asked, *held);
        return {known.outcome == verdict::repeated ? verdict::under_way : known.outcome, balance_};
    }
    if (!has_room_for_key(asked, now))
        return {verdict::full, balance_};
    if (asked.amount > balance_)
        return {verdict::overdraft, balance_};
    reservations_.push_back({asked, balance_ - asked.amount});  // the only line that can throw
    balance_ -= asked.amount;
    held_ += asked.amount;
    return {verdict::done, balance_};
}

void ledger::settle(const step_id& step, time now)
{
    const auto held = find(reservations_, step);
    if (held == reservations_.end())
        return;
    write_down(*held, now);  // the only line that can throw
    held_ -= held->of.amount;
    reservations_.erase(held);
}

void ledger::release(const step_id& step) noexcept
{
    const auto held = find(reservations_, step);
    if (held == reservations_.end())
        return;
    held_ -= held->of.amount;
    balance_ += held->of.amount;
    reservations_.erase(held);
}

void ledger::forget(const step_id& step) noexcept
{
    const auto known = find(done_, step);
    if (known != done_.end())
        done_.erase(known);
}

void ledger::keep(const step_id& step, time now)
{
    if (const auto held = find(reservations_, step); held != reservations_.end())
        held->of.is_kept = true;
    const auto known = find(done_, step);
    if (known == done_.end())
        return;
    record moved = *known;
    moved.of.is_kept = true;
    if (!has_room_for_key(moved.of, now))
        return;  // it stays where it is
    write_down(moved, now);
    done_.erase(known);
}

bool ledger::is_empty(time now) noexcept
{
    drop_expired(now);
    return balance_ == 0 && held_ == 0 && done_.empty() && kept_.empty();
}

const ledger::record* ledger::find_done(const step_id& step) const noexcept
{
    if (const auto known = find(done_, step); known != done_.end())
        return &*known;
    if (kept_.empty())
        return nullptr;
    const auto known = kept_.find(step);
    return known == kept_.end() ? nullptr : &known->second;
}

receipt ledger::compared(const order& asked, const record& known) noexcept
{
    if (asked.amount != known.of.amount || asked.payee != known.of.payee)
        return {verdict::different, known.balance};
    const bool is_same_attempt = asked.attempt == known.of.attempt;
    return {is_same_attempt ? verdict::done : verdict::repeated, known.balance};
}

bool ledger::has_room_for_key(const order& asked, time now) noexcept
{
    if (!asked.is_kept)
        return true;
    drop_expired(now);
    return kept_.size() < keys_max;
}

void ledger::write_down(const record& done, time now)
{
    if (!done.of.is_kept || kept_.size() >= keys_max) {
        done_.push_back(done);
        return;
    }
    expiries_.push_back({now + key_age_max, done.of.step});
    try {
        kept_.emplace(done.of.step, done);
    } catch (...) {
        expiries_.pop_back();
        throw;
    }
}

void ledger::drop_expired(time now) noexcept
{
    while (!expiries_.empty() && expiries_.front().when <= now) {
        kept_.erase(expiries_.front().step);
        expiries_.pop_front();
    }
}

}  // namespace service
