// SPDX-License-Identifier: MIT

#include <costar/calendar/cron.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace costar;
using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

namespace {

const sys_days monday{2024y / 1 / 1};

/// The next moments of an expression, behind each other.
std::vector<sys_seconds> moments(
    std::string_view expression, sys_seconds after, std::size_t count, const time_zone& zone = {})
{
    const cron times = cron::parse(expression);
    std::vector<sys_seconds> all;
    while (all.size() < count) {
        const auto next = times.next_after(after, zone);
        if (!next)
            break;
        all.push_back(after = *next);
    }
    return all;
}

std::string refusal_of(std::string_view expression)
{
    try {
        static_cast<void>(cron::parse(expression));
        return "none";
    } catch (const std::invalid_argument& thrown) {
        return thrown.what();
    }
}

/// Values below 64. The walks ask for them a hundred million times, also where nothing is optimized.
class value_set {
public:
    value_set(std::initializer_list<unsigned> values)
    {
        for (const unsigned each : values)
            insert(each);
    }
    void insert(unsigned value) { bits_ |= std::uint64_t{1} << value; }
    bool contains(unsigned value) const { return (bits_ >> value & 1) != 0; }
    int size() const { return std::popcount(bits_); }

private:
    std::uint64_t bits_ = 0;
};

/// One field of an expression, and which values it means.
struct written {
    std::string text;
    value_set values;
};

written whole_field(unsigned first, unsigned last)
{
    written all{"*", {}};
    for (unsigned value = first; value <= last; ++value)
        all.values.insert(value);
    return all;
}

written arbitrary_field(unsigned first, unsigned last, bool rarely_restricted)
{
    const auto between = [](unsigned a, unsigned b) { return *rc::gen::inRange(a, b + 1); };
    if (between(0, rarely_restricted ? 3 : 1) != 0)
        return whole_field(first, last);
    written made{"", {}};
    for (unsigned items = between(1, 3); items > 0; --items) {
        unsigned from = between(first, last);
        unsigned to = from;
        unsigned step = 1;
        std::string text = std::to_string(from);
        switch (between(0, 3)) {
        case 0:
            break;
        case 1:
            to = between(from, last);
            text += "-" + std::to_string(to);
            break;
        case 2:
            to = between(from, last);
            step = between(1, 20);
            text += "-" + std::to_string(to) + "/" + std::to_string(step);
            break;
        default:
            to = last;
            step = between(1, 20);
            text += "/" + std::to_string(step);
        }
        made.text += (made.text.empty() ? "" : ",") + text;
        for (; from <= to; from += step)
            made.values.insert(from);
    }
    return made;
}

/// An expression of which is known, without reading it, what it means.
struct sample {
    written second{"", {0}};
    written minute = arbitrary_field(0, 59, false);
    written hour = arbitrary_field(0, 23, false);
    written day = arbitrary_field(1, 31, true);
    written month = arbitrary_field(1, 12, true);
    written weekday = arbitrary_field(0, 6, true);

    std::string text() const
    {
        return (second.text.empty() ? "" : second.text + " ") + minute.text + " " + hour.text + " " +
            day.text + " " + month.text + " " + weekday.text;
    }

    bool means(local_seconds shown) const
    {
        const auto of_day =
            static_cast<unsigned>((shown - std::chrono::floor<std::chrono::days>(shown)).count());
        if (!minute.values.contains(of_day / 60 % 60) || !hour.values.contains(of_day / 3600) ||
            !second.values.contains(of_day % 60))
            return false;
        const local_days today = std::chrono::floor<std::chrono::days>(shown);
        const std::chrono::year_month_day date(today);
        const bool of_month = day.values.contains(static_cast<unsigned>(date.day()));
        const bool of_week = weekday.values.contains(std::chrono::weekday(today).c_encoding());
        const bool either = day.text != "*" && weekday.text != "*";
        return month.values.contains(static_cast<unsigned>(date.month())) &&
            (either ? of_month || of_week : of_month && of_week);
    }

    /// Does it tell an interval rather than times of the day?
    bool is_interval() const
    {
        return second.text.starts_with('*') || minute.text.starts_with('*') || hour.text.starts_with('*') ||
            hour.values.size() == 24;
    }
};

/// Walks by the minute through a zone as a clock does, and says at each whether the expression is due.
class walk {
public:
    walk(const sample& expression, const time_zone& zone, bool is_interval, sys_seconds begin)
        : expression_(expression),
          zone_(zone),
          is_interval_(is_interval),
          moment_(begin),
          period_(zone.period_at(begin)),
          latest_(zone.to_local(begin) - 1min)
    {}

