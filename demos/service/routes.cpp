// SPDX-License-Identifier: MIT

#include "routes.hpp"

#include <costar/core/error.hpp>

#include <fmt/format.h>

namespace service {

namespace {

costar::address<account> find_account(const teller& bank, std::string_view name)
{
    const auto found = bank.find(name);
    if (!found)
        throw refusal(http::status::not_found, fmt::format("there is no account {}", name));
    return *found;
}

void require_done(const receipt& given, std::string_view account)
{
    switch (given.outcome) {
    case verdict::done:
        return;
    case verdict::overdraft:
        throw refusal(http::status::conflict, fmt::format("{} has only {}", account, given.balance));
    case verdict::overflow:
        throw refusal(http::status::bad_request, "the balance would exceed 9223372036854775807");
    }
}

/// An account that is told to crash answers by crashing.
costar::task<> make_crash(costar::context& self, costar::address<account> victim, bool after_next_step,
    std::chrono::nanoseconds limit)
{
    try {
        co_await self.ask(victim, crash{after_next_step}, limit);
    } catch (const costar::error& failure) {
        if (failure.code() != costar::errc::actor_failed)
            throw;
    }
}

response answer_stats(const teller& bank)
{
    const totals counts = bank.all_counts();
    return answer(http::status::ok,
        fmt::format(R"({{"accounts":{},"deposited":{},"transfers":{},"requests":{},"refused":{},)"
                    R"("connections":{},"restarts":{}}})",
            counts.accounts, counts.deposited, counts.transfers, counts.requests, counts.refused,
            counts.connections, bank.engine().figures().restarts));
}

costar::task<response> route(costar::context& self, teller& bank, const request& asked)
{
    const target named = read_target(asked.target());
    require_method(asked, method_for(named.what));
    switch (named.what) {
    case target::kind::deposit: {
        const std::int64_t amount = read_amount(asked.body());
        const receipt given = co_await bank.deposit(self, bank.open(named.account), amount);
        require_done(given, named.account);
        co_return answer_balance(named.account, given.balance);
    }
    case target::kind::transfers: {
        const transfer_order order = read_transfer(asked.body());
        const auto from = find_account(bank, order.from);
        const auto to = find_account(bank, order.to);
        const receipt given = co_await bank.transfer(self, from, to, order.amount);
        require_done(given, order.from);
        co_return answer_transferred(order, given.balance);
    }
    case target::kind::account: {
        const auto found = find_account(bank, named.account);
        co_return answer_balance(
            named.account, co_await self.ask(found, read_balance{}, bank.options().answer_limit));
    }
    case target::kind::crash: {
        const auto victim = find_account(bank, named.account);
        co_await make_crash(self, victim, named.crashes_after_next_step, bank.options().answer_limit);
        co_return answer(http::status::accepted, R"({"crashed":true})");
    }
    case target::kind::stats:
        co_return answer_stats(bank);
    case target::kind::watch:
        find_account(bank, named.account);
        throw refusal(http::status::upgrade_required, "this is for WebSocket clients");
    }
    throw refusal(http::status::not_found, "there is nothing here");
}

}  // namespace

costar::task<response> answer_request(costar::context& self, teller& bank, const request& asked)
{
    try {
        co_return co_await route(self, bank, asked);
    } catch (const refusal& refused) {
        response made = answer_refused(refused.status(), refused.what());
        if (refused.status() == http::status::method_not_allowed)
            made.set(http::field::allow, http::to_string(method_for(read_target(asked.target()).what)));
        if (refused.status() == http::status::upgrade_required)
            made.set(http::field::upgrade, "websocket");
        co_return made;
    } catch (const costar::error& failure) {
        const bool late = failure.code() == costar::errc::timed_out;
        co_return answer_refused(late ? http::status::gateway_timeout : http::status::service_unavailable,
            late ? "not known in time; it may still be done" : failure.what());
    }
}

costar::address<account> find_watched(const teller& bank, const request& asked)
{
    const target named = read_target(asked.target());
    if (named.what != target::kind::watch)
        throw refusal(http::status::bad_request, "only /accounts/NAME/watch speaks WebSocket");
    return find_account(bank, named.account);
}

}  // namespace service
