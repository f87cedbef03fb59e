// SPDX-License-Identifier: MIT

// Many answers to one request.
//
// Run:     build/demos/21_streams
// Prints:  the movements of an account, as they are read.
// Teaches: a message that is answered with a stream; the producer waits for its reader, and ends with it.

#include <costar/actor/engine.hpp>
#include <costar/actor/stream.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>

struct movement {
    int number;
    int cents;
};
struct get_movements {
    using reply = costar::stream<movement>;
    int first;
};

/// An endless journal: a value is made when somebody is about to read it. Its arguments are values.
costar::task<> read_journal(costar::context&, costar::sink<movement> out, int first)
{
    for (int number = first;; ++number)
        co_await out.put({number, number * 100});
}

costar::task<> archive(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match(
            [&](get_movements& m) { return costar::make_stream<movement>(self, read_journal, m.first); });
}

costar::task<> auditor(costar::context& self, costar::pid archive)
{
    auto movements = co_await self.ask(archive, get_movements{.first = 7});
    const costar::pid producer = movements.producer();
    int sum = 0;
    while (auto next = co_await movements.next(self)) {
        fmt::print("movement {}: {} cents\n", next->number, next->cents);
        sum += next->cents;
        if (sum > 3000)
            break;
    }
    movements = {};  // nobody reads any more
    co_await self.wait(producer);
    fmt::print("{} cents, and the producer has ended\n", sum);
}

int main()
{
    costar::engine engine;
    const costar::pid source = engine.spawn("archive", archive);
    engine.wait(engine.spawn("auditor", auditor, source), boost::asio::use_future).get();
}
