// SPDX-License-Identifier: MIT

// A thousand jobs, never more than five at a time.
//
// Run:     build/demos/23_limit_concurrency
// Prints:  how many jobs were done, and how many ran at the same time at most.
// Teaches: a pool's actors hold their mailbox while they await, so its size is the limit.

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

struct job {
    using reply = int;
    int number;
};

struct worker {
    static inline int running = 0;
    static inline int most = 0;

    costar::task<int> operator()(costar::context&, job m)
    {
        most = std::max(most, ++running);
        for (int i = 0; i < 3; ++i)
            co_await costar::yield();  // stands for a call to somebody else
        --running;
        co_return m.number;
    }
};

int main()
{
    costar::engine engine({.strands = 1});
    const auto pool = costar::spawn_pool<worker>(engine, "workers", 5);
    std::vector<std::future<int>> all;
    for (int number = 0; number < 1000; ++number)
        all.push_back(engine.ask(pool, job{number}, boost::asio::use_future));
    int done = 0;
    for (auto& each : all)
        done += each.get() >= 0;
    fmt::print("{} jobs, {} at a time\n", done, worker::most);
}
