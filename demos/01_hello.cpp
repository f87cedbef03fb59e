// SPDX-License-Identifier: MIT

// An actor that greets, and a program that asks it.
//
// Run:     build/demos/01_hello
// Prints:  two greetings, the second with a higher number.
// Teaches: an actor is a coroutine that awaits its mailbox; what a handler returns answers the request.

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>

struct greet {
    using reply = std::string;  // who asks with greet is answered with a string
    std::string who;
};

costar::task<> greeter(costar::context& self)
{
    int served = 0;
    while (auto message = co_await self.receive())  // empty when it is time to stop
        message.match([&](greet& m) { return fmt::format("hello, {}; you are number {}", m.who, ++served); });
}

int main()
{
    costar::engine engine;  // one io_context and thread per core; its destructor stops all actors
    const costar::pid pid = engine.spawn("greeter", greeter);
    for (const char* who : {"world", "costar"})
        fmt::print("{}\n", engine.ask(pid, greet{who}, boost::asio::use_future).get());
}
