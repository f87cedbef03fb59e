// SPDX-License-Identifier: MIT

// Deadlines, pauses and a heartbeat, as plain control flow.
//
// Run:     build/demos/05_timers
// Prints:  three beats of a heart, that nobody called, and that a slow task was given up.
// Teaches: time is awaited like everything else; no timer object, no callback, nothing to cancel by hand.

#include <costar/actor/engine.hpp>
#include <costar/core/result.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

using namespace std::chrono_literals;

struct run {
    using reply = void;
};
struct call {};

costar::task<> heart(costar::context& self, costar::pid doctor)
{
    for (int beat = 1;; ++beat) {
        self.send(doctor, beat);          // any movable type is a message
        co_await costar::sleep_for(5ms);  // ends early when the actor is stopped
    }
}

costar::task<std::string> slow()
{
    co_await costar::sleep_for(1h);
    co_return "done";
}

costar::task<> doctor(costar::context& self)
{
    auto started = co_await self.receive<run>();
    if (!started)  // it was stopped before it began
        co_return;

    const costar::pid patient = self.spawn(heart, self.pid());
    for (int beats = 0; beats < 3; ++beats) {
        auto heard = co_await self.receive<int>();
        if (!heard)
            co_return;
        fmt::print("beat {}\n", heard.get<int>());
    }
    co_await self.stop(patient);

    auto called = co_await self.receive<call>(20ms);
    fmt::print("{}\n", called.timed_out() ? "nobody called" : "somebody called");

    auto word = co_await costar::as_result(costar::with_timeout(20ms, slow()));
    fmt::print("{}\n", word ? *word : word.error().message());
    started.respond(std::monostate{});
}

int main()
{
    costar::engine engine;
    engine.ask(engine.spawn("doctor", doctor), run{}, boost::asio::use_future).get();
}
