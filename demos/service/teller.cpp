// SPDX-License-Identifier: MIT

#include "teller.hpp"

#include "transfer.hpp"

#include <costar/core/error.hpp>
#include <costar/core/timer.hpp>
#include <costar/ground/hash.hpp>

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <utility>

namespace service {

using namespace std::chrono_literals;

namespace {

std::string actor_name(std::string_view account)
{
    return std::string("account/").append(account);
}

bool has_ended(const costar::error& failure) noexcept
{
    return failure.code() == costar::errc::no_such_actor || failure.code() == costar::errc::actor_stopped;
}

// A key that the service made itself is the step as it is.

constexpr std::string_view key_prefix = "step-";

std::string key_of(const step_id& step)
{
    return fmt::format("{}{:016x}{:016x}", key_prefix, step.number, step.secret);
}

std::optional<step_id> read_key_of_step(std::string_view key)
{
    if (!key.starts_with(key_prefix) || key.size() != key_prefix.size() + 32)
        return std::nullopt;
    step_id step;
    std::uint64_t* const parts[] = {&step.number, &step.secret};
    for (std::size_t i = 0; i < 2; ++i) {
        const char* begin = key.data() + key_prefix.size() + 16 * i;
        if (const auto [end, failure] = std::from_chars(begin, begin + 16, *parts[i], 16); end != begin + 16)
            return std::nullopt;
    }
    return step;
}

/// Tells an account what becomes of a step: it is forgotten when its outcome was heard, and kept for the
/// client to ask again when it was not.
class farewell {
public:
    farewell(costar::context& self, costar::address<account> at, const order& asked)
        : self_(self), at_(at), asked_(asked)
    {}
    farewell(const farewell&) = delete;
    ~farewell()
    {
        if (was_late_)
            self_.send(at_, keep{asked_.step});
        else if (!asked_.is_kept)
            self_.send(at_, forget{asked_.step});
    }

    void was_late() noexcept { was_late_ = true; }

private:
    costar::context& self_;
    costar::address<account> at_;
    const order& asked_;
    bool was_late_ = false;
};

}  // namespace

teller::teller(costar::engine& engine, const service::options& chosen, std::vector<tally>& all,
    std::size_t strand, const lot& drawn)
    : engine_(engine),
      options_(chosen),
      all_(all),
      strand_(strand),
      drawn_(drawn),
      next_number_(std::uint64_t{strand} << 48),
      secrets_(costar::machine::mixed(drawn[0] + strand))
{}

std::uint64_t teller::connections_closed() const noexcept
{
    std::uint64_t closed = 0;
    for (const tally& part : all_)
        closed += part.closed.value();
    return closed;
}

std::optional<costar::address<account>> teller::find(std::string_view name) const
{
    const auto found = engine_.find(actor_name(name));
    return found ? std::optional(costar::address<account>(*found)) : std::nullopt;
}

costar::address<account> teller::open(std::string_view name)
{
    if (const auto known = find(name))
        return *known;
    if (all_counts().accounts >= options_.accounts_max)
        throw refusal(http::status::service_unavailable, "there is no room for another account");
    try {
        const costar::restart_policy always{
            .limit = costar::restart_policy::always, .within = 1s, .delay = options_.restart_delay};
        const auto opened = engine_.spawn<account>(actor_name(name),
            {.restart = always, .placement = costar::placement::spread}, std::make_shared<committed>(),
            bank_rules{&options_, &all_});
        counts().accounts.add(1);
        return opened;
    } catch (const costar::name_in_use& other) {  // somebody else was faster
        return costar::address<account>(other.holder());
    }
}

costar::task<receipt> teller::deposit(
    costar::context& self, std::string_view name, std::int64_t amount, std::string_view key)
{
    const order asked = make_order(name, amount, key);
    for (const auto end = self.now() + options_.answer_limit;;) {
        const costar::address<account> to = open(name);
        farewell after(self, to, asked);
        try {
            co_return co_await carry_out(self, to, credit{asked}, end - self.now());
        } catch (const costar::error& failure) {
            if (failure.code() == costar::errc::timed_out) {
                after.was_late();
                throw outcome_unknown(key.empty() ? key_of(asked.step) : std::string(key));
            }
            if (!has_ended(failure))
                throw;
            if (self.now() >= end)
                throw refusal(http::status::service_unavailable, "the account ends just now");
        }
        co_await costar::sleep_for(1ms);  // it was let go just now, and there is room for a new one soon
    }
}

costar::task<receipt> teller::transfer(
    costar::context& self, const transfer_order& wanted, std::string_view key)
{
    const auto find_or_refuse = [this](const std::string& name) {
        const auto found = find(name);
        if (!found)
            throw refusal(http::status::not_found, fmt::format("there is no account {}", name));
        return *found;
    };
    auto progress = std::make_shared<transfer_progress>();
    progress->from = find_or_refuse(wanted.from);
    progress->to = find_or_refuse(wanted.to);
    progress->asked = make_order(wanted.from, wanted.amount, key);
    progress->asked.payee = costar::stable_hash(wanted.to) | 1;
    progress->counts = &counts();
    const order asked = progress->asked;
    farewell after(self, progress->from, asked);
    const costar::pid started =
        engine_.spawn({.restart = {.limit = costar::restart_policy::always, .within = 1s}}, service::transfer,
            std::move(progress));
    try {
        co_return co_await self.ask(started, transfer_outcome{}, options_.answer_limit);
    } catch (const costar::error& failure) {
        if (failure.code() != costar::errc::timed_out)
            throw;
        after.was_late();
        throw outcome_unknown(key.empty() ? key_of(asked.step) : std::string(key));
    }
}

order teller::make_order(std::string_view account, std::int64_t amount, std::string_view key)
{
    order made{.step = {}, .amount = amount, .attempt = ++next_number_, .is_kept = !key.empty()};
    if (key.empty()) {
        made.step = {next_number_, secrets_()};
    } else if (const auto known = read_key_of_step(key)) {
        made.step = *known;
    } else {
        const std::string full = fmt::format("{}/{}", account, key);
        made.step = {costar::stable_hash(fmt::format("{:x}{}", drawn_[0], full)),
            costar::stable_hash(fmt::format("{:x}{}", drawn_[1], full))};
    }
    return made;
}

}  // namespace service
