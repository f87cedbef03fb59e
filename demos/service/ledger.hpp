// SPDX-License-Identifier: MIT

#pragma once

#include <cstdint>
#include <vector>

namespace service {

/// Names one step of one deposit or transfer, so that it can be asked for twice and is done once.
using step_id = std::uint64_t;

enum class verdict : std::uint8_t {
    done,       ///< Written down, now or when it was asked for before.
    overdraft,  ///< The balance is too small. Nothing was changed.
    overflow,   ///< The balance would leave its range. Nothing was changed.
};

/// How a step ended, and the balance behind it.
struct receipt {
    verdict outcome;
    std::int64_t balance;
};

/// What an account has committed: its money, and the steps whose askers may still ask again.
///
/// Each function changes it wholly or not at all, and may be called again with the same step.
class ledger {
public:
    std::int64_t balance() const noexcept { return balance_; }

    /// Adds to the balance; the step is remembered until `forget`.
    receipt credit(step_id step, std::int64_t amount);

    /// Takes from the balance what a transfer is to move; it stays the account's own until `settle` or
    /// `release`.
    receipt hold(step_id step, std::int64_t amount);

    /// What was held has arrived elsewhere.
    void settle(step_id step) noexcept;

    /// What was held comes back to the balance.
    void release(step_id step) noexcept;

    /// Whoever asked for a credit knows how it ended.
    void forget(step_id step) noexcept;

private:
    struct reservation {
        step_id step;
        std::int64_t amount;
    };

    std::vector<reservation>::iterator find_held(step_id step) noexcept;

    std::int64_t balance_ = 0;
    std::int64_t held_ = 0;  // in all; balance_ + held_ never overflows
    std::vector<reservation> reservations_;
    std::vector<step_id> credited_;
};

}  // namespace service
