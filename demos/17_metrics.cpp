// SPDX-License-Identifier: MIT

// Counts and times of messages, for all actors of an engine, without a line in any of them.
//
// Run:     build/demos/17_metrics
// Prints:  how many messages of each type were handled and failed, and that their times were measured.
// Teaches: middleware of the engine, and an extension that holds what it has measured.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/kernel/middleware.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

struct metrics {
    struct line {
        int handled = 0;
        int failed = 0;
        std::chrono::nanoseconds spent{0};
    };
    std::mutex mutex;  // actors of several strands write
    std::map<std::string, line> lines;
};

class meter : public costar::middleware {
public:
    bool receiving(costar::context&, costar::message&) override
    {
        began_ = std::chrono::steady_clock::now();
        return true;
    }
    void handled(costar::context& self, costar::message& done, bool failed) noexcept override
    {
        const auto spent = std::chrono::steady_clock::now() - began_;
        const auto all = self.engine().extensions().find<metrics>();
        const std::lock_guard lock(all->mutex);
        metrics::line& line = all->lines[done.type_name()];
        ++(failed ? line.failed : line.handled);
        line.spent += spent;
    }

private:
    // The handlers here do not await, so a thread handles one message at a time.
    static inline thread_local std::chrono::steady_clock::time_point began_;
};

struct add {
    int value;
};
struct sum {
    using reply = int;
};

struct adder {
    int total = 0;
    void operator()(add m)
    {
        if (m.value == 5)
            throw std::runtime_error("five");
        total += m.value;
    }
    int operator()(sum) const { return total; }
};

int main()
{
    costar::set_log_level(costar::log_level::critical);
    costar::engine engine({.middleware = {std::make_shared<meter>()}});
    const auto measured = engine.extensions().emplace<metrics>();
    const auto pid = engine.spawn<adder>("adder", {.restart = {.limit = 1}});
    for (int value = 1; value <= 7; ++value)
        engine.send(pid, add{value});
    engine.ask(pid, sum{}, boost::asio::use_future).get();
    engine.poison(pid, boost::asio::use_future).get();

    const std::lock_guard lock(measured->mutex);
    for (const auto& [type, line] : measured->lines)
        fmt::print("{}: {} handled, {} failed, time was measured: {}\n", type, line.handled, line.failed,
            line.spent.count() > 0);
}
