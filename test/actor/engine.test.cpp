// SPDX-License-Identifier: MIT

#include <costar/actor/engine.hpp>

#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

task<> stays(context& self, std::chrono::nanoseconds pause)
{
    while (co_await self.receive()) {}
    co_await shield(sleep_for(pause));
}

task<> shields_for_ever(context& self)
{
    while (co_await self.receive()) {}
    co_await shield(sleep_for(1000h));
}

task<> on_a_timer(context& self, bool* ended)
{
    asio::steady_timer timer(self.get_executor(), 24h);
    struct notes {
        bool* ended;
        ~notes() { *ended = true; }
    } end{ended};
    co_await timer.async_wait(use_task);
}

}  // namespace

TEST_CASE("engine: one with threads of its own answers any thread", "[actor][engine]")
{
    costar::engine engine{{.strands = 2}};
    const pid to = engine.spawn("greeter", helper);

    CHECK(engine.size() == 2);
    CHECK(engine.ask(to, greet{"world"}, 10s, asio::use_future).get() == "hello, world");
    auto seen =
        std::async(std::launch::async, [&] { return engine.ask(to, twice{4}, 10s, asio::use_future).get(); });
    CHECK(seen.get() == 8);
    CHECK(engine.find("local/greeter") == to);
    engine.stop(to, asio::use_future).get();
    CHECK_THROWS_AS(engine.ask(to, twice{4}, 10s, asio::use_future).get(), boost::system::system_error);
}

TEST_CASE("engine: an owned engine has a strand for each core", "[actor][engine]")
{
    costar::engine engine;
    CHECK(engine.size() == std::max(1U, std::thread::hardware_concurrency()));
    costar::engine other{{.strands = 3}};  // beside the first one
    CHECK(other.size() == 3);
}

TEST_CASE("engine: says what its actors wait for", "[actor][engine]")
{
    costar::engine engine{{.strands = 2}};
    const pid idle = engine.spawn("idle", on(0), helper);
    engine.spawn(
        "asks", on(1),
        [](context& self, pid to) -> task<> {
            co_await sleep_for(1h);
            static_cast<void>(co_await self.ask(to, twice{1}));
        },
        idle);
    engine.ask(idle, twice{1}, 10s, asio::use_future).get();

    const std::string text = engine.dump(10s);
    CHECK(text.find("idle (") != std::string::npos);
    CHECK(text.find("waits for a message") != std::string::npos);
    CHECK(text.find("asks (") != std::string::npos);
}