    sys_seconds moment() const { return moment_; }

    /// What clocks show twice counts once, and what they leave out counts behind the gap, but for intervals.
    bool is_due()
    {
        const local_seconds shown(moment_.time_since_epoch() + period_.offset);
        if (is_interval_)
            return expression_.means(shown);
        for (bool due = false;; due = due || expression_.means(latest_)) {
            if (latest_ >= shown)
                return due;
            latest_ += 1min;
        }
    }

    void go_on()
    {
        moment_ += 1min;
        if (moment_ >= period_.end)
            period_ = zone_.period_at(moment_);
    }

private:
    const sample& expression_;
    const time_zone& zone_;
    bool is_interval_;
    sys_seconds moment_;
    time_zone::period period_;
    local_seconds latest_;  // that has been shown
};

/// How many minutes of a stretch `next_after` and a walk see differently.
std::size_t differences(
    const sample& expression, const time_zone& zone, bool is_interval, sys_seconds begin, sys_seconds end)
{
    const cron times = cron::parse(expression.text());
    std::optional<sys_seconds> next = times.next_after(begin - 1min, zone);
    std::size_t found = 0;
    for (walk at(expression, zone, is_interval, begin); at.moment() < end; at.go_on()) {
        const bool is_next = next == at.moment();
        found += at.is_due() != is_next;
        if (is_next)
            next = times.next_after(at.moment(), zone);
    }
    return found;
}

constexpr std::string_view zones_of_the_world[] = {"Africa/Cairo", "Africa/Casablanca", "America/Asuncion",
    "America/Havana", "America/Los_Angeles", "America/New_York", "America/Nuuk", "America/Santiago",
    "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Antarctica/Casey", "Antarctica/Troll",
    "Asia/Almaty", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kolkata", "Asia/Tehran", "Asia/Tokyo",
    "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin",
    "Europe/Chisinau", "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Chatham"};

/// Walks from `after` in steps as a clock does, for `span` at most, and compares.
template <class Meant>
void check_by_walking(const cron& times, const time_zone& zone, sys_seconds after, std::chrono::seconds step,
    std::chrono::seconds span, Meant meant)
{
    const auto next = times.next_after(after, zone);
    RC_ASSERT((!next || *next > after));
    sys_seconds walked = std::chrono::floor<std::chrono::minutes>(after);
    while (walked <= after)
        walked += step;
    for (; walked <= after + span; walked += step) {
        const bool is_next = next == walked;
        RC_ASSERT(meant(walked) == is_next);
        if (is_next)
            return;
    }
    RC_ASSERT((!next || *next > after + span));
}

}  // namespace

TEST_CASE("cron: fields are values, ranges, lists, steps and names", "[calendar][cron]")
{
    const sys_seconds from = monday;

    CHECK(
        moments("*/20 * * * *", from, 3) == std::vector<sys_seconds>{from + 20min, from + 40min, from + 1h});
    CHECK(moments("5,1-2 3 * * *", from, 3) ==
        std::vector<sys_seconds>{from + 3h + 1min, from + 3h + 2min, from + 3h + 5min});
    CHECK(moments("10-30/10,59 0 * * *", from, 4) ==
        std::vector<sys_seconds>{from + 10min, from + 20min, from + 30min, from + 59min});
    CHECK(moments("40/10 0 * * *", from, 3) ==
        std::vector<sys_seconds>{from + 40min, from + 50min, from + 24h + 40min});
    CHECK(moments("0 0 * FEB Sun", from, 2) ==
        std::vector<sys_seconds>{sys_days{2024y / 2 / 4}, sys_days{2024y / 2 / 11}});
    CHECK(moments("\t0  12 1 1-12/3 *  ", from, 3) ==
        std::vector<sys_seconds>{from + 12h, sys_days{2024y / 4 / 1} + 12h, sys_days{2024y / 7 / 1} + 12h});
    CHECK(moments("30 */10 0 * * *", from, 2) == std::vector<sys_seconds>{from + 30s, from + 10min + 30s});
    CHECK(moments("*/25 59 23 31 12 *", from, 4) ==
        std::vector<sys_seconds>{sys_days{2025y / 1 / 1} - 60s, sys_days{2025y / 1 / 1} - 35s,
            sys_days{2025y / 1 / 1} - 10s, sys_days{2026y / 1 / 1} - 60s});
}

