// SPDX-License-Identifier: MIT

#include <costar/actor/cron.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <chrono>
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

/// One field of an expression, and which values it means.
struct written {
    std::string text;
    std::set<unsigned> values;
};

written arbitrary_field(unsigned first, unsigned last, bool rarely_restricted)
{
    const auto between = [](unsigned a, unsigned b) { return *rc::gen::inRange(a, b + 1); };
    if (between(0, rarely_restricted ? 3 : 1) != 0) {
        written all{"*", {}};
        for (unsigned value = first; value <= last; ++value)
            all.values.insert(value);
        return all;
    }
    written made;
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
        const local_days today = std::chrono::floor<std::chrono::days>(shown);
        const std::chrono::year_month_day date(today);
        const std::chrono::hh_mm_ss time(shown - today);
        const bool of_month = day.values.contains(static_cast<unsigned>(date.day()));
        const bool of_week = weekday.values.contains(std::chrono::weekday(today).c_encoding());
        const bool either = day.text != "*" && weekday.text != "*";
        return second.values.contains(static_cast<unsigned>(time.seconds().count())) &&
            minute.values.contains(static_cast<unsigned>(time.minutes().count())) &&
            hour.values.contains(static_cast<unsigned>(time.hours().count())) &&
            month.values.contains(static_cast<unsigned>(date.month())) &&
            (either ? of_month || of_week : of_month && of_week);
    }

    bool is_for_every_hour() const { return hour.values.size() == 24; }
};

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

TEST_CASE("cron: fields are values, ranges, lists, steps and names", "[actor][cron]")
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

TEST_CASE("cron: the week begins and ends with Sunday", "[actor][cron]")
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

TEST_CASE("cron: the short names mean what they say", "[actor][cron]")
{
    CHECK(cron::parse("@hourly") == cron::parse("0 * * * *"));
    CHECK(cron::parse(" @Daily ") == cron::parse("0 0 * * *"));
    CHECK(cron::parse("@midnight") == cron::parse("0 0 * * *"));
    CHECK(cron::parse("@weekly") == cron::parse("0 0 * * 0"));
    CHECK(cron::parse("@monthly") == cron::parse("0 0 1 * *"));
    CHECK(cron::parse("@YEARLY") == cron::parse("0 0 1 1 *"));
    CHECK(cron::parse("@annually") == cron::parse("0 0 1 1 *"));
}

TEST_CASE("cron: one of day of month and day of week is enough when both are told", "[actor][cron]")
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

TEST_CASE("cron: leap days come when they come, and impossible days never", "[actor][cron]")
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

TEST_CASE("cron: what cannot be read is refused with its field and place", "[actor][cron]")
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
        "cron expression \"30-10 * * * *\": minute, at position 1: the range runs backwards from 30 to 10");
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

TEST_CASE("cron: reads any text or refuses it", "[actor][cron]")
{
    const bool holds = rc::check("parse ends for every text", [] {
        const auto text = *rc::gen::container<std::string>(rc::gen::element(
            '*', '/', '-', ',', ' ', '0', '1', '5', '9', 's', 'u', 'n', '@', 'L', '#', '\t'));
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

TEST_CASE("cron: the next moment is the first that is meant, as a walk by the minute shows", "[actor][cron]")
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

TEST_CASE("cron: seconds are walked through as well", "[actor][cron]")
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

TEST_CASE("cron: clocks that are set forward and back lose no time and repeat none", "[actor][cron]")
{
    if (!time_zone::has_database())
        return;  // built without zones
    const time_zone berlin = time_zone::find("Europe/Berlin");

    const bool holds = rc::check("next_after(t) in Berlin, around the days on which clocks are set", [&] {
        sample expression;
        if (*rc::gen::inRange(0, 2) == 0)  // hours that are left out and shown twice
            expression.hour = *rc::gen::element(written{"2", {2}}, written{"1-3", {1, 2, 3}},
                written{"0,2,23", {0, 2, 23}}, written{"3", {3}});
        const cron times = cron::parse(expression.text());
        const sys_days around = *rc::gen::element(sys_days{2024y / 3 / 30}, sys_days{2024y / 10 / 26});
        const sys_seconds after = around + std::chrono::seconds(*rc::gen::inRange(0, 2 * 86'400));
        check_by_walking(times, berlin, after, 1min, 3 * 24h, [&](sys_seconds moment) {
            const local_seconds shown = berlin.to_local(moment);
            if (expression.is_for_every_hour())
                return expression.means(shown);
            for (local_seconds left_out = berlin.to_local(moment - 1min) + 1min; left_out < shown;
                left_out += 1min)
                if (expression.means(left_out))
                    return true;
            return expression.means(shown) && berlin.to_local(moment - 1h) != shown;
        });
    });

    CHECK(holds);
}

TEST_CASE("cron: a time of the day that clocks leave out comes behind the gap, once", "[actor][cron]")
{
    if (!time_zone::has_database())
        return;
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds forward = sys_days{2024y / 3 / 31} + 1h;

    CHECK(moments("30 2 * * *", forward - 10h, 2, berlin) ==
        std::vector<sys_seconds>{forward, forward + 23h + 30min});
    CHECK(moments("*/20 2,3 * * *", forward - 1s, 3, berlin) ==
        std::vector<sys_seconds>{forward, forward + 20min, forward + 40min});
    // Every hour is an interval: the gap is none for it.
    CHECK(moments("30 * * * *", forward - 1h, 3, berlin) ==
        std::vector<sys_seconds>{forward - 30min, forward + 30min, forward + 90min});
    const time_zone apia = time_zone::find("Pacific/Apia");
    CHECK(moments("0 12 30 12 *", sys_days{2011y / 12 / 1}, 2, apia) ==
        std::vector<sys_seconds>{sys_days{2011y / 12 / 30} + 10h, sys_days{2012y / 12 / 29} + 22h});
}

TEST_CASE("cron: a time of the day that clocks show twice comes once", "[actor][cron]")
{
    if (!time_zone::has_database())
        return;
    const time_zone berlin = time_zone::find("Europe/Berlin");
    const sys_seconds back = sys_days{2024y / 10 / 27} + 1h;

    CHECK(moments("30 2 * * *", back - 2h, 2, berlin) ==
        std::vector<sys_seconds>{back - 30min, back + 24h + 30min});
    CHECK(moments("0 2,3 * * *", back - 61min, 2, berlin) == std::vector<sys_seconds>{back - 1h, back + 1h});
    // From within the repeated hour nothing of it is left.
    CHECK(moments("*/10 2 * * *", back + 5min, 1, berlin) == std::vector<sys_seconds>{back + 24h});
    CHECK(moments("30 * * * *", back - 1h, 3, berlin) ==
        std::vector<sys_seconds>{back - 30min, back + 30min, back + 90min});
}
