// SPDX-License-Identifier: MIT

// A program of somebody who uses the installed library: it knows the public headers and nothing else.
#include <costar/actor/engine.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

struct greet {
    using reply = std::string;
    std::string who;
};

struct greeter {
    std::string operator()(const greet& message) const { return "hello from " + message.who; }
};

int main()
{
    costar::engine engine;
    const auto pid = engine.spawn<greeter>("greeter");
    const std::string answer = engine.ask(pid, greet{"an installed costar"}, boost::asio::use_future).get();

    costar::testing::simulation sim;
    if (sim.ask(sim.engine().spawn<greeter>(), greet{"an installed costar"}) != answer)
        return 1;
    fmt::print("{}\n", answer);
}