TEST_CASE("cron: the week begins and ends with Sunday", "[calendar][cron]")
{
    const cron sunday = cron::parse("0 0 * * 0");

    CHECK(cron::parse("0 0 * * 7") == sunday);
    CHECK(cron::parse("0 0 * * sun") == sunday);
    CHECK(cron::parse("0 0 * * sun-sun") == sunday);
    CHECK(cron::parse("0 0 * * */7") == sunday);
    CHECK(cron::parse("0 0 * * fri-sun") == cron::parse("0 0 * * 0,5,6"));
    CHECK(cron::parse("0 0 * * 5-7") == cron::parse("0 0 * * 0,5,6"));
    CHECK(cron::parse("0 0 * * 0-7") == cron::parse("0 0 * * 0-6"));
    CHECK_FALSE(cron::parse("0 0 * * 1") == sunday);
}

TEST_CASE("cron: the short names mean what they say", "[calendar][cron]")
{
    CHECK(cron::parse("@hourly") == cron::parse("0 * * * *"));
    CHECK(cron::parse(" @Daily ") == cron::parse("0 0 * * *"));
    CHECK(cron::parse("@midnight") == cron::parse("0 0 * * *"));
    CHECK(cron::parse("@weekly") == cron::parse("0 0 * * 0"));
    CHECK(cron::parse("@monthly") == cron::parse("0 0 1 * *"));
    CHECK(cron::parse("@YEARLY") == cron::parse("0 0 1 1 *"));
    CHECK(cron::parse("@annually") == cron::parse("0 0 1 1 *"));
}

TEST_CASE("cron: one of day of month and day of week is enough when both are told", "[calendar][cron]")
{
    const sys_seconds from = monday;

    CHECK(moments("0 0 13 * fri", from, 4) ==
        std::vector<sys_seconds>{sys_days{2024y / 1 / 5}, sys_days{2024y / 1 / 12}, sys_days{2024y / 1 / 13},
            sys_days{2024y / 1 / 19}});
    // A field that begins with * does not tell a day by itself.
    CHECK(moments("0 0 */2 * fri", from, 2) ==
        std::vector<sys_seconds>{sys_days{2024y / 1 / 5}, sys_days{2024y / 1 / 19}});
    CHECK(moments("0 0 13 * */5", from, 2) ==
        std::vector<sys_seconds>{sys_days{2024y / 9 / 13}, sys_days{2024y / 10 / 13}});
}

TEST_CASE("cron: leap days come when they come, and impossible days never", "[calendar][cron]")
{
    CHECK(moments("0 0 29 2 *", monday, 2) ==
        std::vector<sys_seconds>{sys_days{2024y / 2 / 29}, sys_days{2028y / 2 / 29}});
    CHECK(moments("0 0 29 2 *", sys_days{2097y / 1 / 1}, 1) ==
        std::vector<sys_seconds>{sys_days{2104y / 2 / 29}});
    // The longest wait of all: 29 February on a certain day of the week, over the year 2100.
    CHECK(moments("0 0 29 2 */7", sys_days{2088y / 3 / 1}, 1) ==
        std::vector<sys_seconds>{sys_days{2128y / 2 / 29}});
    CHECK(moments("0 0 30 2 *", monday, 1).empty());
    CHECK(moments("0 * 30 2 *", monday, 1).empty());
    CHECK(moments("0 0 31 4,6,9,11 *", monday, 1).empty());
    CHECK(moments("0 0 * * *", sys_days{9999y / 12 / 30}, 9) ==
        std::vector<sys_seconds>{sys_days{9999y / 12 / 31}});
    CHECK(moments("0 0 * * *", sys_seconds::max(), 1).empty());
    CHECK(moments("0 0 1 1 *", sys_seconds::min(), 1) == std::vector<sys_seconds>{sys_days{2y / 1 / 1}});
    if (time_zone::has_database()) {
        const time_zone berlin = time_zone::find("Europe/Berlin");
        CHECK(moments("0 0 30 2 *", monday, 1, berlin).empty());
        CHECK(moments("0 * 30 2 *", monday, 1, berlin).empty());
        CHECK(moments("0 * 29 2 */7", sys_days{2024y / 3 / 1}, 1, berlin) ==
            std::vector<sys_seconds>{sys_days{2032y / 2 / 28} + 23h});
    }
}

