// SPDX-License-Identifier: MIT

// Messages that come later: once, again and again, at times of the day.
//
// Run:     build/demos/24_scheduler
// Prints:  a reminder, three ticks, and when the office opens next.
// Teaches: schedules belong to their actor and end with it; cron knows time zones.

#include <costar/actor/engine.hpp>
#include <costar/actor/schedule.hpp>
#include <costar/calendar/cron.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

using namespace std::chrono_literals;

struct reminder {};
struct tick {};

costar::task<> clock_actor(costar::context& self)
{
    self.send_after(2ms, self.pid(), reminder{});
    self.send_every(5ms, self.pid(), tick{});
    auto forgotten = self.send_after(1h, self.pid(), reminder{});
    forgotten.cancel();

    for (int heard = 0; heard < 3;) {
        auto message = co_await self.receive();
        if (!message)  // it is time to stop
            co_return;
        message.match(
            [](reminder&) { fmt::print("reminder\n"); }, [&](tick&) { fmt::print("tick {}\n", ++heard); });
    }
}  // the ticks end here

int main()
{
    costar::engine engine({.strands = 1});
    engine.wait(engine.spawn("clock", clock_actor), boost::asio::use_future).get();

    const auto opens = costar::cron::parse("0 9 * * mon-fri");
    const std::chrono::sys_days friday = std::chrono::year(2026) / 11 / 20;
    const auto next = opens.next_after(friday + 12h);
    fmt::print("opens next at {:%Y-%m-%d %H:%M}\n", fmt::gmtime(std::chrono::system_clock::to_time_t(*next)));
}
