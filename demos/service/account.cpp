// SPDX-License-Identifier: MIT

#include "account.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace service {

using namespace std::chrono_literals;

namespace {

/// Tells the watchers what they have not been told. In between it pauses and does not just yield: those who
/// were told write to their sockets then, and the sockets of others have their turn.
costar::task<> tell_all(costar::context& self, std::shared_ptr<committed> kept)
{
    while (!kept->watchers->tell_some(self))
        co_await costar::sleep_for(4ms);
    kept->watchers->is_being_told = false;
}

}  // namespace

void audience::remove(costar::pid who)
{
    std::erase_if(watchers_, [who](const watcher& each) { return each.who == who; });
}

void audience::note(std::int64_t balance)
{
    changes_.push_back(balance);
    if (changes_.size() <= behind_max)
        return;
    changes_.pop_front();
    ++first_;
}

bool audience::tell_some(costar::context& self)
{
    std::size_t left = batch;
    for (std::size_t seen = 0; seen < watchers_.size(); ++seen, ++turn_) {
        if (turn_ >= watchers_.size())
            turn_ = 0;
        watcher& told = watchers_[turn_];
        if (told.next < first_)
            told.next = end() - 1;
        for (; told.next != end(); ++told.next, --left) {
            if (left == 0)
                return false;
            self.send(told.who, balance_changed{changes_[told.next - first_]});
        }
    }
    first_ = end();
    changes_.clear();
    return true;
}

receipt account::operator()(costar::context& self, const credit& asked)
{
    ledger& book = kept_->book;
    const std::int64_t before = book.balance();
    const std::size_t keys = book.keys();
    if (asked.asked.is_kept && !has_room(asked.asked))
        return {verdict::full, before};
    const receipt given = book.credit(asked.asked, self.now());
    if (asked.asked.payee == 0 && book.balance() != before)
        counts(self).deposited.add(static_cast<std::uint64_t>(asked.asked.amount));
    count_keys(self, keys);
    written_down(self, before);
    return given;
}

receipt account::operator()(costar::context& self, const hold& asked)
{
    ledger& book = kept_->book;
    const std::int64_t before = book.balance();
    if (asked.asked.is_kept && !has_room(asked.asked))
        return {verdict::full, before};
    const receipt given = book.hold(asked.asked, self.now());
    written_down(self, before);
    return given;
}

void account::operator()(costar::context& self, const settle& asked)
{
    const std::size_t keys = kept_->book.keys();
    kept_->book.settle(asked.step, self.now());
    count_keys(self, keys);
    crash_if_due(self);
    look_again(self);
}

void account::operator()(costar::context& self, const keep& asked)
{
    const std::size_t keys = kept_->book.keys();
    kept_->book.keep(asked.step, self.now());
    count_keys(self, keys);
}

receipt account::operator()(costar::context& self, const release& asked)
{
    const std::int64_t before = kept_->book.balance();
    kept_->book.release(asked.step);
    written_down(self, before);
    return {verdict::done, kept_->book.balance()};
}

void account::operator()(costar::context& self, watch)
{
    if (kept_->watchers == nullptr)
        kept_->watchers = std::make_unique<audience>();
    kept_->watchers->add(self.sender());
    self.send(self.sender(), balance_changed{kept_->book.balance()});
}

void account::operator()(costar::context& self, unwatch)
{
    if (kept_->watchers != nullptr)
        kept_->watchers->remove(self.sender());
    look_again(self);
}

void account::operator()(costar::context& self, crash asked)
{
    crashes_after_next_step_ = true;
    if (!asked.after_next_step)
        crash_if_due(self);
}

void account::operator()(costar::context& self, look_for_use)
{
    looks_again_ = false;
    const std::size_t keys = kept_->book.keys();
    kept_->book.drop_expired(self.now());
    count_keys(self, keys);
    if (kept_->book.is_empty() && !kept_->is_watched() && self.mailbox_size() == 0) {
        counts(self).accounts_ended.add(1);
        self.stop();
        return;
    }
    look_again(self);
}

void account::operator()(costar::context& self, go_on)
{
    tell_watchers(self);
    look_again(self);
}

void account::written_down(costar::context& self, std::int64_t before)
{
    if (kept_->book.balance() != before && kept_->is_watched()) {
        kept_->watchers->note(kept_->book.balance());
        tell_watchers(self);
    }
    crash_if_due(self);
}

void account::tell_watchers(costar::context& self)
{
    audience* watchers = kept_->watchers.get();
    if (watchers == nullptr || watchers->is_being_told || watchers->tell_some(self))
        return;
    watchers->is_being_told = true;
    self.spawn_task(tell_all(self, kept_));
}

void account::crash_if_due(costar::context& self)
{
    if (!crashes_after_next_step_)
        return;
    self.send(self.pid(), go_on{});
    throw std::runtime_error("somebody asked for it");
}

void account::look_again(costar::context& self)
{
    const bool may_end = kept_->book.balance() == 0 && !kept_->is_watched();
    if (looks_again_ || (!may_end && kept_->book.keys() == 0))
        return;
    looks_again_ = true;
    self.send_after(may_end ? rules_.options->account_limit : std::chrono::nanoseconds(ledger::key_age_max),
        self.pid(), look_for_use{});
}

bool account::has_room(const order& asked) const noexcept
{
    std::uint64_t all = 0;
    for (const tally& part : *rules_.tallies)
        all += part.keys_kept.value() - part.keys_dropped.value();
    return all < options::keys_max || kept_->book.knows(asked.step);
}

void account::count_keys(costar::context& self, std::size_t before)
{
    const std::size_t now = kept_->book.keys();
    if (now == before)
        return;
    if (now > before)
        counts(self).keys_kept.add(now - before);
    else
        counts(self).keys_dropped.add(before - now);
    look_again(self);
}

}  // namespace service