TEST_CASE("cron: what cannot be read is refused with its field and place", "[calendar][cron]")
{
    CHECK(refusal_of("61 * * * *") ==
        "cron expression \"61 * * * *\": minute, at position 1: 61 is not from 0 to 59");
    CHECK(refusal_of("0 24 * * *") ==
        "cron expression \"0 24 * * *\": hour, at position 3: 24 is not from 0 to 23");
    CHECK(refusal_of("0 0 0 * *") ==
        "cron expression \"0 0 0 * *\": day of the month, at position 5: 0 is not from 1 to 31");
    CHECK(refusal_of("0 0 * foo *") ==
        "cron expression \"0 0 * foo *\": month, at position 7: 'foo' is none of jan to dec");
    CHECK(refusal_of("0 0 * * monday") ==
        "cron expression \"0 0 * * monday\": day of the week, at position 9: 'monday' is none of sun to sat");
    CHECK(refusal_of("0 0 * * 1,8") ==
        "cron expression \"0 0 * * 1,8\": day of the week, at position 11: 8 is not from 0 to 7");
    CHECK(refusal_of("60 0 0 * * *") ==
        "cron expression \"60 0 0 * * *\": second, at position 1: 60 is not from 0 to 59");
    CHECK(refusal_of("mon * * * *") ==
        "cron expression \"mon * * * *\": minute, at position 1: 'mon' is no number");
    CHECK(refusal_of("30-10 * * * *") ==
        "cron expression \"30-10 * * * *\": minute, at position 1: the range 30-10 runs backwards; write "
        "30-59,0-10");
    CHECK(refusal_of("*/0 * * * *") ==
        "cron expression \"*/0 * * * *\": minute, at position 3: a step of 0 leads nowhere");
    CHECK(refusal_of("*/ * * * *") ==
        "cron expression \"*/ * * * *\": minute, at position 3: a value is missing");
    CHECK(refusal_of("1,,2 * * * *") ==
        "cron expression \"1,,2 * * * *\": minute, at position 3: ',' is no value");
    CHECK(refusal_of("1, * * * *") ==
        "cron expression \"1, * * * *\": minute, at position 3: a value is missing");
    CHECK(refusal_of("*5 * * * *") ==
        "cron expression \"*5 * * * *\": minute, at position 2: '5' is not understood");
    CHECK(refusal_of("1-2-3 * * * *") ==
        "cron expression \"1-2-3 * * * *\": minute, at position 4: '-' is not understood");
    CHECK(
        refusal_of("-1 * * * *") == "cron expression \"-1 * * * *\": minute, at position 1: '-' is no value");
    CHECK(refusal_of("4294967297 * * * *") ==
        "cron expression \"4294967297 * * * *\": minute, at position 1: the number is too long");
    CHECK(refusal_of("* * * *") ==
        "cron expression \"* * * *\": it has 4 fields where 5, or 6 with seconds, are needed");
    CHECK(refusal_of("") == "cron expression \"\": it has 0 fields where 5, or 6 with seconds, are needed");
    CHECK(refusal_of("* * * * * * *") ==
        "cron expression \"* * * * * * *\": it has 7 fields where 5, or 6 with seconds, are needed");
    CHECK(refusal_of("@often") ==
        "cron expression \"@often\": '@often' is none of @hourly, @daily, @midnight, @weekly, @monthly, "
        "@yearly, @annually");
}

TEST_CASE("cron: reads any text or refuses it", "[calendar][cron]")
{
    const bool holds = rc::check("parse ends for every text", [] {
        const auto text = *rc::gen::container<std::string>(rc::gen::element(
            '*', '/', '-', ',', ' ', '0', '1', '5', '9', 's', 'u', 'n', '@', 'L', 'W', '#', '?', '='));
        try {
            const cron times = cron::parse(text);
            const auto next = times.next_after(monday);
            RC_ASSERT((!next || *next > monday));
        } catch (const std::invalid_argument& refused) {
            RC_ASSERT(std::string_view(refused.what()).find(text) != std::string_view::npos);
        }
    });

    CHECK(holds);
}

