// SPDX-License-Identifier: MIT

// A random world under threads: every operation, from one to eight strands, on threads of their own or on
// borrowed contexts that several threads run, beside foreign threads, with a shutdown in the middle. The same
// operations run in the simulation in test/testing/world.test.cpp, where a seed brings back a fault; here it
// brings back the world's shape and what each of its actors and threads does, and the scheduler does the
// rest.

#include <support/stress.hpp>
#include <support/world.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace std::chrono_literals;
using namespace support;

namespace {

namespace asio = boost::asio;

/// How long anybody may be unheard. Far more than needed: its end is a failure.
constexpr auto bound = 30s;

/// An engine, owned or laid on borrowed contexts, each of which several threads run.
class host {
public:
    host(random_source& random, engine_options options)
    {
        const std::size_t strands = 1 + random.below(8);
        options.spin = random.below(2) == 0 ? 0us : 50us;
        options.turn.throughput = static_cast<int>(1 + random.below(64));
        options.turn.ring_slots = ring_slots(random);
        options.turn.backlog = static_cast<std::int64_t>(4 << random.below(8));
        if (random.below(3) != 0) {
            options.strands = strands;
            engine_.emplace(options);
            return;
        }
        std::vector<asio::any_io_executor> executors;
        const std::size_t contexts = 1 + random.below(2);
        for (std::size_t i = 0; i < contexts; ++i)
            guards_.emplace_back(
                contexts_.emplace_back(std::make_unique<asio::io_context>())->get_executor());
        for (std::size_t i = 0; i < strands; ++i)
            executors.push_back(contexts_[i % contexts]->get_executor());
        engine_.emplace(executors, options);
        const std::size_t threads = contexts * (1 + random.below(3));
        for (std::size_t i = 0; i < threads; ++i)
            threads_.emplace_back([&context = *contexts_[i % contexts]] { context.run(); });
    }
    host(const host&) = delete;

    /// A borrowed engine is destroyed when nobody runs its contexts any more.
    ~host()
    {
        guards_.clear();
        for (std::thread& each : threads_)
            each.join();
        engine_.reset();
    }

    costar::engine& engine() noexcept { return *engine_; }

    shutdown_report shutdown()
    {
        if (contexts_.empty())
            return engine_->shutdown(bound);
        return engine_->async_shutdown(bound, asio::use_future).get();
    }

private:
    static std::size_t ring_slots(random_source& random) { return std::size_t{2} << random.below(4); }

    std::vector<std::unique_ptr<asio::io_context>> contexts_;
    std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
    std::vector<std::thread> threads_;
    std::optional<costar::engine> engine_;
};

/// What has come of all worlds.
struct tally {
    std::uint64_t worlds = 0;
    std::uint64_t operations = 0;
    std::uint64_t messages = 0;
    std::chrono::nanoseconds unheard{0};  // the longest that an actor took to answer
};

/// Does things until it is told to end, and looks now and then whether each strand hears it.
void meddle(world& inhabited, costar::engine& engine, std::uint64_t seed, const std::atomic<bool>& is_over,
    std::atomic<std::int64_t>& unheard)
{
    random_source random(seed);
    while (!is_over) {
        inhabited.act_from_outside(random.next(), static_cast<int>(1 + random.below(16)));
        if (random.below(16) == 0) {
            const auto began = std::chrono::steady_clock::now();
            const std::size_t strand = random.below(engine.size());
            try {
                engine.ask(inhabited.pulses()[strand], pulse{1}, bound, asio::use_future).get();
            } catch (const boost::system::system_error& thrown) {
                if (thrown.code() == errc::timed_out)
                    inhabited.book().blame(fmt::format("strand {} was unheard", strand));
            }
            const std::int64_t spent = (std::chrono::steady_clock::now() - began).count();
            for (std::int64_t most = unheard; most < spent && !unheard.compare_exchange_weak(most, spent);) {}
        }
        std::this_thread::yield();
    }
    inhabited.flush_this_thread();
}

/// Waits until everything that ends by itself has ended. The watchdog bites if it does not.
void come_to_rest(world& inhabited, costar::engine& engine)
{
    inhabited.book().end_actions();
    while (inhabited.book().under_way != 0)
        for (const pid each : inhabited.pulses())
            engine.ask(each, pulse{1}, bound, asio::use_future).get();
}

/// One world from its beginning to its end. Throws when a promise is broken.
void live_through(std::uint64_t seed, std::chrono::nanoseconds length, tally& all)
{
    random_source random(seed);
    world inhabited(
        {.seed = seed, .actions = INT64_MAX / 2, .items = 1 << 18, .lateness = bound, .simulated = false});
    {
        host home(random, inhabited.engine_options());
        costar::engine& engine = home.engine();
        watchdog dog([&] {
            return fmt::format("COSTAR_SEED={}\n{}{}", seed, inhabited.book().blamed(), engine.dump(5s));
        });
        dog.watch("the beginning", bound);
        inhabited.begin(engine);
        std::atomic<bool> is_over{false};
        std::atomic<std::int64_t> unheard{0};
        std::vector<std::thread> threads;
        for (std::uint64_t i = 1 + random.below(3); i > 0; --i)
            threads.emplace_back(
                [&, own = random.next()] { meddle(inhabited, engine, own, is_over, unheard); });
        const auto join = [&] {
            dog.watch("the end of the foreign threads", 3 * bound);
            is_over = true;
            for (std::thread& each : threads)
                each.join();
        };
        const bool ends_in_the_middle = random.below(2) == 0;
        pass(length);
        if (!ends_in_the_middle) {
            join();
            dog.watch("rest", 2 * bound);
            come_to_rest(inhabited, engine);
        }
        dog.watch("the shutdown", 2 * bound);
        if (!home.shutdown().left.empty())
            inhabited.book().blame("the shutdown left actors\n" + engine.dump());
        if (ends_in_the_middle) {
            join();
            inhabited.book().end_actions();
            dog.watch("the second shutdown", 2 * bound);  // for one that was under way to be born
            static_cast<void>(home.shutdown());
        }
        dog.watch("what is under way", 2 * bound);
        for (int i = 0; i < 3; ++i) {
            std::promise<void> arrived;
            inhabited.flush([&] { arrived.set_value(); });
            arrived.get_future().get();
        }
        inhabited.leave();
        inhabited.book().close(engine);
        ++all.worlds;
        for (const auto& each : inhabited.book().performed)
            all.operations += each;
        all.messages += inhabited.book().items();
        all.unheard = std::max(all.unheard, std::chrono::nanoseconds(unheard));
        dog.watch("the end of the engine", 2 * bound);
    }
    if (inhabited.book().alive != 0)
        inhabited.book().blame("objects have outlived the engine");
    if (const std::string broken = inhabited.book().blamed(); !broken.empty())
        throw std::runtime_error(broken);
}

}  // namespace

TEST_CASE("world: keeps its promises under threads, whatever its actors do", "[thread][world]")
{
    quiet_log quiet;
    tally all;
    for_seeds(3s, "COSTAR_SECONDS=60 build/test/test_thread 'world:*'",
        [&](std::uint64_t seed) { live_through(seed, 150ms, all); });
    std::printf(
        "world: %llu worlds, %llu operations, %llu messages; nobody was unheard for more than %lld us\n",
        static_cast<unsigned long long>(all.worlds), static_cast<unsigned long long>(all.operations),
        static_cast<unsigned long long>(all.messages), static_cast<long long>(all.unheard / 1us));
    CHECK(all.worlds > 0);
}
