// SPDX-License-Identifier: MIT

// One sort of work that is made faster than it is done, under threads: it is held back, and keeps nobody
// waiting.

#include <support/stress.hpp>

#include <costar/actor/engine.hpp>
#include <costar/core/result.hpp>
#include <costar/core/when_any.hpp>
#include <costar/core/with_timeout.hpp>

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace std::chrono_literals;
using namespace support;

namespace asio = boost::asio;

TEST_CASE("floods: a family that always grows keeps no birth waiting", "[thread][floods]")
{
    struct family {
        static task<> child(context&) { co_return; }
        static task<> breeder(context& self, std::atomic<std::uint64_t>* born, std::atomic<bool>* is_over)
        {
            while (!is_over->load(std::memory_order_relaxed)) {
                for (int i = 0; i < 100; ++i)
                    self.spawn(&family::child);
                born->fetch_add(100, std::memory_order_relaxed);
                co_await yield();
            }
        }
        static task<> other(context&, const std::atomic<std::uint64_t>* born, std::atomic<std::uint64_t>* at)
        {
            at->store(born->load(std::memory_order_relaxed), std::memory_order_relaxed);
            co_return;
        }
    };
    engine_options options;
    options.strands = 1;
    engine where(options);
    std::atomic<std::uint64_t> born{0};
    std::atomic<bool> is_over{false};
    const pid breeder = where.spawn(&family::breeder, &born, &is_over);
    watchdog dog([&] { return where.dump(5s); });
    dog.watch("a birth beside a family that grows", 60s);
    for (int i = 0; i < 20; ++i) {
        std::atomic<std::uint64_t> at{0};
        const std::uint64_t before = born.load();
        where.wait(where.spawn(&family::other, &born, &at), asio::use_future).get();
        CHECK(at.load() - before < 1'000'000);
    }
    is_over = true;
    where.wait(breeder, asio::use_future).get();
}

TEST_CASE("floods: children that need several runs to their end do not gather", "[thread][floods]")
{
    static constexpr int bursts = 2000;
    struct family {
        static task<> child(context& self, std::atomic<std::int64_t>* alive)
        {
            struct counted {
                std::atomic<std::int64_t>& alive;
                ~counted() { alive.fetch_sub(1, std::memory_order_relaxed); }
            } const one{*alive};
            static_cast<void>(co_await as_result(with_timeout(1h, when_any(self.receive(), sleep_for(2h)))));
        }
        static task<> breeder(context& self, std::uint32_t where, std::atomic<std::int64_t>* alive,
            std::atomic<std::int64_t>* most)
        {
            std::deque<pid> children;
            for (int burst = 0; burst < bursts; ++burst) {
                for (int i = 0; i < 100; ++i) {
                    alive->fetch_add(1, std::memory_order_relaxed);
                    children.push_back(self.spawn(on(where), &family::child, alive));
                }
                for (; children.size() > 1000; children.pop_front())
                    self.stop(children.front());
                most->store(std::max(most->load(), alive->load()));
                co_await yield();
            }
        }
    };
    for (const std::uint32_t strand : {0U, 1U}) {
        INFO("children on strand " << strand);
        engine_options options;
        options.strands = 2;
        std::atomic<std::int64_t> alive{0};
        std::atomic<std::int64_t> most{0};
        {
            engine where(options);
            watchdog dog([&] { return where.dump(5s); });
            dog.watch("the end of the children", 60s);
            where.wait(where.spawn(on(0), &family::breeder, strand, &alive, &most), asio::use_future).get();
        }
        CHECK(alive == 0);
        CHECK(most < 60'000);  // of 200,000
    }
}

TEST_CASE("floods: requests and sends that are awaited outside fill no mailbox", "[thread][floods]")
{
    struct slow {
        static task<> body(context& self, std::atomic<std::size_t>* most)
        {
            while (auto message = co_await self.receive()) {
                most->store(std::max(most->load(), self.mailbox_size()));
                const auto until = std::chrono::steady_clock::now() + 1us;
                while (std::chrono::steady_clock::now() < until)
                    ;
                message.match([](twice& m) { return 2 * m.value; }, [](number&) {});
            }
        }
    };
    static constexpr int each = 50'000;
    for (const bool is_asked : {true, false}) {
        INFO((is_asked ? "ask" : "send_async"));
        engine_options options;
        options.strands = 1;
        std::atomic<std::size_t> most{0};
        std::atomic<int> ended{0};
        {
            engine where(options);
            const pid actor = where.spawn(&slow::body, &most);
            const auto over = [&ended](auto&&...) { ended.fetch_add(1, std::memory_order_relaxed); };
            std::vector<std::thread> outside;
            for (int i = 0; i < 2; ++i)
                outside.emplace_back([&] {
                    for (int sent = 0; sent < each; ++sent)
                        if (is_asked)
                            where.ask(actor, twice{1}, 60s, over);
                        else
                            where.send_async(actor, number{1}, over);
                });
            watchdog dog([&] { return where.dump(5s); });
            dog.watch("the end of the threads", 60s);
            for (std::thread& one : outside)
                one.join();
            where.poison(actor);
            where.wait(actor, asio::use_future).get();
        }
        CHECK(ended == 2 * each);
        CHECK(most < 5000);
    }
}