TEST_CASE("engine: says the same to a debugger, without asking its strands", "[actor][engine]")
{
    simulation sim;
    sim.engine().spawn("idle", on(0), helper);
    sim.engine().spawn("other", on(1), helper);
    sim.run_until_idle();

    const std::string text = sim.engine().dump_stopped();
    CHECK(text.find("idle (") != std::string::npos);
    CHECK(text.find("other (") != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("engine: waits for what its actors say as long as one likes", "[actor][engine]")
{
    costar::engine engine({.strands = 1});
    engine.spawn("sleeper", stays, 0s);
    CHECK(engine.dump(std::chrono::nanoseconds::max()).find("sleeper") != std::string::npos);
}

TEST_CASE("engine: needs an executor", "[actor][engine]")
{
    CHECK_THROWS_AS(costar::engine(std::vector<asio::any_io_executor>()), std::invalid_argument);
}

TEST_CASE("engine: ends its actors in its destructor", "[actor][engine]")
{
    std::atomic<int> started{0};
    std::atomic<int> stopped{0};
    event_stream::subscription subscriptions[2];  // outlive the engine
    {
        costar::engine engine{{.strands = 2}};
        subscriptions[0] = engine.events().subscribe<actor_started>([&](const actor_started&) { ++started; });
        subscriptions[1] = engine.events().subscribe<actor_stopped>([&](const actor_stopped&) { ++stopped; });
        for (std::uint32_t i = 0; i < 2000; ++i)
            engine.spawn(on(i % 2), helper);
    }
    CHECK(started == 2000);
    CHECK(stopped == 2000);
}

TEST_CASE("engine: a shutdown stops all, and says what was left", "[actor][engine]")
{
    simulation sim;
    event_record events(sim.engine());
    const pid quick = sim.engine().spawn("quick", on(0), stays, 1s);
    const pid slow_one = sim.engine().spawn("slow", on(1), stays, 1h);
    std::optional<error_code> code;
    std::vector<std::string> left;
    const auto note = [&](error_code ended, const shutdown_report& report) {
        code = ended;
        left = report.left;
    };
    sim.run_until_idle();

    SECTION("in time")
    {
        sim.engine().async_shutdown(2h, note);
        sim.advance(1h);
        CHECK(code == error_code());
        CHECK(left.empty());
        CHECK(events.ends_of(quick) == 1);
        CHECK(events.ends_of(slow_one) == 1);
    }
    SECTION("not in time")
    {
        sim.engine().async_shutdown(2s, note);
        sim.advance(1999ms);
        CHECK_FALSE(code);
        sim.advance(1ms);
        CHECK(code == errc::timed_out);
        CHECK(left == std::vector<std::string>{"slow"});
        CHECK(events.ends_of(quick) == 1);
        CHECK(events.ends_of(slow_one) == 0);
    }
    SECTION("twice, both hear of it")
    {
        int heard = 0;
        sim.engine().async_shutdown(2h, [&](error_code ended, const shutdown_report&) { heard += !ended; });
        sim.advance(1s);
        sim.engine().async_shutdown(2h, note);
        sim.advance(1h);
        CHECK(heard == 1);
        CHECK(code == error_code());
        CHECK(sim.now() < 2h);
    }
    SECTION("with nobody there")
    {
        sim.engine().stop(quick);
        sim.engine().stop(slow_one);
        sim.advance(1h);
        const auto begun = sim.now();
        sim.engine().async_shutdown(1s, note);
        sim.run_until_idle();
        CHECK(code == error_code());
        CHECK(sim.now() == begun);
    }
    SECTION("and the engine may be gone before its end")
    {
        sim.engine().async_shutdown(2h, note);
        sim.run_until_idle();
        CHECK_FALSE(code);
    }
}

TEST_CASE("engine: a shutdown stops the youngest first", "[actor][engine]")
{
    asio::io_context io;  // where what is ready runs in its order, as in a simulation it does not
    costar::engine engine(io.get_executor());
    std::vector<int> ended;
    struct notes_end {
        static task<> body(context& self, int number, std::vector<int>* ended)
        {
            while (co_await self.receive()) {}
            ended->push_back(number);
        }
    };
    for (int i = 0; i < 5; ++i)
        engine.spawn(&notes_end::body, i, &ended);
    io.run();

    engine.async_shutdown(10s, [](error_code, const shutdown_report&) {});
    io.restart();
    io.run();

    CHECK(ended == std::vector{4, 3, 2, 1, 0});
}

TEST_CASE(
    "engine: a shutdown that waits is for engines with threads, from outside of them", "[actor][engine]")
{
    SECTION("owned")
    {
        quiet_log quiet;
        costar::engine engine{{.strands = 2, .shutdown_timeout = 1h}};  // the destructor does not wait again
        const pid to = engine.spawn("stays", shields_for_ever);
        CHECK_THROWS_AS(engine.ask(to, twice{1}, 10s, asio::use_future).get(), boost::system::system_error);
        auto inside = asio::post(engine.get_executor(),
            asio::use_future([&] { CHECK_THROWS_AS(engine.shutdown(1s), std::logic_error); }));
        inside.get();
        CHECK(engine.shutdown(1ms).left == std::vector<std::string>{"stays"});
        CHECK_THROWS_AS(engine.spawn(helper), error);
    }
    SECTION("borrowed")
    {
        asio::io_context io;
        costar::engine engine(io.get_executor());
        CHECK_THROWS_AS(engine.shutdown(1s), std::logic_error);
    }
}

TEST_CASE("engine: a borrowed one starts no thread and lets its context end", "[actor][engine]")
{
    asio::io_context io;
    costar::engine engine(io.get_executor());
    const auto thread = std::this_thread::get_id();
    struct where {
        static task<> body(context& self, std::thread::id expected, int* handled)
        {
            while (auto message = co_await self.receive())
                message.match([&](number&) {
                    CHECK(std::this_thread::get_id() == expected);
                    ++*handled;
                });
        }
    };
    int handled = 0;
    const pid to = engine.spawn(&where::body, thread, &handled);

    engine.send(to, number{1});
    CHECK(handled == 0);
    io.run();
    CHECK(handled == 1);
    io.restart();
    engine.send(to, number{1});
    io.run();

    CHECK(handled == 2);
    CHECK(engine.figures().live == 1);
}

TEST_CASE("engine: a borrowed one is shut down asynchronously", "[actor][engine]")
{
    asio::io_context io;
    costar::engine engine(io.get_executor());
    for (int i = 0; i < 10; ++i)
        engine.spawn(helper);
    auto report = engine.async_shutdown(10s, asio::use_future);

    io.run();

    CHECK(report.get().left.empty());
    CHECK(engine.figures().live == 0);
}

TEST_CASE("engine: a borrowed one may lie on several executors and threads", "[actor][engine]")
{
    asio::thread_pool pool(2);
    {
        costar::engine engine({pool.get_executor(), pool.get_executor(), pool.get_executor()});
        std::vector<pid> all;
        for (int i = 0; i < 30; ++i)
            all.push_back(engine.spawn(helper));
        std::vector<std::future<int>> answers;
        for (int i = 0; i < 300; ++i)
            answers.push_back(
                engine.ask(all[static_cast<std::size_t>(i) % 30], twice{i}, 10s, asio::use_future));
        for (int i = 0; i < 300; ++i)
            CHECK(answers[static_cast<std::size_t>(i)].get() == 2 * i);
        engine.async_shutdown(10s, asio::use_future).get();
        pool.join();
    }
}

TEST_CASE("engine: a borrowed one may go before its context, whatever its actors wait for", "[actor][engine]")
{
    asio::io_context io;
    bool ended = false;
    {
        costar::engine engine(io.get_executor());
        engine.spawn(on_a_timer, &ended);
        engine.spawn(stays, 1h);
        io.poll();
    }
    CHECK(ended);
    io.restart();
    io.poll();  // what the timer left behind finds nobody
}

TEST_CASE("engine: one with threads may go while an actor that does not end awaits Asio", "[actor][engine]")
{
    quiet_log quiet;
    struct holds {
        static task<> body(context& self, std::promise<void>* begun, bool* ended)
        {
            begun->set_value();
            co_await shield(on_a_timer(self, ended));
        }
    };
    std::promise<void> begun;
    bool ended = false;
    {
        costar::engine engine{{.strands = 2, .shutdown_timeout = 1ms}};
        engine.spawn(on(1), &holds::body, &begun, &ended);
        begun.get_future().wait();
    }
    CHECK(ended);
}

TEST_CASE("engine: many of them live side by side", "[actor][engine]")
{
    asio::io_context io;
    costar::engine first(io.get_executor());
    costar::engine second(io.get_executor());
    struct crosses {
        static task<> body(context& self, costar::engine* other, pid to, int* seen)
        {
            *seen = co_await other->ask(to, twice{4}, 1s, use_task);
            other->send(to, knock{});
            static_cast<void>(self);
        }
    };
    const pid to = second.spawn(helper);
    int seen = 0;
    first.spawn(&crosses::body, &second, to, &seen);

    io.run();

    CHECK(seen == 8);
    CHECK(second.figures().dead_letters == 0);
}

TEST_CASE("engine: a handler that throws harms nobody else", "[actor][engine]")
{
    asio::io_context io;
    costar::engine engine(io.get_executor());
    const pid to = engine.spawn(helper);
    std::vector<int> seen;
    for (int i = 0; i < 3; ++i)
        engine.ask(to, twice{i}, 1s, [&seen](error_code, int value) {
            seen.push_back(value);
            throw std::runtime_error("handler");
        });

    int thrown = 0;
    for (bool done = false; !done;) {
        try {
            io.run();
            done = true;
        } catch (const std::runtime_error&) {
            ++thrown;
        }
    }

    CHECK(thrown == 3);
    CHECK(seen == std::vector{0, 2, 4});
}
