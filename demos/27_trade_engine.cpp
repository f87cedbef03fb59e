// SPDX-License-Identifier: MIT

// Prices, orders that wait for them, and actors that end themselves when their work is done.
//
// Run:     build/demos/27_trade_engine
// Prints:  each trade, an order that was called off, and that watchers end when nobody needs them.
// Teaches: an actor for each thing that lives for a while; `watch`, children, and time.

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>

using namespace std::chrono_literals;

struct price {
    int cents;
};
struct subscribe {};
struct place_order {
    using reply = costar::pid;
    std::string pair;
    int limit;
};

/// Knows the price of a pair, and lives as long as somebody wants to hear it.
costar::task<> price_watcher(costar::context& self, std::string pair)
{
    std::set<costar::pid> listeners;
    for (int cents = 100;; cents -= 5) {
        while (auto message = co_await self.receive(2ms)) {
            message.match(
                [&](subscribe&) {
                    listeners.insert(self.sender());
                    self.watch(self.sender());
                },
                [&](costar::terminated& m) { listeners.erase(m.who); });
            if (listeners.empty()) {
                fmt::print("nobody trades {} any more\n", pair);
                co_return;
            }
        }
        for (const costar::pid each : listeners)
            self.send(each, price{cents});
    }
}

/// Buys once, when the price is low enough.
costar::task<> executor(costar::context& self, std::string pair, int limit, costar::pid prices)
{
    self.send(prices, subscribe{});
    while (auto message = co_await self.receive<price>())
        if (message.get<price>().cents <= limit) {
            fmt::print("bought {} at {}\n", pair, message.get<price>().cents);
            co_return;
        }
    fmt::print("the order for {} at {} was called off\n", pair, limit);
}

/// Takes orders, and finds or makes the watcher of each pair.
costar::task<> trade_engine(costar::context& self)
{
    std::map<std::string, costar::pid> watchers;
    while (auto message = co_await self.receive())
        message.match(
            [&](place_order& m) {
                if (!watchers.contains(m.pair)) {
                    watchers[m.pair] = self.spawn(price_watcher, m.pair);
                    self.watch(watchers[m.pair]);
                }
                return self.spawn(executor, m.pair, m.limit, watchers[m.pair]);
            },
            [&](costar::terminated& m) {
                std::erase_if(watchers, [&](const auto& each) { return each.second == m.who; });
            });
}

int main()
{
    costar::engine engine({.strands = 1});
    const auto pid = engine.spawn("trade engine", trade_engine);
    const auto order = [&](const char* pair, int limit) {
        return engine.ask(pid, place_order{pair, limit}, boost::asio::use_future).get();
    };
    const auto hopeless = order("gold", -1000);
    const auto cheap = order("wheat", 80);
    engine.wait(cheap, boost::asio::use_future).get();
    engine.wait(order("rye", 200), boost::asio::use_future).get();
    engine.stop(hopeless, boost::asio::use_future).get();
    while (engine.figures().live > 1) {}
}
