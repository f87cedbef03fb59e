// SPDX-License-Identifier: MIT

// Questions that are asked now and answered later, one or many at a time.
//
// Run:     build/demos/20_futures
// Prints:  a sum of answers, the fastest one, what went wrong with one of them, and one that was sent on.
// Teaches: a future is a value: await it, combine it, pipe it to an actor, drop it.

#include <costar/actor/engine.hpp>
#include <costar/actor/future.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;

struct quote {
    using reply = int;
    std::string article;
};

costar::task<> shop(costar::context& self, int price, std::chrono::milliseconds pace)
{
    while (auto message = co_await self.receive()) {
        co_await costar::sleep_for(pace);
        message.match([&](quote&) { return price; });
    }
}

costar::task<> notice_board(costar::context& self)
{
    if (auto message = co_await self.receive())  // empty when it is time to stop
        message.match([](int cents) { fmt::print("board: {}\n", cents); });
}

costar::task<> buyer(costar::context& self)
{
    const std::vector<costar::pid> shops{
        self.spawn(shop, 300, 4ms), self.spawn(shop, 280, 2ms), self.spawn(shop, 310, 900ms)};

    auto first = self.ask_future(shops[0], quote{"tea"});
    auto second = self.ask_future(shops[1], quote{"tea"});
    fmt::print("both: {}\n", co_await first + co_await second);

    std::vector<costar::future<int>> all;
    for (const costar::pid each : shops)
        all.push_back(self.ask_future(each, quote{"tea"}));
    fmt::print("fastest: {}\n", co_await costar::any_of(std::move(all)));

    for (const auto& each : co_await self.ask_all(shops, quote{"tea"}, 200ms))
        fmt::print("{}\n", each ? std::to_string(*each) : each.error().message());

    const auto board = self.spawn(notice_board);
    self.ask_future(shops[1], quote{"tea"}).pipe_to(board);
    co_await self.wait(board);
}

int main()
{
    costar::engine engine({.strands = 1});
    engine.wait(engine.spawn("buyer", buyer), boost::asio::use_future).get();
}
