// SPDX-License-Identifier: MIT

// Mixed traffic for a long time: does memory stay flat, do requests keep their pace, is anything lost?

#include "harness.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;
using costar::context;
using costar::errc;
using costar::pid;
using costar::task;

/// Messages and requests of the traffic.
struct note {
    std::uint64_t number;
};
struct work {
    using reply = std::uint64_t;
    std::uint64_t number;
};
struct slow_work {
    using reply = std::uint64_t;
};
struct crash {};

/// How often requests took how long: sixteen steps for each power of two nanoseconds.
class histogram {
public:
    void add(clock_type::duration took) noexcept
    {
        const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 16));
        const int octave = std::bit_width(value) - 1;
        const auto step = static_cast<std::size_t>((value >> (octave - 4)) & 15);
        const std::size_t place = static_cast<std::size_t>(octave) * 16 + step;
        counts_[std::min(place, counts_.size() - 1)].fetch_add(1, std::memory_order_relaxed);
    }

    /// Median and 99th percentile in microseconds of what was added since the last call.
    std::pair<double, double> take()
    {
        std::array<std::uint64_t, places> taken{};
        std::uint64_t all = 0;
        for (std::size_t i = 0; i < places; ++i)
            all += taken[i] = counts_[i].exchange(0, std::memory_order_relaxed);
        const auto percentile = [&](double part) {
            std::uint64_t below = 0;
            for (std::size_t i = 0; i < places; ++i) {
                below += taken[i];
                if (static_cast<double>(below) >= part * static_cast<double>(all))
                    return std::ldexp(16.0 + static_cast<double>(i % 16), static_cast<int>(i / 16) - 4) / 1e3;
            }
            return 0.0;
        };
        return {percentile(0.5), percentile(0.99)};
    }

private:
    static constexpr std::size_t places = 40 * 16;
    std::array<std::atomic<std::uint32_t>, places> counts_{};
};

/// What has happened so far, counted by all strands and threads.
struct tally {
    std::atomic<std::uint64_t> notes_sent{0};
    std::atomic<std::uint64_t> notes_handled{0};
    std::atomic<std::uint64_t> notes_dead{0};
    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> deadlines_asked{0};
    std::atomic<std::uint64_t> deadlines_met{0};        // timed out, as they were meant to
    std::atomic<std::uint64_t> deadlines_overtaken{0};  // answered: the asker's core had been away for 4 ms
    std::atomic<std::uint64_t> crashes{0};
    std::atomic<std::uint64_t> lives{0};  // of short-lived actors
    std::atomic<bool> ending{false};
    histogram asks;
};

void count(std::atomic<std::uint64_t>& what) noexcept
{
    what.fetch_add(1, std::memory_order_relaxed);
}

struct worker {
    explicit worker(tally* seen) : seen(seen) {}

    void operator()(note) { count(seen->notes_handled); }
    std::uint64_t operator()(work w) { return w.number + 1; }
    task<std::uint64_t> operator()(slow_work)
    {
        co_await costar::sleep_for(5ms);
        co_return 0;
    }
    void operator()(crash) { throw std::runtime_error("told to"); }

    tally* seen;
};

task<> short_life(context& self)
{
    auto message = co_await self.receive();
    if (message)
        message.match([](work w) { return w.number + 1; });
}

/// Sends, asks, lets others crash and children live and die, until it is stopped.
task<> client(context& self, std::vector<pid> workers, tally* seen, std::uint64_t seed)
{
    std::minstd_rand random(static_cast<std::uint32_t>(seed));
    const auto any = [&] { return workers[random() % workers.size()]; };
    for (std::uint64_t turn = 0; !self.stopping(); ++turn) {
        for (int i = 0; i < 20; ++i) {
            count(seen->notes_sent);
            self.send(any(), note{turn});
        }
        count(seen->asked);
        const auto began = clock_type::now();
        const auto reply = co_await costar::as_result(self.ask(any(), work{turn}));
        if (reply && *reply == turn + 1) {
            count(seen->answered);
            seen->asks.add(clock_type::now() - began);
        }
        if (turn % 50 == 0) {
            count(seen->deadlines_asked);
            const auto late = co_await costar::as_result(self.ask(any(), slow_work{}, 1ms));
            if (!late && late.error() == errc::timed_out)
                count(seen->deadlines_met);
            else if (late && *late == 0)
                count(seen->deadlines_overtaken);
        }
        if (turn % 500 == 0) {
            count(seen->crashes);
            self.send(any(), crash{});
        }
        if (turn % 10 == 0) {
            const pid child = self.spawn(short_life);
            count(seen->asked);
            if (const auto value = co_await costar::as_result(self.ask(child, work{turn})); value)
                count(seen->answered);
            co_await self.wait(child);
            count(seen->lives);
        }
        co_await costar::sleep_for(std::chrono::microseconds(random() % 2000));
    }
}

