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
    case verdict::repeated:
        return;
    case verdict::overdraft:
        throw refusal(http::status::conflict, fmt::format("{} has only {}", account, given.balance));
    case verdict::overflow:
        throw refusal(http::status::bad_request, "the balance would exceed 9223372036854775807");
    case verdict::under_way:
        throw refusal(http::status::conflict, "the order with this Idempotency-Key is still under way");
    case verdict::different:
        throw refusal(http::status::unprocessable_entity, "this Idempotency-Key is that of another order");
    case verdict::full:
        throw refusal(http::status::service_unavailable, fmt::format("{} keeps no more keys now", account));
    case verdict::gone:
        throw refusal(http::status::not_found, "one of the accounts does not exist any more");
    }
}

/// Tells a client with a key that nothing was done now.
std::string_view more_about(const receipt& given) noexcept
{
    return given.outcome == verdict::repeated ? R"(,"repeated":true)" : std::string_view();
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

costar::task<response> route(costar::context& self, teller& bank, const request& asked, std::string_view key)
{
    const target named = read_target(asked.target());
    require_method(asked, named.what);
    switch (named.what) {
    case target::kind::deposit: {
        const std::int64_t amount = read_amount(asked.body());
        const receipt given = co_await bank.deposit(self, named.account, amount, key);
        require_done(given, named.account);
        co_return answer_balance(named.account, given.balance, more_about(given));
    }
    case target::kind::transfers: {
        const transfer_order order = read_transfer(asked.body());
        const receipt given = co_await bank.transfer(self, order, key);
        require_done(given, order.from);
        co_return answer_transferred(order, given.balance, more_about(given));
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

costar::task<response> answer_request(
    costar::context& self, teller& bank, const request& asked, std::string_view key)
{
    try {
        co_return co_await route(self, bank, asked, key);
    } catch (const refusal& refused) {
        response made = answer_refused(refused.status(), refused.what());
        if (refused.status() == http::status::method_not_allowed)
            made.set(http::field::allow, allowed_methods(read_target(asked.target()).what));
        if (refused.status() == http::status::upgrade_required) {
            made.set(http::field::upgrade, "websocket");
            made.set(http::field::connection, "upgrade");
        }
        if (refused.status() == http::status::service_unavailable)
            made.set(http::field::retry_after, "1");
        co_return made;
    } catch (const outcome_unknown& late) {
        co_return answer_unknown(late.key());
    } catch (const costar::error& failure) {
        const bool late = failure.code() == costar::errc::timed_out;
        const bool has_ended = failure.code() == costar::errc::no_such_actor ||
            failure.code() == costar::errc::actor_stopped;  // it was let go while it was asked
        co_return answer_refused(late ? http::status::gateway_timeout
                : has_ended           ? http::status::not_found
                                      : http::status::service_unavailable,
            failure.what());
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
