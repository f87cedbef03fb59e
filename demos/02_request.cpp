// SPDX-License-Identifier: MIT

// An actor that asks others: one answer, two at once, and one that does not come in time.
//
// Run:     build/demos/02_request
// Prints:  one price, the sum of two that were asked at once, and why the third is missing.
// Teaches: co_await self.ask(...) reads like a call; each request has a deadline; several run side by side.

#include <costar/actor/engine.hpp>
#include <costar/core/result.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

using namespace std::chrono_literals;

struct price_of {
    using reply = int;
    std::string what;
};

struct go_shopping {
    using reply = void;  // answered without a value, when it is done
};

struct shop {  // a class is an actor too: its call operators are its messages
    costar::task<int> operator()(costar::context&, price_of message)
    {
        if (message.what == "moon")
            co_await costar::sleep_for(1h);  // nobody will wait that long
        co_return static_cast<int>(message.what.size());
    }
};

struct customer {
    costar::pid baker, grocer;

    costar::task<> operator()(costar::context& self, go_shopping)
    {
        fmt::print("bread: {}\n", co_await self.ask(baker, price_of{"bread"}));

        auto [cake, apple] =
            co_await costar::when_all(self.ask(baker, price_of{"cake"}), self.ask(grocer, price_of{"apple"}));
        fmt::print("cake and apple: {}\n", cake + apple);

        auto moon = co_await costar::as_result(self.ask(grocer, price_of{"moon"}, 50ms));
        fmt::print("moon: {}\n", moon ? "sold" : moon.error().message());
    }
};

int main()
{
    costar::engine engine;
    const auto baker = engine.spawn<shop>("baker"), grocer = engine.spawn<shop>("grocer");
    const auto pid = engine.spawn<customer>("customer", {}, baker.plain(), grocer.plain());
    engine.ask(pid, go_shopping{}, boost::asio::use_future).get();
}
