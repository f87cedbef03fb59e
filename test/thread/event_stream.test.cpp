// SPDX-License-Identifier: MIT

#include <costar/kernel/event_stream.hpp>

#include <costar/actor/engine.hpp>

#include <boost/asio/use_future.hpp>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace support;

namespace {

struct cause {
    int thread;
    int number;
};
struct effect {
    int thread;
    int number;
};

constexpr int threads = 3;
constexpr int events_each = 300;

/// Publishes a cause for each number; somebody answers each with an effect.
void publish_all(event_stream& events, int thread)
{
    for (int i = 0; i < events_each; ++i)
        events.publish(cause{thread, i});
}

task<> publisher(context& self, int thread)
{
    publish_all(self.engine().events(), thread);
    co_return;
}

/// What one subscriber has heard of each thread: a cause as an even number, its effect as the odd one behind.
struct record {
    void note(int thread, int heard)
    {
        const std::lock_guard lock(mutex);
        all[thread].push_back(heard);
    }

    std::mutex mutex;
    std::vector<int> all[2 * threads];
};

}  // namespace

TEST_CASE("event_stream: each thread's events are told in one order, whoever publishes inside", "[thread]")
{
    engine engine({.strands = threads});
    event_stream& events = engine.events();
    record first;
    record last;
    std::atomic<bool> over{false};
    {
        const event_stream::subscription subscriptions[] = {
            events.subscribe<cause>([&](const cause& c) { first.note(c.thread, 2 * c.number); }),
            events.subscribe<effect>([&](const effect& e) { first.note(e.thread, 2 * e.number + 1); }),
            events.subscribe<cause>([&](const cause& c) { events.publish(effect{c.thread, c.number}); }),
            events.subscribe<cause>([&](const cause& c) { last.note(c.thread, 2 * c.number); }),
            events.subscribe<effect>([&](const effect& e) { last.note(e.thread, 2 * e.number + 1); }),
        };
        std::vector<std::thread> foreign;
        for (int i = 0; i < threads; ++i)
            foreign.emplace_back([&, i] { publish_all(events, i); });
        foreign.emplace_back([&] {  // comes and goes meanwhile
            while (!over)
                const auto passing = events.subscribe<effect>([](const effect&) {});
        });
        std::vector<pid> actors;
        for (int i = 0; i < threads; ++i)
            actors.push_back(engine.spawn(on(static_cast<std::uint32_t>(i)), publisher, threads + i));
        for (const pid each : actors)
            engine.wait(each, boost::asio::use_future).get();
        for (int i = 0; i < threads; ++i)
            foreign[static_cast<std::size_t>(i)].join();
        over = true;
        foreign.back().join();
    }

    std::vector<int> expected;
    for (int i = 0; i < 2 * events_each; ++i)
        expected.push_back(i);
    for (int i = 0; i < 2 * threads; ++i) {
        CHECK(first.all[i] == expected);
        CHECK(last.all[i] == expected);
    }
}
