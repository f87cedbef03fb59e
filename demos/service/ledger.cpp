// SPDX-License-Identifier: MIT

#include "ledger.hpp"

#include <algorithm>
#include <limits>

namespace service {

template <class Records>
auto ledger::find_in(Records& records, const step_id& step) noexcept
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
    if (const auto held = find_in(reservations_, asked.step); held != reservations_.end()) {
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
    const auto held = find_in(reservations_, step);
    if (held == reservations_.end())
        return;
    write_down(*held, now);  // the only line that can throw
    held_ -= held->of.amount;
    reservations_.erase(held);
}

void ledger::release(const step_id& step) noexcept
{
    const auto held = find_in(reservations_, step);
    if (held == reservations_.end())
        return;
    held_ -= held->of.amount;
    balance_ += held->of.amount;
    reservations_.erase(held);
}

void ledger::forget(const step_id& step) noexcept
{
    const auto known = find_in(done_, step);
    if (known != done_.end())
        done_.erase(known);
}

void ledger::keep(const step_id& step, time now)
{
    if (const auto held = find_in(reservations_, step); held != reservations_.end())
        held->of.is_kept = true;
    const auto known = find_in(done_, step);
    if (known == done_.end())
        return;
    record moved = *known;
    moved.of.is_kept = true;
    if (!has_room_for_key(moved.of, now))
        return;  // it stays where it is
    write_down(moved, now);
    done_.erase(known);
}

bool ledger::knows(const step_id& step) const noexcept
{
    return find_done(step) != nullptr || find_in(reservations_, step) != reservations_.end();
}

bool ledger::is_empty() const noexcept
{
    return balance_ == 0 && held_ == 0 && done_.empty() && kept_ == nullptr;
}

const ledger::record* ledger::find_done(const step_id& step) const noexcept
{
    if (const auto known = find_in(done_, step); known != done_.end())
        return &*known;
    if (kept_ == nullptr)
        return nullptr;
    const auto known = kept_->records.find(step);
    return known == kept_->records.end() ? nullptr : &known->second;
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
    return keys() + reservations_.size() < keys_max;  // each of which may need a place
}

void ledger::write_down(const record& done, time now)
{
    if (!done.of.is_kept || keys() >= keys_max) {
        done_.push_back(done);
        return;
    }
    if (kept_ == nullptr)
        kept_ = std::make_unique<key_book>();
    kept_->expiries.push_back({now + key_age_max, done.of.step});
    try {
        kept_->records.emplace(done.of.step, done);
    } catch (...) {
        kept_->expiries.pop_back();
        throw;
    }
}

void ledger::drop_expired(time now) noexcept
{
    if (kept_ == nullptr)
        return;
    while (!kept_->expiries.empty() && kept_->expiries.front().when <= now) {
        kept_->records.erase(kept_->expiries.front().step);
        kept_->expiries.pop_front();
    }
    if (kept_->expiries.empty())
        kept_.reset();
}

}  // namespace service
