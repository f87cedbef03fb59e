// SPDX-License-Identifier: MIT

#include "transfer.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

/// Money that is on its way is not given up; an account that is alive answers.
constexpr auto patience = std::chrono::hours(24);

}  // namespace

costar::task<> transfer(costar::context& self, std::shared_ptr<transfer_progress> progress)
{
    using stage = transfer_progress::stage;
    transfer_progress& now = *progress;

    if (now.reached == stage::begun) {
        now.outcome = co_await carry_out(self, now.from, hold{now.step, now.amount}, patience);
        now.reached = now.outcome.outcome == verdict::done ? stage::held : stage::ended;
    }
    if (now.reached == stage::held) {
        const receipt arrived = co_await carry_out(self, now.to, credit{now.step, now.amount}, patience);
        now.outcome.outcome = arrived.outcome;
        now.reached = arrived.outcome == verdict::done ? stage::paid : stage::bounced;
    }
    if (now.reached == stage::paid) {
        co_await carry_out(self, now.from, settle{now.step}, patience);
        self.send(now.to, forget{now.step});
        now.reached = stage::ended;
    }
    if (now.reached == stage::bounced) {
        now.outcome.balance = (co_await carry_out(self, now.from, release{now.step}, patience)).balance;
        now.reached = stage::ended;
    }

    if (auto asked = co_await self.receive<transfer_outcome>(1min))
        asked.respond(now.outcome);
}

}  // namespace service
