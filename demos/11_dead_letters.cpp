// SPDX-License-Identifier: MIT

// What becomes of messages that nobody handles.
//
// Run:     build/demos/11_dead_letters
// Prints:  each dead letter with its reason, and what an asker is told.
// Teaches: nothing vanishes; the log shows a few of them and how many more there were.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string_view>

struct hello {};
struct unknown {};
struct question {
    using reply = int;
};

costar::task<> polite(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match([](hello&) {});
}

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view line) {
        fmt::print("log: {}\n", line.substr(0, line.find(" to ")));
    });
    costar::engine engine(
        {.strands = 1, .dead_letter_lines = 2, .dead_letter_interval = std::chrono::hours(1)});
    const auto told = engine.events().subscribe<costar::dead_letter>([](const costar::dead_letter& event) {
        fmt::print("{}: {}\n", event.type, costar::make_error_code(event.reason).message());
    });

    const auto pid = engine.spawn("polite", polite);
    engine.send(pid, unknown{});
    try {
        engine.ask(pid, question{}, boost::asio::use_future).get();
    } catch (const boost::system::system_error& refused) {
        fmt::print("asker: {}\n", refused.code().message());
    }
    engine.stop(pid, boost::asio::use_future).get();
    engine.send(pid, hello{});
    engine.send(pid, hello{});
    engine.ask(engine.spawn(polite), costar::touch{}, boost::asio::use_future).get();  // behind all of it
}