void foreign_traffic(costar::engine& engine, const std::vector<pid>& workers, tally& seen, std::uint32_t seed)
{
    std::minstd_rand random(seed);
    while (!seen.ending.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 50; ++i) {
            count(seen.notes_sent);
            engine.send(workers[random() % workers.size()], note{seed});
        }
        count(seen.asked);
        if (engine.ask(workers[random() % workers.size()], work{1}, 10s, asio::use_future).get() == 2)
            count(seen.answered);
        std::this_thread::sleep_for(1ms);
    }
}

double processor_seconds()
{
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// A line of figures every `interval`, then the accounts. False when something was lost.
bool soak(std::chrono::seconds length, std::chrono::seconds interval)
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});  // of all the crashes
    tally seen;
    costar::event_stream::subscription dead;
    costar::engine engine{{.strands = 2}};
    dead = engine.events().subscribe<costar::dead_letter>([&](const costar::dead_letter& letter) {
        if (letter.type == costar::machine::type_of<note>.name())
            count(seen.notes_dead);
    });
    std::vector<pid> workers;
    for (int i = 0; i < 100; ++i)
        workers.push_back(engine.spawn<worker>({.restart = {.limit = 1'000'000}}, &seen));
    std::vector<pid> clients;
    for (std::uint64_t i = 0; i < 32; ++i)
        clients.push_back(engine.spawn(client, workers, &seen, i + 1));
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < 2; ++i)
        threads.emplace_back(foreign_traffic, std::ref(engine), std::cref(workers), std::ref(seen), i + 1);

    const auto began = clock_type::now();
    for (auto next = began + interval; next <= began + length; next += interval) {
        std::this_thread::sleep_until(next);
        const auto [p50, p99] = seen.asks.take();
        fmt::print("{{\"second\": {}, \"messages\": {}, \"asks\": {}, \"crashes\": {}, \"lives\": {}, "
                   "\"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"resident_bytes\": {}}}\n",
            std::chrono::duration_cast<std::chrono::seconds>(next - began).count(), seen.notes_handled.load(),
            seen.answered.load(), seen.crashes.load(), seen.lives.load(), p50, p99, bench::resident_bytes());
        std::fflush(stdout);
    }

    seen.ending = true;
    for (std::thread& each : threads)
        each.join();
    for (const pid each : clients)
        engine.stop(each, asio::use_future).get();
    for (const pid each : workers)  // behind all that was sent to it, if by nobody else's delay
        engine.poison(each, asio::use_future).get();
    const auto report = engine.shutdown(10s);
    const std::uint64_t unanswered = seen.asked - seen.answered;
    const std::uint64_t lost = seen.notes_sent - seen.notes_handled - seen.notes_dead;
    const std::uint64_t overtaken = seen.deadlines_overtaken;
    const std::uint64_t late = seen.deadlines_asked - seen.deadlines_met - overtaken;
    fmt::print("{{\"notes_sent\": {}, \"notes_handled\": {}, \"notes_dead\": {}, \"notes_lost\": {}, "
               "\"asked\": {}, \"unanswered\": {}, \"deadlines\": {}, \"deadlines_overtaken\": {}, "
               "\"deadlines_not_met\": {}, \"restarts\": {}, "
               "\"left\": {}}}\n",
        seen.notes_sent.load(), seen.notes_handled.load(), seen.notes_dead.load(), lost, seen.asked.load(),
        unanswered, seen.deadlines_asked.load(), overtaken, late, engine.figures().restarts,
        report.left.size());
    // A client that is stopped gives up what it asks for at that moment, a question and a deadline at most.
    return lost == 0 && unanswered <= clients.size() && late <= clients.size() &&
        overtaken * 20 <= seen.deadlines_asked && report.left.empty();
}

task<> idler(context& self)
{
    while (co_await self.receive()) {}
}

/// The processor time that a million actors take while nothing happens.
void idle(std::chrono::seconds length)
{
    constexpr int actors = 1'000'000;
    costar::engine engine{{.strands = 2}};
    pid last;
    for (int i = 0; i < actors; ++i)
        last = engine.spawn(idler);
    while (engine.figures().live != actors)
        std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(1s);  // strands look for work before they sleep
    const double before = processor_seconds();
    std::this_thread::sleep_for(length);
    fmt::print("{{\"actors\": {}, \"seconds\": {}, \"cpu_ms\": {:.3f}}}\n", actors, length.count(),
        (processor_seconds() - before) * 1e3);
}

}  // namespace

int main(int argc, char** argv)
{
    const bool is_idle = argc == 3 && std::string_view(argv[2]) == "--idle";
    const int seconds = argc >= 2 ? std::atoi(argv[1]) : 0;
    if (seconds <= 0 || (argc > 2 && !is_idle)) {
        fmt::print(stderr, "usage: {} SECONDS [--idle]\n", argv[0]);
        return 2;
    }
    if (is_idle) {
        idle(std::chrono::seconds(seconds));
        return 0;
    }
    return soak(std::chrono::seconds(seconds), std::chrono::seconds(std::max(1, seconds / 10))) ? 0 : 1;
}
