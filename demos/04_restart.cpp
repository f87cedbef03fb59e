// SPDX-License-Identifier: MIT

// An actor that crashes is begun anew, and keeps the messages it had not handled.
//
// Run:     build/demos/04_restart
// Prints:  three quotients, what became of the division by zero in between, and how often the actor was
// restarted. Teaches: a crash ends the one request at once and goes to the supervisor; the mailbox outlives
// it.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <future>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;

struct divide {
    using reply = int;
    int by;
};

struct calculator {
    int operator()(divide message)
    {
        if (message.by == 0)
            throw std::domain_error("division by zero");
        return 60 / message.by;
    }
};

int main()
{
    costar::set_log_level(costar::log_level::critical);  // a crash is logged as an error otherwise
    costar::engine engine;
    const auto pid = engine.spawn<calculator>("calculator", {.restart = {.limit = 3, .within = 1min}});

    std::vector<std::future<int>> answers;
    for (int by : {2, 3, 0, 5})
        answers.push_back(engine.ask(pid, divide{by}, boost::asio::use_future));
    for (auto& answer : answers) {
        try {
            fmt::print("{}\n", answer.get());
        } catch (const boost::system::system_error& failed) {
            fmt::print("{}\n", failed.code().message());
        }
    }
    fmt::print("restarts: {}\n", engine.figures().restarts);
}
