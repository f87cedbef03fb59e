// SPDX-License-Identifier: MIT

#include "transfer.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

/// Money that is on its way is not given up; an account that is alive answers.
constexpr auto patience = std::chrono::hours(24);

/// As `carry_out`; an account that has ended refuses. One that holds money, or is owed a step, does not end.
template <class Step>
costar::task<receipt> carry_out_if_there(costar::context& self, costar::address<account> at, Step step)
{
    try {
        co_return co_await carry_out(self, at, step, patience);
    } catch (const costar::error& failure) {
        if (failure.code() != costar::errc::no_such_actor && failure.code() != costar::errc::actor_stopped)
            throw;
        co_return receipt{verdict::gone, 0};
    }
}

}  // namespace

costar::task<> transfer(costar::context& self, std::shared_ptr<transfer_progress> progress)
{
    using stage = transfer_progress::stage;
    transfer_progress& now = *progress;

    if (now.reached == stage::begun) {
        now.outcome = co_await carry_out_if_there(self, now.from, hold{now.asked});
        now.reached = now.outcome.outcome == verdict::done ? stage::held : stage::ended;
    }
    if (now.reached == stage::held) {
        order arrival = now.asked;
        arrival.is_kept = false;  // the key is with the one who pays
        const receipt arrived = co_await carry_out_if_there(self, now.to, credit{arrival});
        now.outcome.outcome = arrived.outcome;
        now.reached = arrived.outcome == verdict::done ? stage::paid : stage::bounced;
        if (now.reached == stage::paid)
            now.counts->transfers.add(1);
    }
    if (now.reached == stage::paid) {
        co_await carry_out(self, now.from, settle{now.asked.step}, patience);
        self.send(now.to, forget{now.asked.step});
        now.reached = stage::ended;
    }
    if (now.reached == stage::bounced) {
        now.outcome.balance = (co_await carry_out(self, now.from, release{now.asked.step}, patience)).balance;
        now.reached = stage::ended;
    }

    if (auto asked = co_await self.receive<transfer_outcome>(1min))
        asked.respond(now.outcome);
}

}  // namespace service
