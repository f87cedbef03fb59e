// SPDX-License-Identifier: MIT

#include <costar/actor/outside_request.hpp>

#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// A reply that cannot be made out of nothing.
struct ticket {
    explicit ticket(int number) : number(number) {}
    int number;
};
struct draw {
    using reply = ticket;
};
task<> dispenser(context& self)
{
    for (int next = 1; auto message = co_await self.receive();)
        message.match([&](draw&) { return ticket(next++); });
}

/// A reply one of whose moves throws.
struct fragile {
    static inline int moves_left = 0;

    fragile() = default;
    fragile(fragile&& other) : value(other.value)
    {
        if (moves_left > 0 && --moves_left == 0)
            throw std::runtime_error("it broke on the way");
    }
    fragile& operator=(fragile&&) = default;
    int value = 0;
};
struct get_fragile {
    using reply = fragile;
};
task<> keeper(context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](get_fragile&) {
            fragile made;
            made.value = 7;
            return made;
        });
}

/// Counts what is allocated with it.
template <class T>
struct counting_allocator {
    using value_type = T;
    explicit counting_allocator(int& count) : count(&count) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) : count(other.count)
    {}
    T* allocate(std::size_t n)
    {
        ++*count;
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* memory, std::size_t n) { std::allocator<T>().deallocate(memory, n); }
    friend bool operator==(const counting_allocator& a, const counting_allocator& b)
    {
        return a.count == b.count;
    }
    int* count;
};

/// A borrowed engine: everything runs in `io.run()`, in this thread.
struct borrowed {
    asio::io_context io;
    costar::engine engine{io.get_executor()};
};

}  // namespace

TEST_CASE("outside_request: every completion token gets the answer", "[actor][outside_request]")
{
    borrowed here;
    const pid to = here.engine.spawn(helper);

    SECTION("callback")
    {
        std::optional<int> seen;
        here.engine.ask(to, twice{2}, 1s, [&](error_code code, int value) {
            CHECK_FALSE(code);
            seen = value;
        });
        CHECK_FALSE(seen);  // never from inside the initiating function
        here.io.run();
        CHECK(seen == 4);
    }
    SECTION("use_future")
    {
        auto seen = here.engine.ask(to, twice{2}, 1s, asio::use_future);
        here.io.run();
        CHECK(seen.get() == 4);
    }
    SECTION("use_future of a failure")
    {
        auto seen = here.engine.ask(pid(), twice{2}, 1s, asio::use_future);
        here.io.run();
        CHECK_THROWS_AS(seen.get(), boost::system::system_error);
    }
    SECTION("use_awaitable")
    {
        std::optional<int> seen;
        asio::co_spawn(
            here.io,
            [](costar::engine& engine, pid to, std::optional<int>& seen) -> asio::awaitable<void> {
                seen = co_await engine.ask(to, twice{2}, 1s, asio::use_awaitable);
            }(here.engine, to, seen),
            asio::detached);
        here.io.run();
        CHECK(seen == 4);
    }
    SECTION("as_tuple(use_awaitable)")
    {
        std::optional<error_code> seen;
        asio::co_spawn(
            here.io,
            [](costar::engine& engine, std::optional<error_code>& seen) -> asio::awaitable<void> {
                const auto [code, text] =
                    co_await engine.ask(pid(), greet{"x"}, 1s, asio::as_tuple(asio::use_awaitable));
                CHECK(text.empty());
                seen = code;
            }(here.engine, seen),
            asio::detached);
        here.io.run();
        CHECK(seen == errc::no_such_actor);
    }
    SECTION("deferred")
    {
        auto operation = here.engine.ask(to, greet{"later"}, 1s, asio::deferred);
        here.io.run();
        here.io.restart();
        std::string seen;
        std::move(operation)([&](error_code, std::string text) { seen = text; });
        here.io.run();
        CHECK(seen == "hello, later");
    }
    SECTION("use_task, in an actor")
    {
        struct asker {
            static task<> body(context& self, pid to, std::string* seen)
            {
                *seen = co_await self.engine().ask(to, greet{"task"}, 1s, use_task);
                const auto [code, text] =
                    co_await self.engine().ask(pid(), greet{"task"}, 1s, asio::as_tuple(use_task));
                CHECK(code == errc::no_such_actor);
                co_await self.engine().ask(to, knock{}, 1s, asio::deferred);
            }
        };
        std::string seen;
        here.engine.spawn(&asker::body, to, &seen);
        here.io.run();
        CHECK(seen == "hello, task");
    }
    SECTION("detached")
    {
        here.engine.ask(to, knock{}, 1s, asio::detached);
        here.io.run();
        CHECK(here.engine.figures().late_replies == 0);
    }
    SECTION("the default deadline")
    {
        auto seen = here.engine.ask(to, knock{}, asio::use_future);
        here.io.run();
        CHECK_NOTHROW(seen.get());
    }
    SECTION("a reply without default constructor comes in an optional")
    {
        const pid machine = here.engine.spawn(dispenser);
        auto seen = here.engine.ask(machine, draw{}, 1s, asio::use_future);
        std::optional<bool> failed;
        here.engine.ask(to, draw{}, 1s, [&](error_code code, std::optional<ticket> value) {
            CHECK(code == errc::not_understood);
            failed = !value.has_value();
        });
        here.io.run();
        CHECK(seen.get()->number == 1);
        CHECK(failed == true);
    }
}

