// SPDX-License-Identifier: MIT

#include <costar/core/strand.hpp>

#include <costar/core/scheduler.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/catch.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using costar::machine::parcel;
using costar::machine::scheduler;
using costar::machine::scheduler_options;
using costar::machine::strand_context;
using costar::task;
using costar::use_task;
using namespace std::chrono_literals;

constexpr std::size_t senders = 4;

parcel from(std::size_t sender, std::uint64_t number)
{
    parcel made{};
    made.to = std::uint64_t{sender} << 32 | number;
    return made;
}

/// Sees that each sender's parcels arrive in order, and tells when all have come.
class checking final : public costar::machine::parcel_receiver {
public:
    explicit checking(std::uint64_t wanted) : missing_(wanted) {}

    void receive(parcel& arrived) override
    {
        std::uint64_t& next = next_[arrived.to >> 32];
        broken += (arrived.to & 0xffffffff) == next++ ? 0 : 1;
        take();
    }
    void discard(parcel&) noexcept override {}
    void reap(costar::machine::run_node&) noexcept override {}

    void take()
    {
        if (--missing_ == 0)
            all.set_value();
    }

    std::promise<void> all;
    int broken = 0;

private:
    std::uint64_t missing_;
    std::array<std::uint64_t, senders> next_{};
};

scheduler_options owned(std::size_t count, std::chrono::nanoseconds spin)
{
    scheduler_options options;
    options.strands = count;
    options.spin = spin;
    return options;
}

