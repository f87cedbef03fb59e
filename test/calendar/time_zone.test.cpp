// SPDX-License-Identifier: MIT

#include <costar/calendar/time_zone.hpp>

#include <support/catch.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include <unistd.h>

using namespace costar;
using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

namespace {

/// A zone's file in the slim form of RFC 8536: the change of 31 March 1996 is listed, what came later is left
/// to the rule at its end.
std::string slim_file()
{
    const auto number = [](std::int64_t value, int bytes) {
        std::string text;
        for (int i = bytes - 1; i >= 0; --i)
            text += static_cast<char>(value >> (8 * i));
        return text;
    };
    const auto header = [&](int times, int types, int letters) {
        std::string text = "TZif2" + std::string(15, '\0');
        for (const int count : {0, 0, 0, times, types, letters})
            text += number(count, 4);
        return text;
    };
    const std::string type_of_no_use = number(0, 4) + number(0, 1) + number(0, 1);
    const std::string winter = number(3600, 4) + number(0, 1) + number(0, 1);
    const std::string summer = number(7200, 4) + number(1, 1) + number(4, 1);
    const sys_seconds change = sys_days{1996y / 3 / 31} + 1h;
    return header(0, 1, 1) + type_of_no_use + std::string(1, '\0') + header(1, 2, 9) +
        number(change.time_since_epoch().count(), 8) + number(1, 1) + winter + summer +
        std::string("CET\0CEST\0", 9) + "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
}

/// A database of one zone instead of that of the system, while it lives.
class other_database {
public:
    other_database()
        : folder_(std::filesystem::temp_directory_path() / ("costar-zones-" + std::to_string(::getpid())))
    {
        std::filesystem::create_directories(folder_ / "Test");
        std::ofstream(folder_ / "Test" / "Slim", std::ios::binary) << slim_file();
        if (const char* before = std::getenv("TZDIR"))
            before_ = before;
        ::setenv("TZDIR", folder_.c_str(), 1);
    }
    ~other_database()
    {
        before_ ? ::setenv("TZDIR", before_->c_str(), 1) : ::unsetenv("TZDIR");
        std::filesystem::remove_all(folder_);
    }

private:
    std::filesystem::path folder_;
    std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("time_zone: UTC is there without a database", "[calendar][time_zone]")
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

TEST_CASE("time_zone: a zone that is not there is refused by name", "[calendar][time_zone]")
{
    for (const std::string name : {"Europe/Atlantis", "", "berlin", "../etc/passwd", "/etc/localtime"}) {
        std::string refusal;
        try {
            static_cast<void>(time_zone::find(name));
        } catch (const std::invalid_argument& thrown) {
            refusal = thrown.what();
        }
        CHECK(refusal.find("there is no time zone '" + name + "'") == 0);
    }
    CHECK_THROWS_WITH(time_zone::find("Europe/\xff\n"),
        Catch::Matchers::StartsWith("there is no time zone 'Europe/\\xff\\n'"));
    if (!time_zone::has_database())
        CHECK_THROWS_AS(time_zone::find("Europe/Berlin"), std::invalid_argument);
}

TEST_CASE("time_zone: clocks are set forward and back", "[calendar][time_zone]")
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

TEST_CASE("time_zone: the rule at the end of a zone's file goes on for ever", "[calendar][time_zone]")
{
    if (!time_zone::has_database())
        return;
    const auto check = [](const time_zone& zone) {
        CHECK(zone.to_local(sys_days{2026y / 1 / 1}) == local_days{2026y / 1 / 1} + 1h);
        for (const auto year : {2026y, 2040y, 2100y, 2436y, 2438y, 2900y, 9998y}) {
            CAPTURE(static_cast<int>(year));
            const sys_seconds forward = sys_days{year / 3 / std::chrono::Sunday[std::chrono::last]} + 1h;
            const sys_seconds back = sys_days{year / 10 / std::chrono::Sunday[std::chrono::last]} + 1h;
            const time_zone::period summer = zone.period_at(sys_days{year / 7 / 1});
            CHECK(summer.begin == forward);
            CHECK(summer.end == back);
            CHECK(summer.offset == 2h);
            CHECK(zone.period_at(forward - 1s).end == forward);
            CHECK(zone.period_at(back).begin == back);
            CHECK(zone.period_at(back).offset == 1h);
        }
    };

    check(time_zone::find("Europe/Berlin"));
    const other_database slim;
    check(time_zone::find("Test/Slim"));
}

TEST_CASE("time_zone: a zone whose clocks are no longer set has a last period", "[calendar][time_zone]")
{
    if (!time_zone::has_database())
        return;
    const time_zone tokyo = time_zone::find("Asia/Tokyo");

    const time_zone::period last = tokyo.period_at(sys_days{2026y / 1 / 1});
    CHECK(last.offset == 9h);
    CHECK(last.end == sys_seconds::max());
    CHECK(last.begin < sys_days{1960y / 1 / 1});
    const time_zone::period first = tokyo.period_at(sys_days{1800y / 1 / 1});
    CHECK(first.begin == sys_seconds::min());
    CHECK(first.end < sys_days{1900y / 1 / 1});
}

TEST_CASE("time_zone: what clocks leave out is behind the gap, what they show twice is the first",
    "[calendar][time_zone]")
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

TEST_CASE("time_zone: names that mean something else are no zones", "[calendar][time_zone]")
{
    const auto name =
        GENERATE("file:Europe/Berlin", "libc:localtime", "Fixed/UTC+05:00:00", "Europe/Berlin:");
    CHECK_THROWS_AS(time_zone::find(name), std::invalid_argument);
}

TEST_CASE("time_zone: the ends of time have periods too", "[calendar][time_zone]")
{
    if (!time_zone::has_database())
        return;
    const time_zone zone = time_zone::find(GENERATE("Europe/Berlin", "America/New_York", "Asia/Tokyo"));
    constexpr sys_seconds last = sys_days{std::chrono::year::max() / std::chrono::December / 31};
    constexpr sys_seconds first = sys_days{std::chrono::year::min() / std::chrono::January / 1};
    for (const sys_seconds moment : {sys_seconds::min(), sys_seconds::min() + 1s, first - 1s, first,
             first + 1h, last - 1h, last - 1s, last, sys_seconds::max() - 1s}) {
        const time_zone::period found = zone.period_at(moment);
        CHECK(found.begin <= moment);
        CHECK(moment < found.end);
        if (moment > sys_seconds::min() + 48h && moment < sys_seconds::max() - 48h)
            CHECK(zone.to_local(moment).time_since_epoch() == moment.time_since_epoch() + found.offset);
    }
    const auto offset = zone.period_at(sys_seconds::max()).offset;
    CHECK(offset == zone.period_at(last).offset);
    CHECK(zone.period_at(sys_seconds::max()).end == sys_seconds::max());
    CHECK(zone.to_sys(local_seconds::max()) ==
        (offset > 0s ? sys_seconds::max() - offset : sys_seconds::max()));
    CHECK(zone.to_local(sys_seconds::max()) ==
        (offset > 0s ? local_seconds::max() : local_seconds::max() + offset));
    CHECK(zone.to_sys(local_seconds::min()) >= sys_seconds::min());
}
