// SPDX-License-Identifier: MIT

// A producer that is faster than its consumer.
//
// Run:     build/demos/15_backpressure
// Prints:  that all lines have come, in order, and that few ever waited.
// Teaches: a mailbox with a limit makes who awaits `send_async` wait, and nobody else.

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <algorithm>

struct line {
    int number;
};
struct outcome {
    using reply = std::string;
};

costar::task<> printer(costar::context& self)
{
    std::size_t longest = 0;
    int next = 0;
    bool ordered = true;
    while (auto message = co_await self.receive()) {
        longest = std::max(longest, self.mailbox_size());
        message.match([&](line& m) { ordered = ordered && m.number == next++; },
            [&](outcome&) {
                return fmt::format(
                    "{} lines, in order: {}, never more than 8 waited: {}", next, ordered, longest <= 8);
            });
        co_await costar::yield();  // slower than the producer
    }
}

costar::task<> producer(costar::context& self, costar::pid to)
{
    for (int number = 0; number < 10'000; ++number)
        co_await self.send_async(to, line{number});
}

int main()
{
    costar::engine engine;
    const auto to = engine.spawn("printer", {.mailbox = {.limit = 8}}, printer);
    engine.wait(engine.spawn("producer", producer, to), boost::asio::use_future).get();
    fmt::print("{}\n", engine.ask(to, outcome{}, boost::asio::use_future).get());
}
