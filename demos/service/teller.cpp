// SPDX-License-Identifier: MIT

#include "teller.hpp"

#include "transfer.hpp"

#include <costar/core/error.hpp>

#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace service {

using namespace std::chrono_literals;

namespace {

/// What is restarted however often it crashes.
constexpr costar::restart_policy always{.limit = std::numeric_limits<std::uint32_t>::max(), .within = 1s};

std::string actor_name(std::string_view account)
{
    return std::string("account/").append(account);
}

}  // namespace

std::optional<costar::address<account>> teller::find(std::string_view name) const
{
    const auto found = engine_.find(actor_name(name));
    return found ? std::optional(costar::address<account>(*found)) : std::nullopt;
}

costar::address<account> teller::open(std::string_view name)
{
    if (const auto known = find(name))
        return *known;
    try {
        const auto opened = engine_.spawn<account>(actor_name(name),
            {.restart = always, .placement = costar::placement::spread}, std::make_shared<committed>());
        counts_.accounts.add(1);
        return opened;
    } catch (const costar::name_in_use& other) {  // somebody else was faster
        return costar::address<account>(other.holder());
    }
}

costar::task<receipt> teller::deposit(costar::context& self, costar::address<account> to, std::int64_t amount)
{
    const step_id step = ++next_step_;
    struct farewell {  // on every way out the account may forget the step
        costar::context& self;
        costar::address<account> to;
        step_id step;
        ~farewell() { self.send(to, forget{step}); }
    } const after{self, to, step};
    const receipt given = co_await carry_out(self, to, credit{step, amount}, options_.answer_limit);
    if (given.outcome == verdict::done)
        counts_.deposited.add(static_cast<std::uint64_t>(amount));
    co_return given;
}

costar::task<receipt> teller::transfer(
    costar::context& self, costar::address<account> from, costar::address<account> to, std::int64_t amount)
{
    auto progress = std::make_shared<transfer_progress>();
    progress->from = from;
    progress->to = to;
    progress->step = ++next_step_;
    progress->amount = amount;
    const costar::pid started = engine_.spawn({.restart = always}, service::transfer, std::move(progress));
    const receipt given = co_await self.ask(started, transfer_outcome{}, options_.answer_limit);
    if (given.outcome == verdict::done)
        counts_.transfers.add(1);
    co_return given;
}

}  // namespace service
