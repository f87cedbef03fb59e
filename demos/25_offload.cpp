// SPDX-License-Identifier: MIT

// Work that blocks its thread, beside an actor that goes on answering.
//
// Run:     build/demos/25_offload
// Prints:  that the actor answered while its function was blocking, and then the result.
// Teaches: `offload` runs a function on a helper thread and comes back to the strand.

#include <costar/actor/engine.hpp>
#include <costar/actor/offload.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <future>

struct compute {
    using reply = int;
};
struct hello {
    using reply = std::string;
};

costar::task<> computing(costar::context& self, costar::message asked, std::shared_future<void> go_on)
{
    const int result = co_await self.offload([go_on] {
        go_on.wait();  // blocks a helper thread, not the strand
        return 42;
    });
    asked.respond(result);
}

costar::task<> server(costar::context& self, std::shared_future<void> go_on)
{
    while (auto message = co_await self.receive()) {
        if (message.is<compute>())
            self.spawn_task(computing(self, std::move(message), go_on));
        else
            message.match([](hello&) { return "still here"; });
    }
}

int main()
{
    std::promise<void> go_on;
    costar::engine engine({.strands = 1});
    const auto pid = engine.spawn("server", server, go_on.get_future().share());
    auto result = engine.ask(pid, compute{}, boost::asio::use_future);
    fmt::print("{}\n", engine.ask(pid, hello{}, boost::asio::use_future).get());
    go_on.set_value();
    fmt::print("{}\n", result.get());
}
