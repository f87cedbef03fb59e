// SPDX-License-Identifier: MIT

#pragma once

#include "account.hpp"
#include "date_line.hpp"
#include "figures.hpp"
#include "options.hpp"
#include "payload.hpp"

#include <costar/actor/address.hpp>
#include <costar/actor/engine.hpp>
#include <costar/core/task.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace service {

/// It is not known in time how a deposit or transfer ended. Who sends it again with this key hears it.
class outcome_unknown : public std::runtime_error {
public:
    explicit outcome_unknown(std::string key) : runtime_error(std::move(key)) {}

    std::string_view key() const noexcept { return what(); }
};

/// Numbers drawn by lot when the service starts; they keep steps apart that are named by clients.
using lot = std::array<std::uint64_t, 2>;

/// The bank as the connections of one strand see it.
///
/// Thread safety: used from its strand only, except for what is const.
/// Lifetime: outlives the actors of the engine.
class teller {
public:
    teller(costar::engine& engine, const options& chosen, std::vector<tally>& all, std::size_t strand,
        const lot& drawn);

    std::optional<costar::address<account>> find(std::string_view name) const;

    /// Puts money into an account, which is opened if there is none. A `key` that is not empty names the
    /// order: it is carried out once, however often it is sent.
    ///
    /// Errors: throws `outcome_unknown`; `refusal` when there is no room for another account.
    costar::task<receipt> deposit(
        costar::context& self, std::string_view name, std::int64_t amount, std::string_view key);

    /// Moves money between two accounts. Errors: throws `outcome_unknown`, and the transfer goes on then, to
    /// one of its two ends; `refusal` when there is no such account.
    costar::task<receipt> transfer(costar::context& self, const transfer_order& asked, std::string_view key);

    const service::options& options() const noexcept { return options_; }
    tally& counts() const noexcept { return all_[strand_]; }
    totals all_counts() const noexcept { return sum_of(all_); }
    std::uint64_t connections_closed() const noexcept;
    std::size_t strand() const noexcept { return strand_; }
    costar::engine& engine() const noexcept { return engine_; }
    date_line& date() noexcept { return date_; }

private:
    /// The account with this name; it is opened if there is none. Errors: throws `refusal`.
    costar::address<account> open(std::string_view name);

    /// An order that nobody has seen, or, if there is a key, the one with this key.
    order make_order(std::string_view account, std::int64_t amount, std::string_view key);

    costar::engine& engine_;
    const service::options& options_;
    std::vector<tally>& all_;
    std::size_t strand_;
    const lot& drawn_;
    std::uint64_t next_number_;  // no two tellers count in the same range
    std::mt19937_64 secrets_;
    date_line date_;
};

}  // namespace service
