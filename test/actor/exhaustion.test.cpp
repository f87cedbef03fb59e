// SPDX-License-Identifier: MIT

// Goal: where memory runs out, whatever was begun ends, in success or in an error, and nothing is left of it.
// Method: a program of its own, whose operator new fails once, at the first call, then at the second, and so
// on through each scenario. Each attempt is a process of its own: it may also end by `std::terminate`, in one
// of the functions that docs/guide/guarantees.md names, but never hang, crash or leave anything behind.

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/core/when.hpp>
#include <costar/ground/pool.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

std::atomic<std::int64_t> until_failure{0};  // 0: nothing fails
std::atomic<std::int64_t> blocks{0};         // not given back, chunks of pools not counted
std::atomic<int> threads_left{-1};           // that can be started; negative: any number

bool fails_now() noexcept
{
    return until_failure.load(std::memory_order_relaxed) > 0 &&
        until_failure.fetch_sub(1, std::memory_order_relaxed) == 1;
}

}  // namespace

void* operator new(std::size_t bytes)
{
    void* memory = fails_now() ? nullptr : std::malloc(bytes != 0 ? bytes : 1);
    if (memory == nullptr)
        throw std::bad_alloc();
    blocks.fetch_add(1, std::memory_order_relaxed);
    return memory;
}
void* operator new(std::size_t bytes, std::align_val_t alignment)
{
    const auto step = static_cast<std::size_t>(alignment);
    void* memory = fails_now() ? nullptr : std::aligned_alloc(step, (bytes + step - 1) / step * step);
    if (memory == nullptr)
        throw std::bad_alloc();
    return memory;
}
void operator delete(void* memory) noexcept
{
    blocks.fetch_sub(memory != nullptr ? 1 : 0, std::memory_order_relaxed);
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    operator delete(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}

/// Starts a thread, unless the test says that there can be no more.
extern "C" int pthread_create(
    pthread_t* made, const pthread_attr_t* how, void* (*run)(void*), void* argument) noexcept
{
    using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    static const auto original = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
    if (threads_left.load() == 0)
        return EAGAIN;
    if (threads_left.load() > 0)
        threads_left.fetch_sub(1);
    return original(made, how, run, argument);
}

namespace {

/// Ends all actors of a simulation. False when some live on.
bool ends(simulation& sim)
{
    sim.engine().async_shutdown(1h, [](boost::system::error_code, shutdown_report) {});
    sim.advance(1min);
    return sim.engine().figures().live == 0;
}

/// Lets something happen in a simulation, and ends it. False when something lives on.
template <class Act>
bool simulate(Act&& act)
{
    simulation sim(1, {.engine = {.turn = {.ring_slots = 4}, .dead_letter_lines = 0}});
    try {
        act(sim);
    } catch (const std::bad_alloc&) {
    } catch (const std::system_error&) {
    } catch (const stuck&) {
        return false;
    }
    return ends(sim);
}

task<> pauses(std::chrono::nanoseconds length)
{
    co_await sleep_for(length);
}

bool waits_of_all_kinds()
{
    return simulate([](simulation& sim) {
        sim.run([]() -> task<> {
            co_await when_all(pauses(1ms), pauses(2ms), shield(pauses(1ms)));
            static_cast<void>(co_await when_any(pauses(1ms), pauses(1h)));
            co_await with_timeout(1s, pauses(1ms));
            for (int i = 0; i < 100; ++i)
                co_await sleep_for(i * 1ms);
        }());
    });
}

bool posts()
{
    int run = 0;
    const bool ended = simulate([&](simulation& sim) {
        for (std::uint32_t i = 0; i < 100; ++i)
            boost::asio::post(sim.engine().get_executor(i % 2), [&run] { ++run; });
        sim.run_until_idle();
    });
    return ended && run <= 100;
}

task<> sends_many(context& self, pid to)
{
    for (int i = 0; i < 50; ++i) {
        self.send(to, number{i});
        self.send(to, words{std::string(40, 'x')});
    }
    while (co_await self.receive()) {}
}

bool sends_over_full_rings()
{
    return simulate([](simulation& sim) {
        const pid to = sim.engine().spawn(on(1), helper);
        for (int i = 0; i < 3; ++i)
            sim.engine().spawn(on(0), sends_many, to);
        sim.run_until_idle();
    });
}

/// Has children near and far, with names, and asks and watches them.
task<> parent(context& self, std::uint32_t strand)
{
    spawn_options options = on(strand);
    options.name = "child";
    const pid child = self.spawn(options, helper);
    self.watch(child);
    static_cast<void>(co_await self.ask(child, greet{"you"}, 1s));
    for (int i = 0; i < 5; ++i)
        self.spawn(on(strand), helper);
    self.stop(child);
    while (co_await self.receive<terminated>(1s)) {
        options.restart.limit = 2;
        self.send(self.spawn(options, helper), crash());
        break;
    }
    while (co_await self.receive()) {}
}

bool families()
{
    bool ended = true;
    for (const std::uint32_t strand : {0U, 1U})
        ended = simulate([&](simulation& sim) {
            sim.engine().spawn(on(0), parent, strand);
            sim.advance(10s);
            if (ends(sim) && sim.engine().find("child"))
                throw stuck("a name is left");
        }) &&
            ended;
    return ended;
}

bool routers()
{
    return simulate([](simulation& sim) {
        const pid pool = spawn_pool(sim.engine(), "pool", 3, {.strategy = routing::least_loaded}, helper);
        for (int i = 0; i < 5; ++i)
            sim.engine().ask(pool, twice{i}, 1s, [](error_code, int) {});
        sim.send(pool, resize_pool{6});
        sim.send(pool, resize_pool{1});
        sim.advance(2s);
    });
}

task<> schedules(context& self)
{
    self.send_after(1ms, self.pid(), number{1});
    self.send_every(1ms, self.pid(), number{2});
    self.set_receive_timeout(1s);
    for (int i = 0; i < 10; ++i) {
        auto taken = co_await self.receive();
        if (!taken)
            co_return;
        self.stash(std::move(taken));
    }
    self.unstash();
    while (co_await self.receive()) {}
}

bool timers()
{
    return simulate([](simulation& sim) {
        sim.engine().spawn(on(0), schedules);
        sim.advance(50ms);
    });
}

bool events()
{
    return simulate([](simulation& sim) {
        int seen = 0;
        const auto kept =
            sim.engine().events().subscribe<actor_started>([&](const actor_started&) { ++seen; });
        const auto dead = sim.engine().events().subscribe<dead_letter>([&](const dead_letter&) { ++seen; });
        const pid actor = sim.engine().spawn("one", helper);
        sim.stop(actor);
        sim.send(actor, words{"lost"});
        sim.run_until_idle();
    });
}

/// Threads of nobody send to an engine with threads of its own.
bool foreign_threads()
{
    engine made({.strands = 1, .dead_letter_lines = 0});
    std::vector<int> seen;
    seen.reserve(20);
    const pid to = made.spawn(recorder, &seen);
    std::size_t lost = 0;
    std::thread sender([&] {
        for (int i = 0; i < 20; ++i) {
            try {
                made.send(to, number{i});
            } catch (const std::bad_alloc&) {
                ++lost;
            }
        }
        try {
            made.send(to, poison_pill());
        } catch (const std::bad_alloc&) {
            made.send(to, poison_pill());
        }
    });
    sender.join();
    static_cast<void>(made.wait(to, boost::asio::use_future).wait_for(5s));
    const bool ended = made.shutdown(5s).left.empty();
    return ended && seen.size() + lost + made.figures().dead_letters >= 20;  // it may not have been born
}

/// Threads that have never met an engine ask; all memory that others have left is in use.
bool new_threads()
{
    engine made({.strands = 1, .dead_letter_lines = 0});
    const pid to = made.spawn(helper);
    struct {
        std::atomic<bool> is_over{false};
        std::vector<std::jthread> threads;
    } holders;
    const struct guard {
        std::atomic<bool>& is_over;
        ~guard() { is_over = true; }
    } until_the_end{holders.is_over};
    for (int i = 0; i < 6; ++i)
        holders.threads.emplace_back([&] {
            try {
                static_cast<void>(arena::current());
            } catch (const std::bad_alloc&) {
                // It holds none then.
            }
            while (!holders.is_over)
                std::this_thread::yield();
        });
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    bool leaks = false;
    std::thread asker([&] {
        for (int i = 0; i < 4; ++i) {
            std::shared_ptr<int> held;
            try {
                held = std::make_shared<int>();
                made.ask(to, twice{i}, 1s, [&ended, held](error_code, int) { ++ended; });
                ++begun;
            } catch (const std::bad_alloc&) {
                leaks = leaks || held.use_count() > 1;
            }
        }
    });
    asker.join();
    // A shutdown overtakes what was sent before.
    const auto patience = std::chrono::steady_clock::now() + 5s;
    while (ended != begun && std::chrono::steady_clock::now() < patience)
        std::this_thread::yield();
    const bool all = made.shutdown(5s).left.empty();
    return all && !leaks && begun == ended;
}

task<> sends_with_headers(context& self, pid to)
{
    for (int i = 0; i < 5; ++i) {
        headers with;
        with.set("number", std::to_string(i));
        self.send(to, number{i}, std::move(with));
    }
    while (co_await self.receive()) {}
}

bool headers_too()
{
    bool ended = true;
    for (const std::uint32_t strand : {0U, 1U})
        ended = simulate([&](simulation& sim) {
            const pid to = sim.engine().spawn(on(strand), helper);
            sim.engine().spawn(on(0), sends_with_headers, to);
            sim.run_until_idle();
        }) &&
            ended;
    return ended;
}

task<> offloads(context& self)
{
    try {
        co_await when_all(
            as_task(self.offload([] {})), as_task(self.offload([] {})), as_task(self.offload([] {})));
    } catch (const std::exception&) {}
}

bool helper_threads()
{
    engine made({.strands = 1, .dead_letter_lines = 0, .offload_threads = 2});
    for (int i = 0; i < 3; ++i)
        made.spawn(offloads);
    return made.shutdown(5s).left.empty();
}

/// How an attempt has ended.
enum class outcome {
    good = 0,
    lives_on = 1,
    leaks = 2,
    terminated = 3,
    hangs,
    crashes
};

/// Runs a scenario whose n-th allocation fails, in a process of its own.
outcome attempt(bool (*scenario)(), std::int64_t n)
{
    const pid_t child = fork();
    if (child == 0) {
        std::set_terminate([] { _exit(static_cast<int>(outcome::terminated)); });
        set_log_sink([](log_level, std::string_view) {});
        alarm(20);
        const std::int64_t before = blocks.load();
        bool ended = true;
        until_failure = n;
        try {
            ended = scenario();
        } catch (const std::bad_alloc&) {
        } catch (const std::system_error&) {}
        const bool has_failed = until_failure.exchange(0) <= 0;
        if (!ended)
            _exit(static_cast<int>(outcome::lives_on));
        if (blocks.load() > before + 8)  // what a thread keeps for itself, once
            _exit(static_cast<int>(outcome::leaks));
        _exit(has_failed ? 0 : 100);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? outcome::hangs : outcome::crashes;
    return static_cast<outcome>(WEXITSTATUS(status));
}

/// Fails each allocation in turn, until none is left. Not more than so many may end the process.
void exhaust(bool (*scenario)(), int terminated_max)
{
    REQUIRE(scenario());  // as a warm-up, too
    int terminated = 0;
    std::vector<std::string> wrong;
    std::int64_t n = 1;
    for (; n < 400; ++n) {
        const outcome seen = attempt(scenario, n);
        if (static_cast<int>(seen) == 100)
            break;
        if (seen == outcome::terminated)
            ++terminated;
        else if (seen != outcome::good)
            wrong.push_back(fmt::format("{} at {}", static_cast<int>(seen), n));
    }
    INFO(fmt::format("of {}: {} by std::terminate, wrong: {}", n, terminated, fmt::join(wrong, ", ")));
    CHECK(wrong.empty());
    CHECK(terminated <= terminated_max);
    CHECK(n > 3);
}

}  // namespace

TEST_CASE("exhaustion: waits end", "[actor][exhaustion]")
{
    exhaust(waits_of_all_kinds, 0);
}

TEST_CASE("exhaustion: posts end", "[actor][exhaustion]")
{
    exhaust(posts, 0);
}

TEST_CASE("exhaustion: sends over full rings end", "[actor][exhaustion]")
{
    exhaust(sends_over_full_rings, 0);
}

TEST_CASE("exhaustion: families end, near and far", "[actor][exhaustion]")
{
    exhaust(families, 10);
}

TEST_CASE("exhaustion: routers end", "[actor][exhaustion]")
{
    exhaust(routers, 2);
}

TEST_CASE("exhaustion: what is sent later ends", "[actor][exhaustion]")
{
    exhaust(timers, 6);
}

TEST_CASE("exhaustion: events end", "[actor][exhaustion]")
{
    exhaust(events, 0);
}

TEST_CASE("exhaustion: what foreign threads send ends", "[actor][exhaustion]")
{
    exhaust(foreign_threads, 8);
}

TEST_CASE("exhaustion: what new threads ask ends, or has not begun", "[actor][exhaustion]")
{
    exhaust(new_threads, 8);
}

TEST_CASE("exhaustion: what is sent with headers ends", "[actor][exhaustion]")
{
    exhaust(headers_too, 0);
}

TEST_CASE("exhaustion: offloaded functions end", "[actor][exhaustion]")
{
    exhaust(helper_threads, 6);
}

TEST_CASE(
    "exhaustion: a helper thread that cannot be started leaves the work to others", "[actor][exhaustion]")
{
    const int left = GENERATE(0, 1);
    engine made({.strands = 1, .dead_letter_lines = 0, .offload_threads = 3});
    made.spawn(helper);
    threads_left = left;
    made.spawn(offloads);
    made.spawn(offloads);
    const bool ended = made.shutdown(5s).left.empty();
    threads_left = -1;
    CHECK(ended);
}
