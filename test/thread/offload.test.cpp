// SPDX-License-Identifier: MIT

#include <costar/actor/offload.hpp>

#include <costar/core/when.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace std::chrono_literals;
using support::helper;
using support::on;
using support::quiet_log;
using support::twice;

namespace {

constexpr auto patience = 60s;  // far more than needed: its end is a failure

struct total {
    using reply = long;
    int rounds;
};

/// Adds up numbers that helper threads give it, in a variable that no other thread may touch meanwhile.
task<> adds_up(context& self)
{
    while (auto message = co_await self.receive<total>()) {
        long sum = 0;
        for (int i = 0; i < message.get<total>().rounds; ++i) {
            if (i % 7 == 0) {
                try {
                    co_await self.offload([] { throw std::runtime_error("now and then"); });
                } catch (const std::runtime_error&) {
                    ++sum;
                }
            }
            int local = 0;
            co_await self.offload([&local, i] { local = i; });
            sum += local;
        }
        message.respond(sum);
    }
}

/// Offloads a function that begins, and ends when the test lets it.
task<> offloads_held(context& self, std::latch* begun, std::latch* release, std::atomic<int>* ended)
{
    std::string local = "in the frame";
    co_await self.offload([&] {
        begun->count_down();
        release->wait();
        if (local == "in the frame")
            ++*ended;
    });
    ++*ended;
}

/// Offloads a function that must never run, and notes its end.
task<> offloads_in_vain(
    context& self, std::latch* asked, std::atomic<int>* calls, std::atomic<int>* cancelled)
{
    try {
        asked->count_down();
        co_await self.offload([calls] { ++*calls; });
    } catch (const error& thrown) {
        if (thrown.code() == errc::cancelled)
            ++*cancelled;
    }
}

/// What runs on its strand when everything before has run.
void settle(engine& running, pid witness)
{
    for (std::size_t i = 0; i < running.size(); ++i)
        static_cast<void>(running.ask(witness, twice{1}, patience, asio::use_future).get());
}

}  // namespace

TEST_CASE("offload: many actors on many strands share the helper threads", "[thread][offload]")
{
    constexpr int rounds = 300;
    engine running({.strands = 2, .offload_threads = 3});
    std::vector<std::future<long>> answers;
    for (std::uint32_t i = 0; i < 8; ++i)
        answers.push_back(
            running.ask(running.spawn(on(i % 2), adds_up), total{rounds}, patience, asio::use_future));

    for (auto& answer : answers)
        CHECK(answer.get() == long{rounds} * (rounds - 1) / 2 + (rounds + 6) / 7);
}

TEST_CASE(
    "offload: a stop waits for the function that runs, and gives up the one that waits", "[thread][offload]")
{
    engine running({.strands = 1, .offload_threads = 1});
    std::latch begun(1);
    std::latch release(1);
    std::latch asked(1);
    std::atomic<int> ended{0};
    std::atomic<int> calls{0};
    std::atomic<int> cancelled{0};
    const pid first = running.spawn(offloads_held, &begun, &release, &ended);
    begun.wait();
    const pid second = running.spawn(offloads_in_vain, &asked, &calls, &cancelled);
    asked.wait();

    running.stop(second, asio::use_future).get();
    CHECK(cancelled == 1);
    auto stopped = running.stop(first, asio::use_future);
    settle(running, running.spawn(helper));  // the stop has been carried out by now
    CHECK(stopped.wait_for(0s) == std::future_status::timeout);
    CHECK(ended == 0);
    release.count_down();
    stopped.get();

    CHECK(ended == 2);  // the function, and the body behind it
    CHECK(calls == 0);
}

TEST_CASE("offload: an engine that ends waits for functions that run", "[thread][offload]")
{
    quiet_log quiet;
    const bool shuts_down = GENERATE(false, true);
    std::latch begun(2);
    std::latch release(1);
    std::atomic<int> ended{0};
    auto running = std::make_unique<engine>(engine_options{.strands = 2, .shutdown_timeout = 0s});
    for (std::uint32_t i = 0; i < 2; ++i)
        running->spawn(on(i), offloads_held, &begun, &release, &ended);
    begun.wait();
    if (shuts_down) {
        CHECK(running->shutdown(0s).left.size() == 2);
        CHECK(ended == 0);
    }

    std::thread destroys([&] { running.reset(); });
    release.count_down();
    destroys.join();

    CHECK(ended >= 2);  // the functions, and those bodies that got so far
}