/// Lets several threads run a context.
class crew {
public:
    crew(asio::io_context& io, int size)
    {
        for (int i = 0; i < size; ++i)
            threads_.emplace_back([&io] { io.run(); });
    }
    ~crew()
    {
        for (std::thread& each : threads_)
            each.join();
    }

private:
    std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("strand: what many threads post and send is neither lost nor reordered", "[thread][strand]")
{
    constexpr std::uint64_t each = 2'000;
    const auto spin = GENERATE(0ns, 50'000ns);
    checking receiver(2 * each * senders);
    scheduler strands(owned(1, spin));
    strands.start({&receiver});
    auto all = receiver.all.get_future();

    std::vector<std::thread> threads;
    for (std::size_t sender = 0; sender < senders; ++sender)
        threads.emplace_back([&, sender] {
            for (std::uint64_t i = 0; i < each; ++i) {
                strands.at(0).send_from_outside(from(sender, i));
                strands.at(0).post([&] { receiver.take(); });
                if (i % 64 == 0)
                    std::this_thread::yield();  // lets the strand fall asleep now and then
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    all.get();
    strands.stop();

    CHECK(receiver.broken == 0);
}

TEST_CASE("strand: threads come and go while the strand runs", "[thread][strand]")
{
    checking receiver(200);
    scheduler strands(owned(1, 0ns));
    strands.start({&receiver});
    auto all = receiver.all.get_future();

    for (std::uint64_t i = 0; i < 200; ++i)
        std::thread([&] { strands.at(0).send_from_outside(from(0, i)); }).join();
    all.get();
    strands.stop();

    CHECK(receiver.broken == 0);
}

TEST_CASE("strand: two strands that sleep after each message always wake each other", "[thread][strand]")
{
    class player final : public costar::machine::parcel_receiver {
    public:
        void receive(parcel& arrived) override
        {
            if (arrived.to == 0) {
                over.set_value();
                return;
            }
            --arrived.to;
            home->send(*other, arrived);
        }
        void discard(parcel&) noexcept override {}
        void reap(costar::machine::run_node&) noexcept override {}

        strand_context* home = nullptr;
        strand_context* other = nullptr;
        std::promise<void> over;
    };
    std::array<player, 2> players;
    scheduler strands(owned(2, 0ns));
    for (std::size_t i = 0; i < 2; ++i) {
        players[i].home = &strands.at(i);
        players[i].other = &strands.at(1 - i);
    }
    auto over = players[0].over.get_future();
    strands.start({&players[0], &players[1]});

    strands.at(0).post([&] { strands.at(0).send(strands.at(1), from(0, 9'999)); });
    over.get();

    SUCCEED();
}

TEST_CASE("strand: tasks are spawned from many threads, on owned and on borrowed strands", "[thread][strand]")
{
    // The long deadlines are all cancelled, so a borrowed context must not wait for any: also when its timer
    // fires on one thread while another sets it anew.
    asio::io_context io;
    checking receiver(1);
    const bool is_owned = GENERATE(true, false);
    auto strands = is_owned ? std::make_unique<scheduler>(owned(1, 0ns))
                            : std::make_unique<scheduler>(
                                  std::vector<asio::any_io_executor>{io.get_executor()}, scheduler_options{});
    strands->start({&receiver});
    int count = 0;  // not atomic: the strand guards it
    const auto body = [](int& count) -> task<int> {
        ++count;
        co_await costar::with_timeout(1h, costar::sleep_for(1us));
        co_await costar::yield();
        co_return ++count;
    };

    std::vector<std::thread> threads;
    std::atomic<int> sum{0};
    {
        std::vector<std::future<int>> started;
        std::mutex guard;
        for (std::size_t i = 0; i < senders; ++i)
            threads.emplace_back([&] {
                for (int k = 0; k < 50; ++k) {
                    auto one =
                        costar::async_spawn(strands->at(0).get_executor(), body(count), asio::use_future);
                    const std::lock_guard lock(guard);
                    started.push_back(std::move(one));
                }
            });
        for (std::thread& thread : threads)
            thread.join();
        if (!is_owned)
            const crew workers(io, 2);
        for (std::future<int>& each : started)
            sum += each.get() > 0 ? 1 : 0;
    }
    strands.reset();

    CHECK(sum == 200);
    CHECK(count == 400);
}

TEST_CASE("use_task: operations of another thread's context complete, are cancelled and are dropped",
    "[thread][use_task]")
{
    asio::io_context foreign;
    auto work =
        std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(foreign.get_executor());
    checking receiver(1);
    {
        const crew workers(foreign, 1);
        {
            scheduler strands(owned(1, 0ns));
            strands.start({&receiver});
            const auto body = [](asio::io_context& foreign, int rounds) -> task<> {
                for (int i = 0; i < rounds; ++i) {
                    asio::steady_timer timer(foreign, 1us);
                    co_await timer.async_wait(use_task);
                }
            };
            costar::async_spawn(strands.at(0).get_executor(), body(foreign, 300), asio::use_future).get();
            for (int i = 0; i < 20; ++i)  // under way when the strand ends
                costar::async_spawn(strands.at(0).get_executor(), body(foreign, 1'000'000), asio::use_future);
        }
        work.reset();
    }

    SUCCEED();
}

TEST_CASE("strand: several threads run the contexts of two borrowed strands that send to each other",
    "[thread][strand]")
{
    constexpr std::uint64_t each = 3'000;
    asio::io_context io;
    checking first(each);
    checking second(each);
    scheduler_options options;
    options.turn.ring_slots = 64;
    scheduler strands({io.get_executor(), io.get_executor()}, options);
    strands.start({&first, &second});
    const auto body = [](strand_context& home, strand_context& other) -> task<> {
        for (std::uint64_t i = 0; i < each; ++i) {
            home.send(other, from(0, i));
            if (i % 16 == 0)
                co_await costar::yield();
        }
    };
    auto one = costar::async_spawn(
        strands.at(0).get_executor(), body(strands.at(0), strands.at(1)), asio::use_future);
    auto two = costar::async_spawn(
        strands.at(1).get_executor(), body(strands.at(1), strands.at(0)), asio::use_future);

    {
        const crew workers(io, 3);
    }
    one.get();
    two.get();

    CHECK(first.all.get_future().wait_for(0s) == std::future_status::ready);
    CHECK(second.all.get_future().wait_for(0s) == std::future_status::ready);
    CHECK(first.broken + second.broken == 0);
}

TEST_CASE("strand: a cancellation comes from another thread while the strand ends", "[thread][strand]")
{
    constexpr std::size_t count = 16;
    for (int round = 0; round < 30; ++round) {
        checking receiver(1);
        std::array<asio::cancellation_signal, count> signals;
        std::atomic<int> ended{0};
        auto strands = std::make_unique<scheduler>(owned(1, 0ns));
        strands->start({&receiver});
        const auto waits = []() -> task<> { co_await costar::sleep_for(1h); };
        for (asio::cancellation_signal& each : signals)
            costar::async_spawn(strands->at(0).get_executor(), waits(),
                asio::bind_cancellation_slot(each.slot(), [&](std::exception_ptr) { ++ended; }));

        std::atomic<bool> emits{false};
        std::thread canceller([&] {
            for (asio::cancellation_signal& each : signals) {
                each.emit(asio::cancellation_type::terminal);
                emits = true;
            }
        });
        while (!emits)
            std::this_thread::yield();
        strands.reset();
        canceller.join();

        CHECK(ended <= static_cast<int>(count));
    }
}
