// SPDX-License-Identifier: MIT

#include <costar/actor/engine.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// The cores that the calling thread may run on.
std::vector<int> own_cores()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    pthread_getaffinity_np(pthread_self(), sizeof set, &set);
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &set))
            cores.push_back(core);
    return cores;
}

const std::vector<int> given_cores = own_cores();

constexpr auto patience = 60s;  // far more than needed: its end is a failure

engine_options strands(std::size_t count)
{
    return {.strands = count};
}

struct add {
    int by;
};
struct total {
    using reply = long;
};

/// Adds up in a variable that survives its crashes.
struct summing {
    explicit summing(long* sum) : sum(sum) {}
    void operator()(add m) { *sum += m.by; }
    long operator()(total) { return *sum; }
    void operator()(crash) { throw std::runtime_error("told to"); }
    long* sum;
};

task<> relays(context& self, std::vector<pid> to)
{
    for (std::size_t next = 0; auto message = co_await self.receive(); ++next)
        self.forward(to[next % to.size()], std::move(message));
}

/// Asks until all that was sent has been added up: different senders are not ordered among each other.
long sum_of(costar::engine& engine, const std::vector<pid>& all, long expected)
{
    for (const auto end = std::chrono::steady_clock::now() + patience;;) {
        long sum = 0;
        for (const pid each : all)
            sum += engine.ask(each, total{}, patience, asio::use_future).get();
        if (sum == expected || std::chrono::steady_clock::now() > end)
            return sum;
    }
}

task<> one_shot(context& self, pid to)
{
    self.send(to, add{1});
    co_return;
}

}  // namespace

TEST_CASE("engine: a storm of foreign threads loses nothing", "[thread][engine]")
{
    // Several threads send, ask, spawn and stop while the actors crash and are begun anew; every number that
    // was sent to an actor that is never stopped arrives.
    quiet_log quiet;
    constexpr int threads = 4;
    constexpr int rounds = 2000;
    constexpr int actors = 6;
    long sums[actors] = {};
    std::atomic<long> expected{0};
    std::atomic<long> answered{0};
    std::atomic<long> ended{0};
    {
        costar::engine engine(strands(2));
        std::vector<pid> all;
        for (std::uint32_t i = 0; i < actors; ++i) {
            spawn_options options = on(i % 2);
            options.restart = {.limit = 1'000'000};
            all.push_back(engine.spawn<summing>(options, &sums[i]));
        }
        const pid relay = engine.spawn(on(0), relays, all);
        const auto work = [&](int thread) {
            for (int i = 0; i < rounds; ++i) {
                const pid to = all[static_cast<std::size_t>(i + thread) % actors];
                engine.send(to, add{1});
                engine.send(relay, add{1});
                expected += 2;
                if (i % 50 == 0)
                    engine.send(to, crash{});
                if (i % 20 == 0) {
                    const auto answer = engine.ask(to, total{}, patience, asio::use_future).get();
                    answered += answer >= 0;
                }
                if (i % 25 == 0) {
                    const pid brief = engine.spawn(one_shot, relay);
                    expected += 1;
                    engine.stop(brief, asio::use_future).get();
                    const pid other = engine.spawn(helper);
                    engine.send(other, crash{});
                    engine.poison(other, asio::use_future).get();
                    ended += 2;
                }
            }
        };
        std::vector<std::thread> all_threads;
        for (int thread = 0; thread < threads; ++thread)
            all_threads.emplace_back(work, thread);
        for (std::thread& each : all_threads)
            each.join();
        CHECK(sum_of(engine, all, expected) == expected);
        engine.poison(relay, asio::use_future).get();
        for (const pid each : all)
            engine.poison(each, asio::use_future).get();
        CHECK(engine.figures().live == 0);
        CHECK(engine.figures().late_replies == 0);
    }
    long sum = 0;
    for (const long each : sums)
        sum += each;
    CHECK(sum == expected);
    CHECK(answered == threads * rounds / 20);
    CHECK(ended == 2 * threads * rounds / 25);
}

TEST_CASE("engine: a name is won by one thread, and its actor takes what all send", "[thread][engine]")
{
    quiet_log quiet;
    costar::engine engine(strands(2));
    constexpr int names = 200;
    std::atomic<int> spawned{0};
    std::atomic<long> answers{0};
    const auto work = [&] {
        for (int i = 0; i < names; ++i) {
            pid to;
            try {
                to = engine.spawn("actor " + std::to_string(i), helper);
                ++spawned;
            } catch (const name_in_use& thrown) {
                to = thrown.holder();
            }
            answers += engine.ask(to, twice{1}, patience, asio::use_future).get();
        }
    };
    std::thread other(work);
    work();
    other.join();

    CHECK(spawned == names);
    CHECK(answers == 4 * names);
}

