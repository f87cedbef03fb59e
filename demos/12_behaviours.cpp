// SPDX-License-Identifier: MIT

// An actor that behaves differently over time: as a coroutine, and with `become`.
//
// Run:     build/demos/12_behaviours
// Prints:  two lamps that are switched on and off.
// Teaches: in a coroutine the state is where it stands; a class exchanges its handlers.

#include <costar/actor/behaviours.hpp>
#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>

struct press {};
struct look {
    using reply = std::string;
};

costar::task<> lamp(costar::context& self)
{
    for (;;) {
        for (bool on = false; !on;) {  // off
            auto message = co_await self.receive();
            if (!message)
                co_return;
            message.match([&](press&) { on = true; }, [](look&) { return "off"; });
        }
        for (bool on = true; on;) {  // on
            auto message = co_await self.receive();
            if (!message)
                co_return;
            message.match([&](press&) { on = false; }, [](look&) { return "on"; });
        }
    }
}

struct class_lamp : costar::behaviours {
    void operator()(press)
    {
        become([this](press&) { unbecome(); }, [](look&) { return "on"; });
    }
    std::string operator()(look) { return "off"; }
};

int main()
{
    costar::engine engine;
    const costar::pid lamps[] = {engine.spawn(lamp), engine.spawn<class_lamp>()};
    for (const auto& each : lamps) {
        for (int i = 0; i < 3; ++i) {
            fmt::print("{}{}", i == 0 ? "" : " ", engine.ask(each, look{}, boost::asio::use_future).get());
            if (i < 2)
                engine.send(each, press{});
        }
        fmt::print("\n");
    }
}
