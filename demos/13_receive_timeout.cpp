// SPDX-License-Identifier: MIT

// An actor that notices silence.
//
// Run:     build/demos/13_receive_timeout
// Prints:  messages, then that nothing came, once in a loop and twice in a class; then that a third one
// ended. Teaches: `receive(timeout)` in a loop, `set_receive_timeout` and `passivation` in classes.

#include <costar/actor/engine.hpp>
#include <costar/actor/passivation.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

using namespace std::chrono_literals;

costar::task<> patient(costar::context& self)
{
    for (;;) {
        auto message = co_await self.receive(200ms);
        if (message.timed_out()) {
            fmt::print("patient: nothing came\n");
            co_return;
        }
        if (!message)
            co_return;
        message.match([](int value) { fmt::print("patient: {}\n", value); });
    }
}

struct restless {
    int silences = 0;
    void started(costar::context& self) { self.set_receive_timeout(200ms); }
    void operator()(int value) { fmt::print("restless: {}\n", value); }
    void operator()(costar::context& self, costar::receive_timeout)
    {
        fmt::print("restless: nothing came\n");
        if (++silences == 2)
            self.stop();
    }
};

struct sleepy {
    void operator()(int value) { fmt::print("sleepy: {}\n", value); }
    void stopped() { fmt::print("sleepy: ended\n"); }
};

int main()
{
    costar::engine engine({.strands = 1});
    const auto until_ended = [&](costar::pid pid) {
        engine.send(pid, 1);
        engine.send(pid, 2);
        engine.wait(pid, boost::asio::use_future).get();
    };
    until_ended(engine.spawn(patient));
    until_ended(engine.spawn<restless>());
    until_ended(engine.spawn<sleepy>({.middleware = {std::make_shared<costar::passivation>(200ms)}}));
}
