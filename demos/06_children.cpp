// SPDX-License-Identifier: MIT

// A parent that spawns children, loses one to a crash, and takes the rest with it when it ends.
//
// Run:     build/demos/06_children
// Prints:  each child at work, the crash and the new beginning of one, then who ended, children first.
// Teaches: `self.spawn` makes children; they end before their parent does, whatever ends it.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <stdexcept>
#include <string>

struct work {
    using reply = std::string;
    int item;
};

struct child {
    std::string operator()(costar::context& self, work m)
    {
        if (m.item == 2)
            throw std::runtime_error("item 2 is broken");
        return fmt::format("{} did item {}, after {} restarts", self.name(), m.item, self.restart_count());
    }
};

costar::task<> parent(costar::context& self)
{
    costar::address<child> children[2];
    for (int i = 0; i < 2; ++i)
        children[i] = self.spawn<child>(fmt::format("child-{}", i), {.restart = {.limit = 3}});
    for (int item = 1; item <= 4; ++item) {
        const auto done = co_await costar::as_result(self.ask(children[item % 2], work{item}));
        fmt::print("{}\n", done ? *done : done.error().message());
    }
}

int main()
{
    costar::set_log_level(costar::log_level::critical);  // the crash is meant
    costar::engine engine({.strands = 1});
    const auto ended = engine.events().subscribe<costar::actor_stopped>(
        [](const costar::actor_stopped& event) { fmt::print("ended: {}\n", event.name); });
    const auto pid = engine.spawn("parent", parent);
    engine.wait(pid, boost::asio::use_future).get();
}
