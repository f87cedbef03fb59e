// SPDX-License-Identifier: MIT

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace service {

/// Names one step of one deposit or transfer, so that it can be asked for twice and is done once.
///
/// The secret is drawn by lot, or made of the key that the client chose: nobody meets a step of somebody
/// else.
struct step_id {
    std::uint64_t number = 0;
    std::uint64_t secret = 0;

    bool operator==(const step_id&) const = default;
};

/// A step as its account is asked for it.
struct order {
    step_id step;
    std::int64_t amount = 0;
    std::uint64_t payee = 0;    ///< hash of the name of who gets it; 0 for a deposit
    std::uint64_t attempt = 0;  ///< whoever asks again for the same attempt wants the same answer
    bool is_kept = false;       ///< the client has a key for it, and may ask how it ended for some time
};

enum class verdict : std::uint8_t {
    done,       ///< Written down, now or when it was asked for before.
    overdraft,  ///< The balance is too small. Nothing was changed.
    overflow,   ///< The balance would leave its range. Nothing was changed.
    repeated,   ///< Written down for an attempt before this one; the balance is that of then.
    under_way,  ///< Another attempt has not ended.
    different,  ///< The key is that of an order for something else. Nothing was changed.
    full,       ///< No more keys can be kept now. Nothing was changed.
    gone,       ///< There is no such account any more. Nothing was changed.
};

/// How a step ended, and the balance behind it.
struct receipt {
    verdict outcome;
    std::int64_t balance;
};

/// What an account has committed: its money, the steps whose askers may still ask again, and for some time
/// the orders for which clients have keys.
///
/// Each function changes it wholly or not at all, and may be called again with the same step.
class ledger {
public:
    using time = std::chrono::nanoseconds;

    std::int64_t balance() const noexcept { return balance_; }

    /// Adds to the balance; the step is remembered until `forget`, or as long as its key is kept.
    receipt credit(const order& asked, time now);

    /// Takes from the balance what a transfer is to move; it stays the account's own until `settle` or
    /// `release`.
    receipt hold(const order& asked, time now);

    /// What was held has arrived elsewhere. The step is remembered as one of `credit` is.
    void settle(const step_id& step, time now);

    /// What was held comes back to the balance.
    void release(const step_id& step) noexcept;

    /// Whoever asked for a step knows how it ended.
    void forget(const step_id& step) noexcept;

    /// Whoever asked for a step does not know how it ended and was given a key.
    void keep(const step_id& step, time now);

    /// Is that the step of an order that is kept or under way?
    bool knows(const step_id& step) const noexcept;

    /// No money, and nobody who may ask for a step again?
    bool is_empty() const noexcept;

    /// Keys that are kept.
    std::size_t keys() const noexcept { return kept_ == nullptr ? 0 : kept_->records.size(); }
    void drop_expired(time now) noexcept;

    /// How long and how many keys are kept.
    static constexpr time key_age_max = std::chrono::minutes(10);
    static constexpr std::size_t keys_max = 4096;

private:
    /// A step that was written down.
    struct record {
        order of;
        std::int64_t balance;
    };
    struct hash {
        std::size_t operator()(const step_id& step) const noexcept { return step.number ^ step.secret; }
    };
    struct expiry {
        time when;
        step_id step;
    };

    struct key_book {
        std::unordered_map<step_id, record, hash> records;
        std::deque<expiry> expiries;  ///< of all records, in order
    };

    template <class Records>
    static auto find_in(Records& records, const step_id& step) noexcept;

    const record* find_done(const step_id& step) const noexcept;
    static receipt compared(const order& asked, const record& known) noexcept;
    bool has_room_for_key(const order& asked, time now) noexcept;
    void write_down(const record& done, time now);

    std::int64_t balance_ = 0;
    std::int64_t held_ = 0;             // in all; balance_ + held_ never overflows
    std::vector<record> reservations_;  // of transfers under way
    std::vector<record> done_;          // until forget or keep
    std::unique_ptr<key_book> kept_;    // while there are any: most accounts never have one
};

}  // namespace service
