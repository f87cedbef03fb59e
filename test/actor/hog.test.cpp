// SPDX-License-Identifier: MIT

#include <costar/actor/engine.hpp>

#include <costar/core/clock.hpp>

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

}  // namespace

TEST_CASE("hog: who keeps a strand for too long is named", "[actor][hog]")
{
    quiet_log quiet;
    manual_clock clock(1'000'000'000);
    asio::io_context io;
    engine engine(io.get_executor(), {.turn = {.hog_limit = 10ms}, .clock = &clock});
    std::vector<strand_hogged> seen;
    const auto kept =
        engine.events().subscribe<strand_hogged>([&](const strand_hogged& event) { seen.push_back(event); });

    const pid actor = engine.spawn("glutton", busy, &clock);
    for (const int nanoseconds : {1, 9'999'999, 10'000'001, 2})
        engine.send(actor, number{nanoseconds});
    engine.send(actor, twice{1});
    io.run();

    CHECK(seen.size() == 2);
    CHECK(seen[0].who == actor);
    CHECK(seen[0].name == "glutton");
    CHECK(seen[0].type == "support::number");
    CHECK(seen[0].duration == 10'000'001ns);
    CHECK(seen[1].type == "support::twice");
    CHECK(seen[1].duration == 20ms);
}

TEST_CASE("hog: handlers are watched as well, wherever they come from", "[actor][hog]")
{
    quiet_log quiet;
    manual_clock clock(1'000'000'000);
    asio::io_context io;
    engine engine(io.get_executor(), {.turn = {.hog_limit = 10ms}, .clock = &clock});
    std::vector<strand_hogged> seen;
    const auto kept =
        engine.events().subscribe<strand_hogged>([&](const strand_hogged& event) { seen.push_back(event); });
    const auto computes = [&] { clock.set(clock.now() + 20'000'000); };

    asio::post(engine.get_executor(), computes);
    asio::post(engine.get_executor(), [&] { asio::post(engine.get_executor(), computes); });
    io.run();

    REQUIRE(seen.size() == 2);
    CHECK(seen[0].name.empty());
    CHECK(seen[0].duration == 20ms);
    CHECK(seen[1].duration == 20ms);
}