TEST_CASE("outside_request: every completion token hears of an end", "[actor][outside_request]")
{
    borrowed here;
    const auto in_line = GENERATE(false, true);
    const pid to = here.engine.spawn(helper);
    const auto end = [&](auto&& token) {
        return in_line ? here.engine.poison(to, std::forward<decltype(token)>(token))
                       : here.engine.stop(to, std::forward<decltype(token)>(token));
    };

    SECTION("callback")
    {
        std::optional<error_code> seen;
        if (in_line)
            here.engine.poison(to, [&](error_code code) { seen = code; });
        else
            here.engine.stop(to, [&](error_code code) { seen = code; });
        here.io.run();
        CHECK(seen == error_code());
    }
    SECTION("use_future")
    {
        auto seen =
            in_line ? here.engine.poison(to, asio::use_future) : here.engine.stop(to, asio::use_future);
        here.io.run();
        CHECK_NOTHROW(seen.get());
    }
    SECTION("use_awaitable")
    {
        bool seen = false;
        asio::co_spawn(
            here.io,
            [](costar::engine& engine, pid to, bool in_line, bool& seen) -> asio::awaitable<void> {
                if (in_line)
                    co_await engine.poison(to, asio::use_awaitable);
                else
                    co_await engine.stop(to, asio::use_awaitable);
                const auto [code] = co_await engine.stop(to, asio::as_tuple(asio::use_awaitable));  // again
                seen = !code;
            }(here.engine, to, in_line, seen),
            asio::detached);
        here.io.run();
        CHECK(seen);
    }
    SECTION("deferred")
    {
        bool seen = false;
        if (in_line)
            here.engine.poison(to, asio::deferred)([&](error_code) { seen = true; });
        else
            here.engine.stop(to, asio::deferred)([&](error_code) { seen = true; });
        here.io.run();
        CHECK(seen);
    }
    SECTION("use_task")
    {
        struct stopper {
            static task<> body(context& self, pid to, bool in_line)
            {
                if (in_line)
                    co_await self.engine().poison(to, use_task);
                else
                    co_await self.engine().stop(to, use_task);
            }
        };
        here.engine.spawn(&stopper::body, to, in_line);
        here.io.run();
    }
    SECTION("detached")
    {
        if (in_line)
            here.engine.poison(to, asio::detached);
        else
            here.engine.stop(to, asio::detached);
        here.io.run();
    }
    static_cast<void>(end);
    CHECK(here.engine.figures().live == 0);
}

