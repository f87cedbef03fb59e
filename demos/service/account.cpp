// SPDX-License-Identifier: MIT

#include "account.hpp"

#include <costar/actor/engine.hpp>

#include <algorithm>
#include <stdexcept>

namespace service {

receipt account::operator()(costar::context& self, credit asked)
{
    const std::int64_t before = kept_->book.balance();
    const receipt given = kept_->book.credit(asked.step, asked.amount);
    written_down(self, before);
    return given;
}

receipt account::operator()(costar::context& self, hold asked)
{
    const std::int64_t before = kept_->book.balance();
    const receipt given = kept_->book.hold(asked.step, asked.amount);
    written_down(self, before);
    return given;
}

void account::operator()(settle asked)
{
    kept_->book.settle(asked.step);
    crash_if_due();
}

receipt account::operator()(costar::context& self, release asked)
{
    const std::int64_t before = kept_->book.balance();
    kept_->book.release(asked.step);
    written_down(self, before);
    return {verdict::done, kept_->book.balance()};
}

void account::operator()(costar::context& self, watch)
{
    kept_->watchers.push_back(self.sender());
    self.send(self.sender(), balance_changed{kept_->book.balance()});
}

void account::operator()(costar::context& self, unwatch)
{
    std::erase(kept_->watchers, self.sender());
}

void account::operator()(crash asked)
{
    if (!asked.after_next_step)
        throw std::runtime_error("somebody asked for it");
    crashes_after_next_step_ = true;
}

void account::written_down(costar::context& self, std::int64_t before)
{
    if (kept_->book.balance() != before)
        for (const costar::pid watcher : kept_->watchers)
            self.send(watcher, balance_changed{kept_->book.balance()});
    crash_if_due();
}

void account::crash_if_due()
{
    if (crashes_after_next_step_)
        throw std::runtime_error("somebody asked for it, after the next step");
}

}  // namespace service
