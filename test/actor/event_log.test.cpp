// SPDX-License-Identifier: MIT

#include <costar/actor/event_log.hpp>

#include <costar/testing/simulation.hpp>

#include <string>
#include <utility>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace support;

namespace shop {

struct order_shipped {
    int number = 0;
    std::string to;
};

log_entry log_entry_of(const order_shipped& event)
{
    return {log_level::warning, "shipped", {{"order", std::to_string(event.number)}, {"to", event.to}}};
}

}  // namespace shop

namespace {

/// Keeps the lines of the log, with their levels.
class kept_log {
public:
    kept_log()
    {
        set_log_level(log_level::debug);
        set_log_sink([this](log_level level, std::string_view line) { lines.emplace_back(level, line); });
    }
    kept_log(const kept_log&) = delete;
    kept_log& operator=(const kept_log&) = delete;
    ~kept_log()
    {
        set_log_sink({});
        set_log_level(log_level::info);
    }

    std::vector<std::pair<log_level, std::string>> lines;
};

}  // namespace

TEST_CASE("event_log: writes the life of actors with level and attributes", "[actor][event_log]")
{
    kept_log kept;
    simulation sim;
    {
        event_log log(sim.engine().events());
        const pid ada = sim.engine().spawn("ada", helper);
        sim.run_until_idle();
        CHECK_THROWS_AS(sim.engine().spawn("ada", helper), name_in_use);
        sim.stop(ada);
        sim.run_until_idle();

        const std::string who = "who=" + ada.to_string();
        REQUIRE(kept.lines.size() == 4);
        CHECK(kept.lines[0] == std::pair(log_level::debug, "actor made " + who + " name=ada"));
        CHECK(kept.lines[1] == std::pair(log_level::info, "actor started " + who + " name=ada"));
        CHECK(
            kept.lines[2] == std::pair(log_level::warning, "name in use name=ada holder=" + ada.to_string()));
        CHECK(kept.lines[3] ==
            std::pair(log_level::info, "actor stopped " + who + " name=ada after=\"its end\""));
    }
    sim.engine().spawn("ada", helper);
    sim.run_until_idle();
    CHECK(kept.lines.size() == 4);  // it ends with its object
}

TEST_CASE("event_log: tells a crash from an end", "[actor][event_log]")
{
    kept_log kept;
    simulation sim;
    event_log log(sim.engine().events());
    const pid actor = sim.engine().spawn("ada", helper);

    sim.send(actor, crash{});
    sim.run_until_idle();

    CHECK(kept.lines.back().second.ends_with("name=ada after=\"a crash\""));
}

TEST_CASE("event_log: writes events of one's own, and quotes what needs it", "[actor][event_log]")
{
    kept_log kept;
    event_stream events;
    event_log log(events);
    log.add<shop::order_shipped>();

    events.publish(shop::order_shipped{7, "Ada"});
    events.publish(shop::order_shipped{8, "the \"old\" mill\nby the river"});
    events.publish(shop::order_shipped{9, ""});

    REQUIRE(kept.lines.size() == 3);
    CHECK(kept.lines[0] == std::pair(log_level::warning, std::string("shipped order=7 to=Ada")));
    CHECK(kept.lines[1].second == R"(shipped order=8 to="the \"old\" mill\nby the river")");
    CHECK(kept.lines[2].second == R"(shipped order=9 to="")");
}
