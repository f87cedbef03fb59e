// SPDX-License-Identifier: MIT

#pragma once

#include "account.hpp"
#include "figures.hpp"
#include "options.hpp"

#include <costar/actor/address.hpp>
#include <costar/actor/engine.hpp>
#include <costar/core/task.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace service {

/// The bank as the connections of one strand see it.
///
/// Thread safety: used from its strand only, except for what is const.
/// Lifetime: outlives the actors of the engine.
class teller {
public:
    teller(costar::engine& engine, const options& chosen, const std::vector<tally>& all, tally& counts,
        std::size_t strand)
        : engine_(engine),
          options_(chosen),
          all_(all),
          counts_(counts),
          strand_(strand),
          next_step_(std::uint64_t{strand} << 48)
    {}

    std::optional<costar::address<account>> find(std::string_view name) const;

    /// The account with this name; it is opened if there is none.
    costar::address<account> open(std::string_view name);

    /// Errors: throws `costar::error`, `errc::timed_out` when it is not known how the deposit ended.
    costar::task<receipt> deposit(costar::context& self, costar::address<account> to, std::int64_t amount);

    /// Errors: as `deposit`; the transfer goes on then, to one of its two ends.
    costar::task<receipt> transfer(costar::context& self, costar::address<account> from,
        costar::address<account> to, std::int64_t amount);

    const service::options& options() const noexcept { return options_; }
    tally& counts() const noexcept { return counts_; }
    totals all_counts() const noexcept { return sum_of(all_); }
    std::size_t strand() const noexcept { return strand_; }
    costar::engine& engine() const noexcept { return engine_; }

private:
    costar::engine& engine_;
    const service::options& options_;
    const std::vector<tally>& all_;
    tally& counts_;
    std::size_t strand_;
    step_id next_step_;  // no two tellers count in the same range
};

}  // namespace service
