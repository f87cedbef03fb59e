// SPDX-License-Identifier: MIT

#include <costar/actor/time_zone.hpp>

#include <support/catch.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

using namespace costar;
using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

TEST_CASE("time_zone: UTC is there without a database", "[actor][time_zone]")
{
    const sys_seconds moment = sys_days{2024y / 7 / 1} + 12h;

    for (const auto& zone : {time_zone(), time_zone::find("UTC"), time_zone::find("Etc/UTC")}) {
        CHECK(zone.name() == "UTC");
        CHECK(zone.to_local(moment) == local_days{2024y / 7 / 1} + 12h);
        CHECK(zone.to_sys(zone.to_local(moment)) == moment);
        CHECK(zone.period_at(moment).begin < moment - 24h * 10'000);
        CHECK(zone == time_zone());
    }
}

TEST_CASE("time_zone: a zone that is not there is refused by name", "[actor][time_zone]")
{
    for (const std::string name : {"Europe/Atlantis", "", "berlin", "../etc/passwd"}) {
        std::string refusal;
        try {
            static_cast<void>(time_zone::find(name));
        } catch (const std::invalid_argument& thrown) {
            refusal = thrown.what();
        }
        CHECK(refusal.find("there is no time zone '" + name + "'") == 0);
    }
    if (!time_zone::has_database())
        CHECK_THROWS_AS(time_zone::find("Europe/Berlin"), std::invalid_argument);
}

TEST_CASE("time_zone: clocks are set forward and back", "[actor][time_zone]")
{
    if (!time_zone::has_database())
        return;  // built without zones
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds forward = sys_days{2024y / 3 / 31} + 1h;
    const sys_seconds back = sys_days{2024y / 10 / 27} + 1h;

    CHECK(berlin.name() == "Europe/Berlin");
    CHECK(berlin.to_local(forward - 1s) == local_days{2024y / 3 / 31} + 1h + 59min + 59s);
    CHECK(berlin.to_local(forward) == local_days{2024y / 3 / 31} + 3h);
    CHECK(berlin.to_local(back - 1s) == local_days{2024y / 10 / 27} + 2h + 59min + 59s);
    CHECK(berlin.to_local(back) == local_days{2024y / 10 / 27} + 2h);
    const time_zone::period summer = berlin.period_at(sys_days{2024y / 7 / 1});
    CHECK(summer.begin == forward);
    CHECK(summer.end == back);
    CHECK(summer.offset == 2h);
    CHECK(berlin != time_zone());
    CHECK(berlin == time_zone::find("Europe/Berlin"));
}

TEST_CASE("time_zone: what clocks leave out is behind the gap, what they show twice is the first",
    "[actor][time_zone]")
{
    if (!time_zone::has_database())
        return;
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds forward = sys_days{2024y / 3 / 31} + 1h;
    const local_seconds gap = local_days{2024y / 3 / 31} + 2h;
    const sys_seconds back = sys_days{2024y / 10 / 27} + 1h;
    const local_seconds twice = local_days{2024y / 10 / 27} + 2h;

    CHECK(berlin.to_sys(gap - 1s) == forward - 1s);
    CHECK(berlin.to_sys(gap) == forward);
    CHECK(berlin.to_sys(gap + 59min + 59s) == forward);
    CHECK(berlin.to_sys(gap + 1h) == forward);
    CHECK(berlin.to_sys(gap + 1h + 1s) == forward + 1s);
    CHECK(berlin.to_sys(twice - 1s) == back - 1h - 1s);
    CHECK(berlin.to_sys(twice) == back - 1h);
    CHECK(berlin.to_sys(twice + 30min) == back - 30min);
    CHECK(berlin.to_sys(twice + 1h) == back + 1h);
    // Apia went over the date line: there was no 30 December 2011.
    const time_zone apia = time_zone::find("Pacific/Apia");
    CHECK(apia.to_sys(local_days{2011y / 12 / 30} + 12h) == sys_days{2011y / 12 / 30} + 10h);
    CHECK(apia.to_local(sys_days{2011y / 12 / 30} + 10h) == local_days{2011y / 12 / 31});
    // Half an hour is enough on Lord Howe Island.
    const time_zone island = time_zone::find("Australia/Lord_Howe");
    const sys_seconds half = island.to_sys(local_days{2024y / 10 / 6} + 2h);
    CHECK(island.to_sys(local_days{2024y / 10 / 6} + 2h + 29min) == half);
    CHECK(island.to_local(half) == local_days{2024y / 10 / 6} + 2h + 30min);
}
