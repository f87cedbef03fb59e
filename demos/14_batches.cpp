// SPDX-License-Identifier: MIT

// Messages that are handled many at a time, and some that are put aside.
//
// Run:     build/demos/14_batches
// Prints:  the sizes of the batches that were written, then what was put aside until the store was open.
// Teaches: `receive_batch` takes what is there; `stash` and `unstash` keep order, sender and request.

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

struct open {};
struct row {
    int value;
};
struct total {
    using reply = int;
};

costar::task<> store(costar::context& self)
{
    while (auto message = co_await self.receive()) {  // closed: everything waits
        if (message.is<open>()) {
            message.mark_handled();
            break;
        }
        self.stash(std::move(message));
    }
    fmt::print("put back: {}\n", self.unstash());

    int sum = 0;
    for (;;) {
        auto batch = co_await self.receive_batch(4);
        if (batch.empty())
            co_return;
        fmt::print("batch of {}\n", batch.size());
        for (auto& each : batch)
            each.match([&](row& m) { sum += m.value; }, [&](total&) { return sum; });
    }
}

int main()
{
    costar::engine engine({.strands = 1});
    const auto pid = engine.spawn("store", store);
    for (int value = 1; value <= 6; ++value)
        engine.send(pid, row{value});
    auto sum = engine.ask(pid, total{}, boost::asio::use_future);
    engine.send(pid, open{});
    fmt::print("total {}\n", sum.get());
}