TEST_CASE(
    "offload: an engine that ends gives up what waits before it waits for what runs", "[thread][offload]")
{
    // The function that runs ends when the one that waits has been given up, and that is in a shield: only
    // the destructor does so.
    struct body {
        static task<> waits(context& self, std::atomic<int>* calls)
        {
            co_await self.offload([calls] { ++*calls; });
        }
        static task<> holds_out(
            context& self, std::latch* asked, std::latch* release, std::atomic<int>* calls)
        {
            try {
                asked->count_down();
                co_await shield(waits(self, calls));
            } catch (const error&) {
                release->count_down();
            }
        }
    };
    quiet_log quiet;
    std::latch begun(1);
    std::latch release(1);
    std::latch asked(1);
    std::atomic<int> ended{0};
    std::atomic<int> calls{0};
    {
        engine running({.strands = 1, .shutdown_timeout = 0s, .offload_threads = 1});
        running.spawn(offloads_held, &begun, &release, &ended);
        begun.wait();
        running.spawn(body::holds_out, &asked, &release, &calls);
        asked.wait();
    }

    CHECK(ended >= 1);
    CHECK(calls == 0);
}

TEST_CASE("offload: a shutdown with enough time ends in order", "[thread][offload]")
{
    std::latch begun(1);
    std::latch release(1);
    std::atomic<int> ended{0};
    engine running({.strands = 2, .offload_threads = 1});
    running.spawn(offloads_held, &begun, &release, &ended);
    begun.wait();

    auto done = std::async(std::launch::async, [&] { return running.shutdown(patience); });
    release.count_down();

    CHECK(done.get().left.empty());
    CHECK(ended == 2);
}

TEST_CASE("offload: a function may ask the engine that is ending", "[thread][offload]")
{
    struct body {
        static task<> asks(context& self, std::latch* begun, pid other, std::atomic<int>* seen)
        {
            co_await self.offload([&self, begun, other, seen] {
                begun->count_down();
                try {
                    for (;;)
                        *seen += self.engine().ask(other, twice{1}, patience, asio::use_future).get() == 2;
                } catch (const boost::system::system_error&) {
                    *seen += 1'000'000;  // the other one has been stopped
                }
            });
        }
    };
    quiet_log quiet;
    std::latch begun(1);
    std::atomic<int> seen{0};
    {
        engine running({.strands = 2, .shutdown_timeout = 0s});
        const pid other = running.spawn(on(1), helper);
        running.spawn(on(0), body::asks, &begun, other, &seen);
        begun.wait();
    }

    CHECK(seen >= 1'000'000);
}

TEST_CASE("offload: a borrowed engine runs until its functions have come back", "[thread][offload]")
{
    asio::io_context io;
    engine borrowed(io.get_executor());
    std::vector<std::future<long>> answers;
    for (int i = 0; i < 4; ++i)
        answers.push_back(borrowed.ask(borrowed.spawn(adds_up), total{50}, patience, asio::use_future));
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] { io.run(); });
    for (std::thread& each : threads)
        each.join();

    for (auto& answer : answers) {
        REQUIRE(answer.wait_for(0s) == std::future_status::ready);
        CHECK(answer.get() == 50 * 49 / 2 + 8);
    }
}

TEST_CASE(
    "offload: a borrowed engine that is destroyed waits for the function that runs", "[thread][offload]")
{
    std::latch begun(1);
    std::latch release(1);
    std::atomic<int> ended{0};
    asio::io_context io;
    auto borrowed = std::make_unique<engine>(io.get_executor());
    borrowed->spawn(offloads_held, &begun, &release, &ended);
    while (!begun.try_wait())
        io.poll_one();

    std::thread releases([&] { release.count_down(); });
    borrowed.reset();
    releases.join();

    CHECK(ended == 1);  // the function; its actor was destroyed where it stood
}
