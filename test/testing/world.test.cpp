// SPDX-License-Identifier: MIT

// A random world in the simulation: every operation, hostile middleware, subscribers that come back into the
// engine, rings of a few slots and backlogs of a few messages. The same operations run under threads in
// test/thread/world.test.cpp.

#include <support/stress.hpp>
#include <support/world.hpp>

#include <costar/testing/simulation.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// How often each operation was begun, over all seeds.
struct counts {
    std::vector<std::uint64_t> operations;
    std::uint64_t messages = 0;
};

simulation_options shape_of(std::uint64_t seed, world& inhabited)
{
    random_source random(seed * 31);
    simulation_options options;
    options.strands = 1 + random.below(4);
    options.engine = inhabited.engine_options();
    options.engine.turn.throughput = static_cast<int>(1 + random.below(8));
    options.engine.turn.ring_slots = std::size_t{2} << random.below(4);
    options.engine.turn.backlog = static_cast<std::int64_t>(4 << random.below(3));
    options.step_limit = 1'000'000;
    return options;
}

/// One world from its beginning to its end. Throws when a promise is broken.
void live_through(std::uint64_t seed, counts& performed)
{
    world inhabited({.seed = seed, .actions = 300});
    {
        simulation sim(seed, shape_of(seed, inhabited));
        auto& random = sim.random();
        inhabited.begin(sim.engine());
        const std::uint64_t rounds = 8 + random.below(24);
        for (std::uint64_t i = 0; i < rounds; ++i) {
            inhabited.act_from_outside(random.next(), static_cast<int>(1 + random.below(8)));
            sim.advance(std::chrono::microseconds(random.below(8000)));
        }
        // Half of the worlds come to rest before they end; then whatever has a deadline has ended.
        if (random.below(2) == 0) {
            inhabited.book().end_actions();
            sim.advance(2s);
            if (inhabited.book().under_way != 0)
                throw std::runtime_error(fmt::format(
                    "{} waits have not ended\n{}", inhabited.book().under_way.load(), sim.dump()));
            for (const pid each : inhabited.pulses())
                if (sim.ask(each, pulse{7}) != 7)
                    throw std::runtime_error("a pulse was answered wrongly");
        }
        std::optional<error_code> ended;
        sim.engine().async_shutdown(10s, [&](error_code code, shutdown_report) { ended = code; });
        sim.advance(10s);
        inhabited.book().end_actions();
        if (!ended || *ended)
            throw std::runtime_error("the shutdown left actors\n" + sim.dump());
        for (int i = 0; i < 3; ++i) {
            bool has_arrived = false;
            inhabited.flush([&] { has_arrived = true; });
            sim.run_until_idle();
            if (!has_arrived)
                throw std::runtime_error("messages between strands do not arrive");
        }
        inhabited.leave();
        if (inhabited.book().outside != 0)
            throw std::runtime_error("requests from outside did not end");
        for (std::size_t i = 0; i < performed.operations.size(); ++i)
            performed.operations[i] += inhabited.book().performed[i];
        performed.messages += inhabited.book().items();
        inhabited.book().close(sim.engine());
    }
    if (inhabited.book().alive != 0)
        inhabited.book().blame("objects have outlived the engine");
    if (const std::string broken = inhabited.book().blamed(); !broken.empty())
        throw std::runtime_error(broken);
}

}  // namespace

TEST_CASE("world: keeps its promises, whatever its actors do", "[testing][world]")
{
    quiet_log quiet;
    const auto names = world::operations();
    counts performed{std::vector<std::uint64_t>(names.size())};
    // The same seeds every time, unless the environment names others.
    const std::uint64_t count = seed_count(2000);
    std::uint64_t lived = 0;
    const auto live = [&](std::uint64_t seed) {
        live_through(seed, performed);
        ++lived;
    };
    const std::string program = "build/test/test_testing 'world:*'";
    if (number_from("COSTAR_SECONDS", 0) != 0)
        for_seeds(0s, program, live);
    else
        for_seeds(number_from("COSTAR_SEED", 0), count, program, live);
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
        all += performed.operations[i];
        INFO(names[i]);
        CHECK((performed.operations[i] != 0 || lived < 100 || names[i] == "outside: ask and wait"));
    }
    std::printf("world: %llu seeds, %llu operations, %llu messages\n", static_cast<unsigned long long>(lived),
        static_cast<unsigned long long>(all), static_cast<unsigned long long>(performed.messages));
}