TEST_CASE(
    "cron: the next moment is the first that is meant, as a walk by the minute shows", "[calendar][cron]")
{
    const bool holds = rc::check("next_after(t) is the first minute behind t that is meant", [] {
        const sample expression;
        const cron times = cron::parse(expression.text());
        const sys_seconds after =
            sys_days{1999y / 12 / 25} + std::chrono::seconds(*rc::gen::inRange(0, 900'000'000));
        check_by_walking(times, {}, after, 1min, 40 * 24h, [&](sys_seconds moment) {
            const local_seconds shown(moment.time_since_epoch());
            RC_ASSERT(times.matches(shown) == expression.means(shown));
            return expression.means(shown);
        });
    });

    CHECK(holds);
}

TEST_CASE("cron: seconds are walked through as well", "[calendar][cron]")
{
    const bool holds = rc::check("next_after(t) is the first second behind t that is meant", [] {
        sample expression;
        expression.second = arbitrary_field(0, 59, false);
        expression.hour = arbitrary_field(0, 23, true);
        const cron times = cron::parse(expression.text());
        const sys_seconds after = monday + std::chrono::seconds(*rc::gen::inRange(0, 100'000'000));
        check_by_walking(times, {}, after, 1s, 5h,
            [&](sys_seconds moment) { return expression.means(local_seconds(moment.time_since_epoch())); });
    });

    CHECK(holds);
}

TEST_CASE("cron: a walk through five years in thirty zones meets what is said to be next", "[calendar][cron]")
{
    if (!time_zone::has_database())
        return;  // built without zones
    const sys_seconds begin = sys_days{2022y / 1 / 1};
    const sys_seconds end = sys_days{2027y / 1 / 1};

    const bool holds = rc::check("next_after(t) is the first minute behind t that is due", [&] {
        const std::string_view name = *rc::gen::elementOf(
            std::vector<std::string_view>(std::begin(zones_of_the_world), std::end(zones_of_the_world)));
        const time_zone zone = time_zone::find(name);
        sample expression;
        if (*rc::gen::inRange(0, 2) == 0)  // hours in which clocks are set
            expression.hour = *rc::gen::element(written{"2", {2}}, written{"1-3", {1, 2, 3}},
                written{"0,2,23", {0, 2, 23}}, written{"3", {3}}, written{"0", {0}});
        for (time_zone::period at = zone.period_at(begin); at.end < end; at = zone.period_at(at.end))
            RC_ASSERT(differences(expression, zone, expression.is_interval(),
                          floor<std::chrono::days>(at.end) - 24h, at.end + 48h) == 0);
    });

    CHECK(holds);
    const sample every_twenty_minutes{.minute = {"*/20", {0, 20, 40}},
        .hour = {"1-3", {1, 2, 3}},
        .day = whole_field(1, 31),
        .month = whole_field(1, 12),
        .weekday = whole_field(0, 6)};
    const sample times_of_the_day{.minute = {"0", {0}},
        .hour = {"0,2", {0, 2}},
        .day = whole_field(1, 31),
        .month = whole_field(1, 12),
        .weekday = whole_field(0, 6)};
    for (const std::string_view name : zones_of_the_world) {
        CAPTURE(name);
        const time_zone zone = time_zone::find(name);
        for (const sample& expression : {every_twenty_minutes, times_of_the_day})
            CHECK(differences(expression, zone, expression.is_interval(), begin, end) == 0);
    }
    // And a walk by the other rule does not.
    const time_zone berlin = time_zone::find("Europe/Berlin");
    for (const sample& expression : {every_twenty_minutes, times_of_the_day})
        CHECK(differences(expression, berlin, !expression.is_interval(), begin, end) > 0);
}

TEST_CASE("cron: a time of the day that clocks leave out comes behind the gap, once", "[calendar][cron]")
{
    if (!time_zone::has_database())
        return;
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds forward = sys_days{2024y / 3 / 31} + 1h;

    CHECK(moments("30 2 * * *", forward - 10h, 2, berlin) ==
        std::vector<sys_seconds>{forward, forward + 23h + 30min});
    CHECK(moments("0,20 2,3 * * *", forward - 1s, 2, berlin) ==
        std::vector<sys_seconds>{forward, forward + 20min});
    CHECK(moments("0-59 0-59 2 * * *", forward - 1s, 2, berlin) ==
        std::vector<sys_seconds>{forward, forward + 23h});
    const time_zone apia = time_zone::find("Pacific/Apia");
    CHECK(moments("0 12 30 12 *", sys_days{2011y / 12 / 1}, 2, apia) ==
        std::vector<sys_seconds>{sys_days{2011y / 12 / 30} + 10h, sys_days{2012y / 12 / 29} + 22h});
}

