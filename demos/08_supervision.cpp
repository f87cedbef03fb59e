// SPDX-License-Identifier: MIT

// What is done about a crash depends on what was thrown, and may concern the others.
//
// Run:     build/demos/08_supervision
// Prints:  what was decided each time, and who began anew.
// Teaches: deciders by exception type, strategies of a parent, and that a class can go on with its state.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <new>
#include <stdexcept>

using costar::directive;

struct bad_input : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct job {
    int kind;
};
struct count {
    using reply = int;
};

struct worker {
    int done = 0;
    void started(costar::context& self) { fmt::print("{} begins\n", self.name()); }
    void operator()(job m)
    {
        if (m.kind == 1)
            throw bad_input("bad input");
        if (m.kind == 2)
            throw std::runtime_error("lost the connection");
        ++done;
    }
    int operator()(count) const { return done; }
};

costar::task<> office(costar::context& self)
{
    // What one of them breaks, all begin anew; but bad input is not worth it.
    self.supervise(costar::all_for_one({.limit = 5}, costar::on<bad_input>(directive::resume)));
    const auto anna = self.spawn<worker>("anna", {});
    const auto bert = self.spawn<worker>("bert", {});

    for (int kind : {0, 1, 0}) {
        self.send(anna, job{kind});
        self.send(bert, job{0});
    }
    fmt::print("anna has done {}\n", co_await self.ask(anna, count{}));
    self.send(anna, job{2});
    fmt::print("anna has done {}\n", co_await self.ask(anna, count{}));
    fmt::print("bert has done {}\n", co_await self.ask(bert, count{}));
}

int main()
{
    costar::set_log_level(costar::log_level::critical);
    costar::engine engine({.strands = 1});
    const auto told = engine.events().subscribe<costar::supervision_decision>(
        [](const costar::supervision_decision& event) {
            fmt::print("{}: {} -> {}\n", event.name, event.reason, to_string(event.decided));
        });
    engine.wait(engine.spawn("office", office), boost::asio::use_future).get();
}
