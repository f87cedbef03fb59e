// SPDX-License-Identifier: MIT

// The node of today, which the frozen peer talks to. It prints its address, and ends when its input does.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "../places.hpp"

using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using namespace std::chrono_literals;

namespace {

/// Is said again, with a mark behind it.
struct saying {
    using reply = std::string;
    std::string text;
};

task<> echo(context& self)
{
    while (message m = co_await self.receive())
        m.match([](const saying& said) { return said.text + "!"; });
}

/// Watches, tells and asks whom it meets, and says whether the answer is 47; and how many of them have ended.
task<> guest(context& self)
{
    std::uint64_t ended = 0;
    while (message m = co_await self.receive()) {
        if (m.is<support::meet>()) {
            const pid whom = m.get<support::meet>().whom;
            self.watch(whom);
            self.send(whom, support::more{5});
            const std::uint64_t sum = co_await self.ask(whom, support::total{}, 10s);
            m.respond(sum == 47);
        } else {
            m.match(
                [&](const costar::terminated&) { ++ended; }, [&](const support::total&) { return ended; });
        }
    }
}

}  // namespace

template <>
struct costar::wire::mapping<saying> {
    using schema = costar::schema::Letters;
    static void write(const saying& from, schema::Builder to) { to.setValue(text(from.text)); }
    static saying read(schema::Reader from) { return {text(from.getValue())}; }
};

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    costar::remote::kinds offered;
    offered.add("adder", support::adder, {.spawned_by = costar::remote::anyone});
    costar::wire::dictionary words;
    words.add<support::more, support::total, support::meet, saying>();
    support::place here(
        {.name = "today", .listen = "127.0.0.1:0", .heartbeat = 20ms, .lets_stop = true, .kinds = offered}, 2,
        words);
    here.actors.spawn("adder", support::adder);
    here.actors.spawn("echo", echo);
    here.actors.spawn("guest", guest);
    fmt::print("{}\n", here.node.address());
    std::fflush(stdout);
    while (std::getchar() != EOF)
        ;
    return 0;
}