TEST_CASE("cron: a time of the day that clocks show twice comes once", "[calendar][cron]")
{
    if (!time_zone::has_database())
        return;
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds back = sys_days{2024y / 10 / 27} + 1h;

    CHECK(moments("30 2 * * *", back - 2h, 2, berlin) ==
        std::vector<sys_seconds>{back - 30min, back + 24h + 30min});
    CHECK(moments("0 2,3 * * *", back - 61min, 2, berlin) == std::vector<sys_seconds>{back - 1h, back + 1h});
    // From within the repeated hour nothing of it is left.
    CHECK(moments("0,10,50 2 * * *", back + 5min, 1, berlin) == std::vector<sys_seconds>{back + 24h});
    CHECK(moments("0-59 0-59 2 * * *", back, 1, berlin) == std::vector<sys_seconds>{back + 24h});
}

TEST_CASE("cron: an interval goes by the time that passes when clocks are set", "[calendar][cron]")
{
    if (!time_zone::has_database())
        return;
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds forward = sys_days{2026y / 3 / 29} + 1h;
    const sys_seconds back = sys_days{2026y / 10 / 25} + 1h;

    CHECK(moments("*/30 1-3 * * *", back - 30min, 2, berlin) == std::vector<sys_seconds>{back, back + 30min});
    CHECK(moments("0 */2 * * *", back - 1h, 2, berlin) == std::vector<sys_seconds>{back, back + 2h});
    CHECK(moments("0 */2 * * *", forward - 2h, 2, berlin) ==
        std::vector<sys_seconds>{forward + 1h, forward + 3h});
    CHECK(moments("*/30 2 * * *", forward - 2h, 1, berlin) == std::vector<sys_seconds>{forward + 23h});
    CHECK(moments("30 * * * *", forward - 1h, 3, berlin) ==
        std::vector<sys_seconds>{forward - 30min, forward + 30min, forward + 90min});
    CHECK(moments("30 0-23 * * *", back - 1h, 3, berlin) ==
        std::vector<sys_seconds>{back - 30min, back + 30min, back + 90min});
    CHECK(moments("*/30 0 2 * * *", back - 1h, 3, berlin) ==
        std::vector<sys_seconds>{back - 1h + 30s, back, back + 30s});
}

TEST_CASE("cron: days are found from the end of a month and from its weekdays", "[calendar][cron]")
{
    const auto days_of = [](std::string_view day, std::string_view weekday, std::size_t count) {
        std::vector<std::chrono::year_month_day> days;
        for (const sys_seconds each :
            moments("0 0 " + std::string(day) + " * " + std::string(weekday), monday - 1s, count))
            days.emplace_back(std::chrono::floor<std::chrono::days>(each));
        return days;
    };
    using days = std::vector<std::chrono::year_month_day>;

    CHECK(days_of("L", "*", 4) == days{2024y / 1 / 31, 2024y / 2 / 29, 2024y / 3 / 31, 2024y / 4 / 30});
    CHECK(days_of("l-3", "?", 2) == days{2024y / 1 / 28, 2024y / 2 / 26});
    CHECK(days_of("L-29", "*", 3) == days{2024y / 1 / 2, 2024y / 3 / 2, 2024y / 4 / 1});
    CHECK(days_of("1,L", "*", 3) == days{2024y / 1 / 1, 2024y / 1 / 31, 2024y / 2 / 1});
    // 31 March 2024 was a Sunday, 30 June too, 31 August a Saturday.
    CHECK(days_of("LW", "*", 8) ==
        days{2024y / 1 / 31, 2024y / 2 / 29, 2024y / 3 / 29, 2024y / 4 / 30, 2024y / 5 / 31, 2024y / 6 / 28,
            2024y / 7 / 31, 2024y / 8 / 30});
    // 15 June 2024 was a Saturday, 15 September a Sunday, as was 1 September; 1 June was a Saturday.
    CHECK(days_of("15W", "*", 9).at(5) == 2024y / 6 / 14);
    CHECK(days_of("15W", "*", 9).at(8) == 2024y / 9 / 16);
    CHECK(days_of("1W", "*", 9).at(5) == 2024y / 6 / 3);
    CHECK(days_of("1W", "*", 9).at(8) == 2024y / 9 / 2);
    CHECK(days_of("31W", "*", 3) == days{2024y / 1 / 31, 2024y / 3 / 29, 2024y / 5 / 31});
    CHECK(days_of("*", "5L", 2) == days{2024y / 1 / 26, 2024y / 2 / 23});
    CHECK(days_of("?", "friL", 2) == days_of("*", "5L", 2));
    CHECK(days_of("*", "7L", 2) == days{2024y / 1 / 28, 2024y / 2 / 25});
    CHECK(days_of("*", "FRI#2", 2) == days{2024y / 1 / 12, 2024y / 2 / 9});
    CHECK(days_of("*", "0#1,5#5", 4) == days{2024y / 1 / 7, 2024y / 2 / 4, 2024y / 3 / 3, 2024y / 3 / 29});
    // Either of two fields that tell days is enough.
    CHECK(days_of("L", "fri#1", 3) == days{2024y / 1 / 5, 2024y / 1 / 31, 2024y / 2 / 2});
    CHECK(cron::parse("0 0 ? * ?") == cron::parse("0 0 * * *"));
    CHECK(cron::parse("0 0 13 * ?") == cron::parse("0 0 13 * *"));
}

