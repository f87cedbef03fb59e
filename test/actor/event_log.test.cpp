// SPDX-License-Identifier: MIT

#include <costar/actor/event_log.hpp>

#include <costar/testing/simulation.hpp>

#include <string>
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
        CHECK(kept.lines ==
            std::vector{"actor made " + who + " name=ada", "actor started " + who + " name=ada",
                "name in use name=ada holder=" + ada.to_string(),
                "actor stopped " + who + " name=ada after=\"its end\""});
        CHECK(kept.levels ==
            std::vector{log_level::debug, log_level::info, log_level::warning, log_level::info});
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

    CHECK(kept.lines.back().ends_with("name=ada after=\"a crash\""));
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

    CHECK(kept.lines ==
        std::vector<std::string>{"shipped order=7 to=Ada",
            R"(shipped order=8 to="the \"old\" mill\nby the river")", R"(shipped order=9 to="")"});
    CHECK(kept.levels == std::vector(3, log_level::warning));
}
