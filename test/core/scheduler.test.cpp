// SPDX-License-Identifier: MIT

#include <costar/core/scheduler.hpp>

#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <ctime>
#include <dirent.h>

namespace {

namespace asio = boost::asio;
using costar::async_spawn;
using costar::scheduler;
using costar::scheduler_options;
using costar::strand_context;
using costar::task;
using costar::use_task;
using support::recording_receiver;
using support::tracked;
using namespace std::chrono_literals;

/// A scheduler with a receiver for each strand.
class running {
public:
    explicit running(const scheduler_options& options) : strands_(std::in_place, options) { start(); }
    explicit running(std::vector<asio::any_io_executor> borrowed)
        : strands_(std::in_place, std::move(borrowed), scheduler_options{})
    {
        start();
    }
    strand_context& operator[](std::size_t index) { return strands_->at(index); }
    scheduler& operator*() { return *strands_; }
    void end() { strands_.reset(); }

private:
    void start()
    {
        receivers_ = std::vector<recording_receiver>(strands_->size());
        std::vector<costar::parcel_receiver*> all;
        for (recording_receiver& each : receivers_)
            all.push_back(&each);
        strands_->start(all);
    }

    std::vector<recording_receiver> receivers_;
    std::optional<scheduler> strands_;
};

scheduler_options owned(std::size_t count, std::chrono::nanoseconds spin = 0ns)
{
    scheduler_options options;
    options.strands = count;
    options.spin = spin;
    return options;
}

task<std::thread::id> thread_of()
{
    co_return std::this_thread::get_id();
}

template <class T>
T get(strand_context& where, task<T> body)
{
    return async_spawn(where.get_executor(), std::move(body), asio::use_future).get();
}

std::size_t threads_of_this_process()
{
    std::size_t count = 0;
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr)
        return 0;  // a folder made for tests has no /proc
    while (readdir(folder) != nullptr)
        ++count;
    closedir(folder);
    return count;
}

task<std::string> echo_once(asio::ip::tcp::acceptor& acceptor)
{
    asio::ip::tcp::socket socket = co_await acceptor.async_accept(use_task);
    std::string text(5, ' ');
    co_await asio::async_read(socket, asio::buffer(text), use_task);
    co_await asio::async_write(socket, asio::buffer(text), use_task);
    co_return text;
}

task<std::string> call(asio::ip::tcp::endpoint where, asio::any_io_executor executor)
{
    asio::ip::tcp::socket socket(executor);
    co_await socket.async_connect(where, use_task);
    co_await asio::async_write(socket, asio::buffer("hello", 5), use_task);
    std::string text(5, ' ');
    co_await asio::async_read(socket, asio::buffer(text), use_task);
    co_return text;
}

}  // namespace

TEST_CASE("scheduler: an owned one runs each strand on a thread of its own", "[core][scheduler]")
{
    scheduler_options options = owned(2, 10us);
    options.pin_threads = GENERATE(false, true);
    running strands(options);

    const auto first = get(strands[0], thread_of());
    const auto second = get(strands[1], thread_of());

    CHECK(first != second);
    CHECK(first != std::this_thread::get_id());
    CHECK(get(strands[0], thread_of()) == first);
    CHECK((*strands).is_owned());
    CHECK_FALSE((*strands).is_own_thread());
    CHECK(get(
        strands[0], [](scheduler& strands) -> task<bool> { co_return strands.is_own_thread(); }(*strands)));
}

