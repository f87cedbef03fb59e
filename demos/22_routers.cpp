// SPDX-License-Identifier: MIT

// One address for many actors.
//
// Run:     build/demos/22_routers
// Prints:  who handled what, by three of the six strategies.
// Teaches: pools and groups; round robin, consistent hash, the first answer of all; routees leave.

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using costar::routing;

struct order {
    using reply = int;
    std::string customer;
    std::string hash_key() const { return customer; }
};

costar::task<> clerk(costar::context& self, int number, std::chrono::milliseconds pace)
{
    while (auto message = co_await self.receive()) {
        co_await costar::sleep_for(pace);
        message.match([&](order&) { return number; });
    }
}

costar::task<> office(costar::context& self)
{
    const std::vector<costar::pid> clerks{
        self.spawn(clerk, 1, 9ms), self.spawn(clerk, 2, 1ms), self.spawn(clerk, 3, 5ms)};

    const auto in_turn = costar::spawn_group(self, "in turn", clerks);
    for (int i = 0; i < 4; ++i)
        fmt::print("{} ", co_await self.ask(in_turn, order{"anybody"}));
    fmt::print("in turn\n");

    const auto by_customer =
        costar::spawn_group(self, "by customer", clerks, {.strategy = routing::consistent_hash});
    std::map<std::string, int> served;
    bool same = true;
    for (int i = 0; i < 9; ++i) {
        const std::string customer(1, static_cast<char>('a' + i % 3));
        const int number = co_await self.ask(by_customer, order{customer});
        same = same && (!served.contains(customer) || served[customer] == number);
        served[customer] = number;
    }
    fmt::print("each customer has the same clerk: {}\n", same);

    const auto race = costar::spawn_group(self, "race", clerks, {.strategy = routing::scatter_gather_first});
    fmt::print("clerk {} was the first\n", co_await self.ask(race, order{"anybody"}));

    co_await self.ask(in_turn, costar::remove_routee{clerks[0]});
    co_await self.stop(clerks[1]);  // a routee that ends leaves by itself
    co_await costar::sleep_for(1ms);
    fmt::print("left in turn: {}\n", (co_await self.ask(in_turn, costar::get_routees{})).size());
}

int main()
{
    costar::engine engine({.strands = 1});
    engine.wait(engine.spawn("office", office), boost::asio::use_future).get();
}