TEST_CASE(
    "outside_request: the handler is called on its executor, with its allocator", "[actor][outside_request]")
{
    asio::io_context other;
    simulation sim;
    const pid to = sim.engine().spawn(on(1), helper);
    int allocated = 0;
    std::optional<int> seen;

    sim.engine().ask(to, twice{2}, 1s,
        asio::bind_executor(other,
            asio::bind_allocator(
                counting_allocator<char>(allocated), [&](error_code, int value) { seen = value; })));
    CHECK(allocated == 1);  // the request itself
    sim.run_until_idle();
    CHECK_FALSE(seen);
    CHECK(allocated > 1);
    CHECK(other.run() == 1);  // there was work to do until then

    CHECK(seen == 4);
}

TEST_CASE("outside_request: without an executor of its own the handler runs on the strand",
    "[actor][outside_request]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(1), helper);
    bool in_turn = false;

    sim.engine().ask(to, twice{2}, 1s,
        [&](error_code, int) { in_turn = sim.engine().get_executor(1).running_in_this_thread(); });
    sim.run_until_idle();

    CHECK(in_turn);
}

TEST_CASE("outside_request: its cancellation slot gives it up, at any time", "[actor][outside_request]")
{
    asio::cancellation_signal signal;
    std::optional<error_code> seen;
    const auto token = [&] {
        return asio::bind_cancellation_slot(signal.slot(), [&](error_code code, auto...) { seen = code; });
    };
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        seen.reset();
        {
            simulation sim(seed);
            const pid to = sim.engine().spawn(on(1), slow, 3s);
            sim.engine().ask(to, twice{2}, 1h, token());
            if (seed > 5)
                sim.run_until_idle();  // else it has not even begun

            signal.emit(asio::cancellation_type::terminal);
            sim.run_until_idle();
            CHECK(seen == errc::cancelled);
            CHECK(sim.now() == 0s);
            sim.advance(10s);
            CHECK(sim.engine().figures().late_replies == (seed > 5 ? 1U : 0U));
        }
        signal.emit(asio::cancellation_type::terminal);  // nobody is left to hear it
    }
}

TEST_CASE("outside_request: waits for an actor that ends by itself", "[actor][outside_request]")
{
    simulation sim;
    struct lasts {
        static task<> body(context&, std::chrono::seconds how_long) { co_await sleep_for(how_long); }
    };
    const pid to = sim.engine().spawn(on(1), &lasts::body, 3s);
    std::optional<std::chrono::nanoseconds> ended;
    std::optional<error_code> given_up;
    asio::cancellation_signal signal;

    sim.engine().wait(to, [&](error_code code) {
        CHECK_FALSE(code);
        ended = sim.now();
    });
    sim.engine().wait(
        to, asio::bind_cancellation_slot(signal.slot(), [&](error_code code) { given_up = code; }));
    sim.advance(2s);
    signal.emit(asio::cancellation_type::terminal);
    sim.run_until_idle();
    CHECK(given_up == errc::cancelled);
    CHECK_FALSE(ended);
    sim.advance(2s);
    CHECK(ended == std::chrono::nanoseconds(3s));

    int again = 0;
    sim.engine().wait(to, [&](error_code code) { again += !code; });
    sim.engine().wait(pid(), [&](error_code code) { again += !code; });
    sim.run_until_idle();
    CHECK(again == 2);
}

