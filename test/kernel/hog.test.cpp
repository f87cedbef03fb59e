// SPDX-License-Identifier: MIT

#include <costar/actor/engine.hpp>

#include <costar/core/clock.hpp>
#include <costar/core/spawn.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Computes for as long as it is told to, by a clock that moves with it.
task<> busy(context& self, manual_clock* clock)
{
    while (auto message = co_await self.receive()) {
        message.match([&](number& m) { clock->set(clock->now() + static_cast<std::uint64_t>(m.value)); },
            [&](twice& m) {
                clock->set(clock->now() + 20'000'000);
                return m.value;
            });
        if (message.is<number>() && message.get<number>().value == 3)
            co_return;
    }
}

/// A borrowed engine that watches for longer than ten milliseconds, and what it reports.
struct hog_watch {
    quiet_log quiet;
    manual_clock clock{1'000'000'000};
    asio::io_context io;
    costar::engine engine{io.get_executor(), {.turn = {.hog_limit = 10ms}, .clock = &clock}};
    std::vector<strand_hogged> seen;
    costar::event_stream::subscription kept = engine.events().subscribe<strand_hogged>(
        [this](const strand_hogged& event) { seen.push_back(event); });
};

}  // namespace

TEST_CASE("hog: who keeps a strand for too long is named", "[kernel][hog]")
{
    hog_watch watch;

    const pid actor = watch.engine.spawn("glutton", busy, &watch.clock);
    for (const int nanoseconds : {1, 9'999'999, 10'000'001, 2})
        watch.engine.send(actor, number{nanoseconds});
    watch.engine.send(actor, twice{1});
    watch.io.run();

    REQUIRE(watch.seen.size() == 2);
    CHECK(watch.seen[0].who == actor);
    CHECK(watch.seen[0].name == "glutton");
    CHECK(watch.seen[0].type == "support::number");
    CHECK(watch.seen[0].duration == 10'000'001ns);
    CHECK(watch.seen[1].type == "support::twice");
    CHECK(watch.seen[1].duration == 20ms);
}

TEST_CASE("hog: who has ended meanwhile is named too", "[kernel][hog]")
{
    struct last_words {
        static task<> body(context& self, manual_clock* clock)
        {
            static_cast<void>(co_await self.receive());
            clock->set(clock->now() + 20'000'000);
        }
    };
    hog_watch watch;
    const pid named = watch.engine.spawn("glutton", &last_words::body, &watch.clock);
    const pid other = watch.engine.spawn(&last_words::body, &watch.clock);
    watch.engine.send(named, number{1});
    watch.engine.send(other, number{1});
    watch.io.run();

    REQUIRE(watch.seen.size() == 2);
    CHECK(watch.engine.figures().live == 0);
    CHECK(watch.seen[0].who == named);
    CHECK(watch.seen[0].name == "glutton");
    CHECK(watch.seen[1].who == other);
    CHECK(watch.seen[1].name == "$0-1-1");
}

TEST_CASE("hog: a task that belongs to no actor has no name", "[kernel][hog]")
{
    hog_watch watch;
    watch.engine.spawn(busy, &watch.clock);
    async_spawn(
        watch.engine.get_executor(),
        [](manual_clock* clock) -> task<> {
            clock->set(clock->now() + 20'000'000);
            co_return;
        }(&watch.clock),
        asio::detached);
    watch.io.run();

    REQUIRE(watch.seen.size() == 1);
    CHECK_FALSE(watch.seen[0].who);
}

TEST_CASE("hog: handlers are watched as well, wherever they come from", "[kernel][hog]")
{
    hog_watch watch;
    const auto computes = [&] { watch.clock.set(watch.clock.now() + 20'000'000); };

    asio::post(watch.engine.get_executor(), computes);
    asio::post(watch.engine.get_executor(), [&] { asio::post(watch.engine.get_executor(), computes); });
    watch.io.run();

    REQUIRE(watch.seen.size() == 2);
    CHECK(watch.seen[0].name.empty());
    CHECK(watch.seen[0].duration == 20ms);
    CHECK(watch.seen[1].duration == 20ms);
}
