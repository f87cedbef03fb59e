// SPDX-License-Identifier: MIT

#pragma once

#include "ledger.hpp"

#include <costar/actor/context.hpp>
#include <costar/actor/pid.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace service {

// What an account understands. Steps carry a number, so that one whose answer was lost in a crash is asked
// for again.

struct credit {
    using reply = receipt;
    step_id step;
    std::int64_t amount;
};

struct hold {
    using reply = receipt;
    step_id step;
    std::int64_t amount;
};

struct settle {
    using reply = void;
    step_id step;
};

struct release {
    using reply = receipt;
    step_id step;
};

/// Sent when the outcome of a credit has been heard.
struct forget {
    step_id step;
};

struct read_balance {
    using reply = std::int64_t;
};

/// From now on the sender gets `balance_changed`, first with the balance of now, until it sends `unwatch`.
struct watch {};
struct unwatch {};

struct balance_changed {
    std::int64_t balance;
};

/// Makes the account crash: at once, or later, when it has written its next step down and not yet answered.
struct crash {
    using reply = void;
    bool after_next_step;
};

/// What lasts of an account when its actor crashes.
struct committed {
    ledger book;
    std::vector<costar::pid> watchers;
};

/// One account: an actor that begins anew after a crash, with what it had committed.
///
/// What would be on a disk elsewhere lies in `committed`: the actor is spawned with a pointer to it, and a
/// restarted actor gets the arguments it was spawned with again.
class account {
public:
    explicit account(std::shared_ptr<committed> kept) : kept_(std::move(kept)) {}

    receipt operator()(costar::context& self, credit asked);
    receipt operator()(costar::context& self, hold asked);
    void operator()(settle asked);
    receipt operator()(costar::context& self, release asked);
    void operator()(forget asked) { kept_->book.forget(asked.step); }
    std::int64_t operator()(read_balance) const { return kept_->book.balance(); }
    void operator()(costar::context& self, watch);
    void operator()(costar::context& self, unwatch);
    void operator()(crash asked);

private:
    /// Tells the watchers if the balance is no longer `before`, and crashes when it was told to.
    void written_down(costar::context& self, std::int64_t before);
    void crash_if_due();

    std::shared_ptr<committed> kept_;
    bool crashes_after_next_step_ = false;
};

}  // namespace service
