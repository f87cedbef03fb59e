// SPDX-License-Identifier: MIT

// A tree of a hundred thousand actors that adds up its leaves.
//
// Run:     build/demos/28_skynet
// Prints:  the sum, which is known beforehand.
// Teaches: actors are cheap: each awaits its ten children as if they were calls.

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <cstdint>

struct part {
    std::int64_t sum;
};
struct begin {
    using reply = std::int64_t;
};

costar::task<> node(costar::context& self, costar::pid parent, std::int64_t first, std::int64_t size)
{
    std::int64_t sum = size == 1 ? first : 0;
    for (int i = 0; size > 1 && i < 10; ++i)
        self.spawn(node, self.pid(), first + i * (size / 10), size / 10);
    for (int i = 0; size > 1 && i < 10; ++i) {
        auto added = co_await self.receive<part>();
        if (!added)  // it is time to stop
            co_return;
        sum += added.get<part>().sum;
    }
    self.send(parent, part{sum});
}

costar::task<> root(costar::context& self)
{
    auto asked = co_await self.receive<begin>();
    if (!asked)
        co_return;
    self.spawn(node, self.pid(), std::int64_t{0}, std::int64_t{100'000});
    if (auto whole = co_await self.receive<part>())
        asked.respond(whole.get<part>().sum);
}

int main()
{
    costar::engine engine;
    fmt::print("{}\n", engine.ask(engine.spawn(root), begin{}, boost::asio::use_future).get());
}