TEST_CASE("engine: events may be subscribed to and left from any thread", "[thread][engine]")
{
    costar::engine engine(strands(2));
    std::atomic<bool> done{false};
    std::atomic<long> seen{0};
    std::thread listener([&] {
        while (!done) {
            const auto subscription =
                engine.events().subscribe<actor_stopped>([&](const actor_stopped&) { ++seen; });
            std::this_thread::yield();
        }
    });
    for (int i = 0; i < 500; ++i)
        engine.stop(engine.spawn(helper), asio::use_future).get();
    done = true;
    listener.join();

    CHECK(engine.figures().live == 0);
    CHECK(seen <= 500);
}

TEST_CASE("engine: a shutdown meets spawns and requests under way", "[thread][engine]")
{
    for (int round = 0; round < 20; ++round) {
        costar::engine engine(strands(2));
        std::atomic<long> spawned{0};
        std::atomic<long> stopped{0};
        const auto subscription =
            engine.events().subscribe<actor_stopped>([&](const actor_stopped&) { ++stopped; });
        std::thread other([&] {
            try {
                for (;;) {
                    const pid one = engine.spawn(helper);
                    ++spawned;
                    engine.send(one, knock{});
                }
            } catch (const error& thrown) {
                CHECK(thrown.code() == errc::engine_stopped);
            }
        });
        for (int i = 0; i < 10; ++i)
            engine.ask(engine.spawn(helper), twice{1}, patience, asio::use_future).get();
        const auto report = engine.shutdown(patience);
        other.join();
        CHECK(report.left.empty());
        static_cast<void>(engine.shutdown(patience));  // for one that was under way

        CHECK(stopped == spawned + 10);
        CHECK(engine.figures().live == 0);
    }
}

TEST_CASE("engine: a shutdown ends at its deadline, whoever keeps a strand", "[thread][engine]")
{
    quiet_log quiet;
    std::atomic<bool> is_free{false};
    std::promise<void> begun;
    const std::size_t kept = GENERATE(0U, 1U);
    costar::engine engine(strands(2));
    asio::post(engine.get_executor(kept), [&] {
        begun.set_value();
        is_free.wait(false);
    });
    begun.get_future().get();

    const auto report = engine.shutdown(10ms);  // hangs if it asks the busy strand

    CHECK(report.left == std::vector<std::string>{"strand " + std::to_string(kept) + " is busy"});
    is_free = true;
    is_free.notify_all();
}

TEST_CASE("engine: who keeps a strand is named where that is watched", "[thread][engine]")
{
    struct glutton {
        static task<> body(context& self, std::promise<void>* begun, std::atomic<bool>* is_free)
        {
            if (!co_await self.receive())
                co_return;
            begun->set_value();
            is_free->wait(false);
        }
    };
    quiet_log quiet;
    std::atomic<bool> is_free{false};
    std::promise<void> begun;
    engine_options options = strands(1);
    options.turn.hog_limit = 1h;
    costar::engine engine(std::move(options));
    const pid actor = engine.spawn("glutton", &glutton::body, &begun, &is_free);
    engine.send(actor, number{1});
    begun.get_future().get();

    CHECK(engine.dump(10ms) == "strand 0 is busy with glutton, with a support::number\n");
    is_free = true;
    is_free.notify_all();
}

TEST_CASE("engine: strands are bound to the cores of the process, whatever its threads are bound to",
    "[thread][engine]")
{
    std::vector<std::vector<int>> bound;
    std::thread([&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(given_cores.back(), &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        costar::engine engine({.strands = 2, .pin_threads = true});
        for (std::size_t i = 0; i < 2; ++i) {
            std::promise<std::vector<int>> seen;
            asio::post(engine.get_executor(i), [&] { seen.set_value(own_cores()); });
            bound.push_back(seen.get_future().get());
        }
    }).join();
    for (std::size_t i = 0; i < 2; ++i)
        CHECK(bound[i] == std::vector<int>{given_cores[i % given_cores.size()]});
}

TEST_CASE("engine: destructors that run late on a thread may send", "[thread][engine]")
{
    struct farewell {
        costar::engine* engine = nullptr;
        pid to;
        ~farewell()
        {
            if (engine != nullptr)
                engine->send(to, add{2});
            if (engine != nullptr)
                engine->send(to, add{4});
        }
    };
    long sum = 0;
    {
        costar::engine engine(strands(2));
        const auto to = engine.spawn<summing>(on(1), &sum);
        std::thread([&] {
            static thread_local farewell last;  // made before the first message, so destroyed behind it
            last.engine = &engine;
            last.to = to;
            engine.send(to, add{1});
        }).join();
        CHECK(sum_of(engine, {to}, 7) == 7);
    }
    CHECK(sum == 7);
}

TEST_CASE("engine: threads may end while what they sent is on its way", "[thread][engine]")
{
    long sum = 0;
    constexpr int threads = 50;
    constexpr int messages = 200;
    {
        costar::engine engine(strands(2));
        const auto to = engine.spawn<summing>(on(1), &sum);
        for (int thread = 0; thread < threads; ++thread)
            std::thread([&] {
                for (int i = 0; i < messages; ++i)
                    engine.send(to, add{1});
            }).join();
        CHECK(sum_of(engine, {to}, threads * messages) == threads * messages);
    }
    CHECK(sum == threads * messages);
}