TEST_CASE(
    "scheduler: timers of an owned strand fire, while it spins and while it sleeps", "[core][scheduler]")
{
    running strands(owned(1, GENERATE(0ns, 50'000ns)));
    const auto body = []() -> task<int> {
        const auto begin = std::chrono::steady_clock::now();
        int rounds = 0;
        for (; rounds < 5; ++rounds)
            co_await costar::sleep_for(200us);
        CHECK(std::chrono::steady_clock::now() - begin >= 1ms);
        co_return rounds;
    };

    CHECK(get(strands[0], body()) == 5);
}

TEST_CASE("scheduler: an owned strand that waits uses no processor", "[core][scheduler]")
{
    running strands(owned(1, 50us));
    const auto body = []() -> task<std::chrono::nanoseconds> {
        const auto used = [] {
            timespec time{};
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
            return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
        };
        const auto before = used();
        co_await costar::sleep_for(200ms);
        co_return used() - before;
    };

    // Far more than the one spin and the wake-up, far less than a thread that polls.
    CHECK(get(strands[0], body()) < 20ms);
}

TEST_CASE("scheduler: a strand that is busy gives sockets, timers and posts their share", "[core][scheduler]")
{
    running strands(owned(1));
    std::atomic<bool> stop{false};
    auto busy = async_spawn(
        strands[0].get_executor(),
        [](std::atomic<bool>& stop) -> task<> {
            while (!stop.load(std::memory_order_relaxed))
                co_await costar::yield();
        }(stop),
        asio::use_future);
    asio::ip::tcp::acceptor acceptor(strands[0].get_executor(), {asio::ip::address_v4::loopback(), 0});

    auto served = async_spawn(strands[0].get_executor(), echo_once(acceptor), asio::use_future);
    auto called = async_spawn(strands[0].get_executor(),
        call(acceptor.local_endpoint(), strands[0].get_executor()), asio::use_future);
    auto slept = async_spawn(
        strands[0].get_executor(), []() -> task<> { co_await costar::sleep_for(1ms); }(), asio::use_future);
    std::promise<void> posted;
    asio::post(strands[0].get_executor(), [&] { posted.set_value(); });

    CHECK(served.get() == "hello");
    CHECK(called.get() == "hello");
    slept.get();
    posted.get_future().get();
    stop = true;
    busy.get();
    async_spawn(
        strands[0].get_executor(),
        [](asio::ip::tcp::acceptor& acceptor) -> task<> {
            acceptor.close();
            co_return;
        }(acceptor),
        asio::use_future)
        .get();
}

TEST_CASE("scheduler: handlers of a strand's sockets run inside its turn", "[core][scheduler]")
{
    running strands(owned(1));
    std::promise<bool> inside;
    asio::steady_timer timer(strands[0].get_executor(), 0ms);

    timer.async_wait(
        [&](boost::system::error_code) { inside.set_value(strand_context::current() == &strands[0]); });

    CHECK(inside.get_future().get());
}

TEST_CASE("scheduler: what is pending on an owned strand ends with it", "[core][scheduler]")
{
    int alive = 0;
    {
        running strands(owned(2));
        asio::co_spawn(
            strands[0].get_executor(),
            [](tracked) -> asio::awaitable<void> {
                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                co_await timer.async_wait(asio::use_awaitable);
            }(tracked(alive)),
            asio::detached);
        async_spawn(
            strands[1].get_executor(),
            [](tracked) -> task<> {
                asio::steady_timer timer(strand_context::current()->get_executor(), 1h);
                co_await costar::when_all(timer.async_wait(use_task), costar::sleep_for(1h));
            }(tracked(alive)),
            asio::detached);
        get(strands[0], thread_of());
        get(strands[1], thread_of());
    }

    CHECK(alive == 0);
}

TEST_CASE(
    "scheduler: a task of an owned strand waits for an operation of a foreign context", "[core][scheduler]")
{
    asio::io_context io;
    auto guard = asio::make_work_guard(io);
    std::thread foreign([&] { io.run(); });
    asio::steady_timer never(io, 1h);
    {
        running strands(owned(1));
        const auto body = [](asio::io_context& io) -> task<bool> {
            for (int i = 0; i < 100; ++i) {
                asio::steady_timer timer(io, 0ms);
                co_await timer.async_wait(use_task);
            }
            co_return strand_context::current() != nullptr;
        };
        CHECK(get(strands[0], body(io)));
        async_spawn(
            strands[0].get_executor(),
            [](asio::steady_timer& never) -> task<> { co_await never.async_wait(use_task); }(never),
            asio::detached);
        get(strands[0], thread_of());
    }
    guard.reset();
    asio::post(io, [&] { never.cancel(); });
    foreign.join();

    CHECK(io.stopped());
}

TEST_CASE(
    "scheduler: a borrowed one starts no thread and holds no work while it is idle", "[core][scheduler]")
{
    asio::io_context io;
    const std::size_t before = threads_of_this_process();
    running strands({io.get_executor()});

    CHECK(threads_of_this_process() == before);
    CHECK_FALSE((*strands).is_owned());
    CHECK(io.run() == 0);
    io.restart();
    auto started = support::start(strands[0], []() -> task<int> {
        co_await costar::sleep_for(1ms);
        co_await costar::yield();
        co_return 4;
    }());
    io.run();

    CHECK(started->get() == 4);
    io.restart();
    auto kept = async_spawn(strands[0].get_executor(), thread_of(), asio::use_future);
    io.run();
    CHECK(kept.get() == std::this_thread::get_id());
    CHECK(threads_of_this_process() == before);
}

TEST_CASE("scheduler: a timer that was cancelled does not keep a borrowed context", "[core][scheduler]")
{
    asio::io_context io;
    running strands({io.get_executor()});
    const auto begin = std::chrono::steady_clock::now();
    const auto body = []() -> task<> {
        co_await costar::with_timeout(1h, costar::sleep_for(1ms));
        co_await costar::when_any(costar::sleep_for(2h), costar::sleep_for(1ms));
    };

    auto started = support::start(strands[0], body());
    io.run();

    started->get();
    CHECK(std::chrono::steady_clock::now() - begin < 1min);
}

TEST_CASE(
    "scheduler: a borrowed context lives as long as somebody tracks work on the strand", "[core][scheduler]")
{
    asio::io_context io;
    running strands({io.get_executor()});
    auto guard = std::make_optional(asio::make_work_guard(strands[0].get_executor()));
    auto other = *guard;

    CHECK(io.poll() == 0);
    CHECK_FALSE(io.stopped());
    guard.reset();
    io.poll();
    CHECK_FALSE(io.stopped());
    asio::post(strands[0].get_executor(), [&] { other.reset(); });
    io.run();

    CHECK(io.stopped());
}

TEST_CASE(
    "scheduler: what a handler throws passes out of run, and the rest runs afterwards", "[core][scheduler]")
{
    asio::io_context io;
    running strands({io.get_executor()});
    std::vector<int> ran;
    auto started = support::start(strands[0], [](std::vector<int>& ran) -> task<> {
        co_await costar::yield();
        ran.push_back(3);
    }(ran));
    asio::post(strands[0].get_executor(), [&] { ran.push_back(1); });
    asio::post(strands[0].get_executor(), [] { throw std::runtime_error("thrown"); });
    asio::post(strands[0].get_executor(), [&] { ran.push_back(2); });

    CHECK_THROWS_AS(io.run(), std::runtime_error);
    CHECK(strand_context::current() == nullptr);
    io.run();

    std::sort(ran.begin(), ran.end());
    CHECK(ran == std::vector<int>{1, 2, 3});
    CHECK(started->has_ended());
}

TEST_CASE(
    "scheduler: turns of a borrowed strand never overlap, whoever runs its context", "[core][scheduler]")
{
    asio::io_context io;
    running strands({io.get_executor(), io.get_executor()});
    int count[2] = {};  // not atomic: the strand guards it
    std::atomic<int> inside[2] = {0, 0};
    std::atomic<bool> overlapped{false};
    const auto body = [](int& count, std::atomic<int>& inside, std::atomic<bool>& overlapped) -> task<> {
        for (int i = 0; i < 200; ++i) {
            if (inside.fetch_add(1) != 0)
                overlapped = true;
            ++count;
            inside.fetch_sub(1);
            if (i % 20 == 0)
                co_await costar::sleep_for(1us);
            else
                co_await costar::yield();
        }
    };
    for (std::size_t i = 0; i < 2; ++i)
        for (int k = 0; k < 10; ++k)
            async_spawn(strands[i].get_executor(), body(count[i], inside[i], overlapped), asio::detached);

    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] { io.run(); });
    for (std::thread& each : threads)
        each.join();

    CHECK(count[0] == 2000);
    CHECK(count[1] == 2000);
    CHECK_FALSE(overlapped);
}

TEST_CASE("scheduler: an engine may end while its context has work left, and before or after its sockets",
    "[core][scheduler]")
{
    int alive = 0;
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    {
        running strands({io.get_executor()});
        support::start(strands[0], [](asio::ip::tcp::acceptor& acceptor, tracked) -> task<> {
            co_await costar::when_any(echo_once(acceptor), costar::sleep_for(1h));
        }(acceptor, tracked(alive)));
        asio::co_spawn(
            strands[0].get_executor(),
            [](tracked) -> asio::awaitable<void> {
                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                co_await timer.async_wait(asio::use_awaitable);
            }(tracked(alive)),
            asio::detached);
        io.poll();
        support::start(strands[0], [](tracked) -> task<> { co_return; }(tracked(alive)));
    }

    SECTION("the context never runs again") {}
    SECTION("the context goes on")
    {
        acceptor.close();
        io.poll();
    }
}

TEST_CASE("scheduler: what is pending in another context may outlive the engine and its context",
    "[core][scheduler]")
{
    auto other = std::make_unique<asio::io_context>();
    {
        asio::io_context io;
        running strands({io.get_executor()});
        support::start(strands[0],
            [](asio::io_context& other) -> task<> { co_await asio::post(other, costar::use_task); }(*other));
        io.poll();
    }

    SECTION("and is destroyed last") {}
    SECTION("and completes last")
    {
        CHECK(other->run() == 1);
    }
    other.reset();
}

TEST_CASE("scheduler: an engine needs an executor", "[core][scheduler]")
{
    CHECK_THROWS_AS(costar::scheduler(std::vector<asio::any_io_executor>(), costar::scheduler_options()),
        std::invalid_argument);
}

TEST_CASE("scheduler: rings of a size that cannot be are refused", "[core][scheduler]")
{
    const auto slots = GENERATE(costar::turn_options::ring_slots_max + 1, std::size_t{1} << 62, SIZE_MAX);
    CHECK_THROWS_AS(
        costar::scheduler(costar::scheduler::manual(), {.strands = 2, .turn = {.ring_slots = slots}}),
        std::invalid_argument);
}

TEST_CASE("scheduler: a timer of a stopped engine does no harm", "[core][scheduler]")
{
    asio::io_context io;
    {
        running strands({io.get_executor()});
        support::start(strands[0], []() -> task<> { co_await costar::sleep_for(1ns); }());
        io.poll_one();
    }

    CHECK_NOTHROW(io.run());
    CHECK(io.stopped());
}

TEST_CASE("scheduler: strands that sleep wake each other ten thousand times", "[core][scheduler]")
{
    // Goal: no wake-up is lost between two strands that park after each message. Method: a ball, no spinning.
    constexpr std::uint64_t rounds = 10'000;
    class player final : public costar::parcel_receiver {
    public:
        void receive(costar::parcel& arrived) override
        {
            if (arrived.to == 0) {
                over.set_value();
                return;
            }
            --arrived.to;
            home->send(*other, arrived);
        }
        void discard(costar::parcel&) noexcept override {}
        void reap(costar::run_node&) noexcept override {}

        strand_context* home = nullptr;
        strand_context* other = nullptr;
        std::promise<void> over;
    };
    player players[2];
    scheduler strands(owned(2));
    for (std::size_t i = 0; i < 2; ++i) {
        players[i].home = &strands.at(i);
        players[i].other = &strands.at(1 - i);
    }
    auto over = players[0].over.get_future();
    strands.start({&players[0], &players[1]});

    strands.at(0).post([&] {
        costar::parcel ball{};
        ball.to = 2 * rounds - 1;
        strands.at(0).send(strands.at(1), ball);
    });

    over.get();
    SUCCEED();
}
