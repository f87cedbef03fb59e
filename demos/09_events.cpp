// SPDX-License-Identifier: MIT

// Events: the system's and one's own, to a function or to an actor.
//
// Run:     build/demos/09_events
// Prints:  what a function and an actor hear of.
// Teaches: a subscription ends with its object; an actor gets events as messages, among all others.

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>

struct price_changed {
    std::string article;
    int cents;
};
struct done {
    using reply = void;
};

costar::task<> board(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match([](price_changed& m) { fmt::print("board: {} at {}\n", m.article, m.cents); },
            [](costar::actor_started& m) { fmt::print("board: {} started\n", m.name); }, [](done&) {});
}

int main()
{
    std::string dear_ones;
    costar::engine engine({.strands = 1});
    const auto board_pid = engine.spawn("board", board);
    engine.ask(board_pid, done{}, boost::asio::use_future).get();  // so its own start lies behind it
    {
        const auto to_actor = engine.subscribe<price_changed>(board_pid);
        const auto starts = engine.subscribe<costar::actor_started>(board_pid);
        const auto dear = engine.events().subscribe<price_changed>(
            [](const price_changed& event) { return event.cents > 1000; },
            [&](const price_changed& event) { dear_ones += event.article; });  // on the publisher's thread

        engine.events().publish(price_changed{"bread", 350});
        engine.events().publish(price_changed{"coffee", 1290});
        engine.ask(board_pid, done{}, boost::asio::use_future).get();
        engine.ask(engine.spawn("till", board), done{}, boost::asio::use_future).get();
    }
    engine.events().publish(price_changed{"tea", 2000});  // nobody hears of it
    engine.ask(board_pid, done{}, boost::asio::use_future).get();
    fmt::print("dear: {}\n", dear_ones);
}
