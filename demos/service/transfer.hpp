// SPDX-License-Identifier: MIT

#pragma once

#include "account.hpp"
#include "figures.hpp"

#include <costar/actor/address.hpp>
#include <costar/actor/engine.hpp>
#include <costar/core/error.hpp>
#include <costar/core/task.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace service {

/// Asks an account for a step until there is an answer.
///
/// When the account crashes in between, nobody knows whether the step was written down; it is asked for
/// again, which is safe because an account does the same step only once. Errors: throws
/// `costar::error`, `errc::timed_out` when the patience is over.
template <class Step>
costar::task<typename Step::reply> carry_out(
    costar::context& self, costar::address<account> at, Step step, std::chrono::nanoseconds patience)
{
    const auto end = self.now() + patience;
    for (;;) {
        try {
            co_return co_await self.ask(at, step, end - self.now());
        } catch (const costar::error& failure) {
            if (failure.code() != costar::errc::actor_failed)
                throw;
        }
    }
}

/// How far a transfer is. Like an account's money, this lasts when the actor crashes.
struct transfer_progress {
    enum class stage {
        begun,    ///< nothing is known to have happened
        held,     ///< the money is held by the one who pays
        paid,     ///< it has arrived
        bounced,  ///< it cannot be taken, and must go back
        ended,    ///< both accounts are in order
    };

    costar::address<account> from;
    costar::address<account> to;
    order asked;
    tally* counts;  ///< of the strand that it lives on
    stage reached = stage::begun;
    receipt outcome{};  ///< of whoever decided it; the balance is the payer's
};

/// Asks a transfer how it ended.
struct transfer_outcome {
    using reply = receipt;
};

/// An actor that moves money from one account to another, all or nothing.
///
/// It goes on to its end whoever still waits for it: hold at the one, credit at the other, then settle, or
/// release where the credit was refused. Then it answers one `transfer_outcome`. The one who pays remembers
/// the step until it is told to forget it.
costar::task<> transfer(costar::context& self, std::shared_ptr<transfer_progress> progress);

}  // namespace service