TEST_CASE("outside_request: a wait for an end can be given up as well", "[actor][outside_request]")
{
    simulation sim;
    struct stays {
        static task<> body(context& self)
        {
            while (co_await self.receive()) {}
            co_await shield(sleep_for(1min));
        }
    };
    const pid to = sim.engine().spawn(&stays::body);
    sim.run_until_idle();
    asio::cancellation_signal signal;
    std::optional<error_code> seen;

    sim.engine().stop(to, asio::bind_cancellation_slot(signal.slot(), [&](error_code code) { seen = code; }));
    sim.run_until_idle();
    CHECK_FALSE(seen);
    signal.emit(asio::cancellation_type::terminal);
    sim.run_until_idle();

    CHECK(seen == errc::cancelled);
    sim.advance(1min);
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("outside_request: ends at its deadline, at once without one", "[actor][outside_request]")
{
    simulation sim;
    const pid to = sim.engine().spawn(slow, 10s);
    std::vector<std::string> seen;
    const auto note = [&](std::string name) {
        return [&seen, &sim, name](error_code code, int) {
            seen.push_back(name + " " +
                (code == errc::timed_out ? "late"
                        : code           ? "failed"
                                         : "answered") +
                " at " + std::to_string(sim.now() / 1s));
        };
    };

    sim.engine().ask(to, twice{1}, 2s, note("short"));
    sim.engine().ask(to, twice{1}, note("default"));
    sim.engine().ask(to, twice{1}, -1ns, note("endless"));
    sim.advance(1min);

    CHECK(seen == std::vector<std::string>{"short late at 2", "default late at 5", "endless answered at 30"});
    CHECK(sim.engine().figures().late_replies == 2);
}

TEST_CASE("outside_request: its deadline counts from the sending, however long the strand is busy",
    "[actor][outside_request]")
{
    manual_clock clock(1'000'000'000);
    costar::engine engine(scheduler::manual{}, {.strands = 1, .clock = &clock});
    strand_context& strand = engine.station_at(0).home();
    std::vector<int> handled;
    const pid to = engine.spawn(
        [](context& self, std::vector<int>* handled) -> task<> {
            std::vector<message> held;
            while (auto received = co_await self.receive()) {
                handled->push_back(received.get<twice>().value);
                held.push_back(std::move(received));
            }
        },
        &handled);
    const auto run = [&] {
        while (strand.has_work() || strand.next_timer() <= clock.now())
            strand.turn();
    };
    run();
    std::vector<std::string> seen;
    const auto note = [&](std::string name) {
        return [&seen, name](error_code code, int) { seen.push_back(name + " " + code.message()); };
    };
    const std::string late = make_error_code(errc::timed_out).message();

    engine.ask(to, twice{1}, 50ms, note("short"));
    engine.ask(to, twice{2}, 200ms, note("long"));
    clock.advance(60ms);
    run();
    CHECK(seen == std::vector{"short " + late});
    CHECK(handled == std::vector{2});  // what nobody waits for any more is not sent
    clock.advance(140ms);
    run();

    CHECK(seen == std::vector{"short " + late, "long " + late});
}

TEST_CASE("outside_request: is destroyed with the engine, uncalled", "[actor][outside_request]")
{
    bool called = false;
    const auto alive = std::make_shared<int>(0);
    auto sim = std::make_unique<simulation>();
    const pid to = sim->engine().spawn(slow, 1h);
    sim->engine().ask(to, twice{1}, 1h, [&called, alive](error_code, int) { called = true; });
    sim->engine().ask(to, twice{1}, 1h, [&called, alive](error_code, int) { called = true; });
    sim->run_until_idle();
    sim->engine().ask(to, twice{1}, 1h, [&called, alive](error_code, int) { called = true; });
    auto future = sim->engine().ask(to, twice{1}, 1h, asio::use_future);
    CHECK(alive.use_count() == 4);

    sim.reset();

    CHECK_FALSE(called);
    CHECK(alive.use_count() == 1);
    CHECK_THROWS_AS(future.get(), std::future_error);
}

TEST_CASE("outside_request: a reply that breaks on the way ends the request all the same",
    "[actor][outside_request]")
{
    quiet_log quiet;
    bool was_whole = false;
    for (int n = 1; n < 20 && !was_whole; ++n) {
        simulation sim;
        const pid from = sim.engine().spawn(keeper);
        int calls = 0;
        fragile::moves_left = n;
        sim.engine().ask(from, get_fragile{}, 1s, [&](error_code code, const fragile& given) {
            ++calls;
            CHECK((code || given.value == 7));
        });
        sim.run_until_idle();
        CHECK(calls == 1);
        was_whole = fragile::moves_left > 0;
    }
    CHECK(was_whole);
    fragile::moves_left = 0;
}
