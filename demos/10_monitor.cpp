// SPDX-License-Identifier: MIT

// An actor that watches over an unstable one, by events.
//
// Run:     build/demos/10_monitor
// Prints:  how often the unstable actor crashed, started and stopped, and what became of late messages.
// Teaches: everything that happens to actors is an event, counted here in a loop.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <stdexcept>

struct tick {
    int number;
};
struct report {
    using reply = std::string;
};

costar::task<> unstable(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match([](tick& m) {
            if (m.number % 3 == 0)
                throw std::runtime_error("third tick");
        });
}

costar::task<> monitor(costar::context& self)
{
    int started = 0, crashes = 0, stopped = 0, dead = 0;
    while (auto message = co_await self.receive())
        message.match([&](costar::actor_started&) { ++started; },
            [&](costar::actor_restarted&) { ++crashes; }, [&](costar::restart_limit_reached&) { ++crashes; },
            [&](costar::actor_stopped&) { ++stopped; }, [&](costar::dead_letter&) { ++dead; },
            [&](report&) {
                return fmt::format(
                    "started {}, crashed {}, stopped {}, dead letters {}", started, crashes, stopped, dead);
            });
}

int main()
{
    costar::set_log_level(costar::log_level::critical);
    costar::engine engine({.strands = 1});
    const auto pid = engine.spawn("monitor", monitor);
    engine.ask(pid, report{}, boost::asio::use_future).get();  // so its own start lies behind it
    const costar::event_stream::subscription all[] = {engine.subscribe<costar::actor_started>(pid),
        engine.subscribe<costar::actor_restarted>(pid), engine.subscribe<costar::restart_limit_reached>(pid),
        engine.subscribe<costar::actor_stopped>(pid), engine.subscribe<costar::dead_letter>(pid)};

    const auto patient = engine.spawn("unstable", {.restart = {.limit = 2}}, unstable);
    for (int number = 1; number <= 10; ++number)
        engine.send(patient, tick{number});
    engine.wait(patient, boost::asio::use_future).get();
    fmt::print("{}\n", engine.ask(pid, report{}, boost::asio::use_future).get());
}