TEST_CASE(
    "cron: days that are found by looking at the month are those that counting finds", "[calendar][cron]")
{
    using std::chrono::year_month_day;
    const sys_days begin{1999y / 1 / 1};
    const auto is_weekday = [](sys_days day) { return std::chrono::weekday(day).iso_encoding() < 6; };
    const bool holds = rc::check("each day of forty years", [&] {
        const auto nth = *rc::gen::inRange(1, 32);
        const auto before = *rc::gen::inRange(0, 31);
        const auto of_week = *rc::gen::inRange(0, 7);
        const auto number = *rc::gen::inRange(1, 6);
        const cron nearest = cron::parse("0 0 " + std::to_string(nth) + "W * *");
        const cron from_end = cron::parse("0 0 L-" + std::to_string(before) + " * *");
        const cron last_weekday = cron::parse("0 0 LW * *");
        const cron last = cron::parse("0 0 * * " + std::to_string(of_week) + "L");
        const cron numbered =
            cron::parse("0 0 * * " + std::to_string(of_week) + "#" + std::to_string(number));
        const auto month = year_month_day(begin).year() / std::chrono::January +
            std::chrono::months(*rc::gen::inRange(0, 480));
        const sys_days first = month / 1;
        const sys_days end = sys_days(month / std::chrono::last) + std::chrono::days(1);
        std::set<sys_days> near, weekdays, same;
        for (sys_days day = first; day < end; day += std::chrono::days(1)) {
            if (is_weekday(day))
                weekdays.insert(day);
            if (static_cast<int>(std::chrono::weekday(day).c_encoding()) == of_week)
                same.insert(day);
        }
        const sys_days target = first + std::chrono::days(nth - 1);
        if (target < end)
            near.insert(*std::min_element(weekdays.begin(), weekdays.end(), [&](sys_days a, sys_days b) {
                return std::chrono::abs(a - target) < std::chrono::abs(b - target);
            }));
        for (sys_days day = first; day < end; day += std::chrono::days(1)) {
            const local_seconds shown(day.time_since_epoch());
            RC_ASSERT(nearest.matches(shown) == near.contains(day));
            RC_ASSERT(from_end.matches(shown) == (day + std::chrono::days(before + 1) == end));
            RC_ASSERT(last_weekday.matches(shown) == (day == *weekdays.rbegin()));
            RC_ASSERT(last.matches(shown) == (day == *same.rbegin()));
            RC_ASSERT(numbered.matches(shown) ==
                (same.contains(day) && std::distance(same.begin(), same.find(day)) == number - 1));
        }
    });

    CHECK(holds);
}

TEST_CASE("cron: what other systems write is refused with what to use instead", "[calendar][cron]")
{
    CHECK(refusal_of("@every 90m") ==
        "cron expression \"@every 90m\": an interval is no time of the calendar; use send_every, which takes "
        "a "
        "duration");
    CHECK(refusal_of("@reboot") ==
        "cron expression \"@reboot\": a start is no time of the calendar; send the message when the actor "
        "starts");
    for (const std::string zone : {"CRON_TZ=Asia/Tokyo", "TZ=Asia/Tokyo"})
        CHECK(refusal_of(zone + " 0 6 * * *") ==
            "cron expression \"" + zone +
                " 0 6 * * *\": a zone does not stand in the expression; give it beside it, as in "
                "cron_options::zone");
    CHECK(refusal_of("0 0 * * FRI-MON") ==
        "cron expression \"0 0 * * FRI-MON\": day of the week, at position 9: the range FRI-MON runs "
        "backwards; write FRI-sat,sun-MON");
    CHECK(refusal_of("0 22-2 * * *") ==
        "cron expression \"0 22-2 * * *\": hour, at position 3: the range 22-2 runs backwards; write "
        "22-23,0-2");
    CHECK(refusal_of("0 0 1 dec-jan *") ==
        "cron expression \"0 0 1 dec-jan *\": month, at position 7: the range dec-jan runs backwards; write "
        "dec,jan");
    CHECK(refusal_of("50-10/5 * * * *") ==
        "cron expression \"50-10/5 * * * *\": minute, at position 1: the range 50-10 runs backwards");
    CHECK(refusal_of("0 0 * * L") ==
        "cron expression \"0 0 * * L\": day of the week, at position 9: 'L' alone means Saturday to some and "
        "nothing to others; write 6, or 6L for the last one");
    CHECK(refusal_of("? * * * *") ==
        "cron expression \"? * * * *\": minute, at position 1: '?' is for days alone; write *");
    CHECK(refusal_of("0 0 ?/2 * *") ==
        "cron expression \"0 0 ?/2 * *\": day of the month, at position 5: '?' stands by itself");
    CHECK(refusal_of("0 0 * * 5#6") ==
        "cron expression \"0 0 * * 5#6\": day of the week, at position 11: 6 is not from 1 to 5");
    CHECK(refusal_of("0 0 L-31 * *") ==
        "cron expression \"0 0 L-31 * *\": day of the month, at position 7: no month has 31 days before its "
        "last");
    for (const std::string_view each :
        {"0 0 1-15W * *", "0 0 L/2 * *", "0 0 LW-1 * *", "0 0 * * 5L-6", "0 0 * * 1-5#2", "0 L * * *",
            "0 0 * L *", "0 0 W * *", "0 0 * * #2", "0 0 * * 5#", "0 0 L- * *"})
        CHECK(refusal_of(each).find("cron expression \"" + std::string(each) + "\"") == 0);
}

TEST_CASE("cron: a refusal is UTF-8 on one line, whatever was written", "[calendar][cron]")
{
    CHECK(refusal_of("0 0 * * 1\xe2\x80\x93"
                     "5") ==
        "cron expression \"0 0 * * 1\xe2\x80\x93"
        "5\": day of the week, at position 10: '\xe2\x80\x93' is not "
        "understood");
    CHECK(refusal_of("0 0 * *\r\n *") ==
        "cron expression \"0 0 * *\\r\\n *\": month, at position 8: '\\r' is not understood");
    CHECK(refusal_of("\xff\x1b * * * *") ==
        "cron expression \"\\xff\\x1b * * * *\": minute, at position 1: '\\xff' is no value");
    CHECK(refusal_of("\xc2\x85 * * * *").find("'\\xc2\\x85' is no value") != std::string::npos);
    CHECK(refusal_of(std::string(1 << 20, '1')).size() < 1000);
}

TEST_CASE("cron: comes to an end with the year 9999, in every zone", "[calendar][cron]")
{
    const auto expression = GENERATE("59 23 31 dec *", "0 20 31 dec *", "* * 31 dec *", "*/7 * * * *");
    const auto name = GENERATE(
        "UTC", "Europe/Berlin", "America/New_York", "America/Nuuk", "Pacific/Honolulu", "Pacific/Kiritimati");
    if (std::string_view(name) != "UTC" && !time_zone::has_database())
        return;
    const cron times = cron::parse(expression);
    const time_zone zone = time_zone::find(name);
    constexpr sys_seconds end = sys_days{std::chrono::year(10000) / std::chrono::January / 1};
    for (const sys_seconds begin : {end - 3h, end - 1s, end, end + 10h, end + 36h, end + 48h, end + 49h,
             sys_seconds(std::chrono::seconds(300'000'000'000)), sys_seconds::max()}) {
        sys_seconds at = begin;
        int count = 0;
        while (const auto next = times.next_after(at, zone)) {
            REQUIRE(*next > at);
            REQUIRE(++count < 5000);
            CHECK(zone.to_local(*next) < local_days{std::chrono::year(10000) / std::chrono::January / 1});
            at = *next;
        }
    }
}
