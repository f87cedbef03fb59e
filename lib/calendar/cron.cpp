// SPDX-License-Identifier: MIT

#include <costar/calendar/cron.hpp>

#include <algorithm>
#include <bit>

namespace costar {

using namespace std::chrono;

namespace {

constexpr int months_ahead_max = 50 * 12;
constexpr local_days calendar_begin{year(1) / January / 1};
constexpr local_days calendar_end{year(10000) / January / 1};

/// The first bit of `mask` that is set, from bit `from` on; -1 when there is none.
int next_bit(std::uint64_t mask, int from) noexcept
{
    const std::uint64_t left = from < 64 ? mask >> from : 0;
    return left == 0 ? -1 : from + std::countr_zero(left);
}

bool has_bit(std::uint64_t mask, unsigned bit) noexcept
{
    return (mask >> bit & 1) != 0;
}

/// The latest that clocks have shown up to `moment`: more than they show there, in an hour that they repeat.
local_seconds latest_shown(const time_zone& zone, sys_seconds moment)
{
    const time_zone::period now = zone.period_at(moment);
    const local_seconds shown(moment.time_since_epoch() + now.offset);
    if (now.begin < moment - days(1))
        return shown;
    const sys_seconds before = now.begin - 1s;
    return std::max(shown, zone.to_local(before));
}

}  // namespace

std::optional<sys_seconds> cron::next_after(sys_seconds after, const time_zone& zone) const
{
    // Clocks differ from UTC by a day at most, so whatever is later than this is behind the last year
    // everywhere.
    if (after > sys_seconds(calendar_end.time_since_epoch()) + days(2))
        return std::nullopt;
    after = std::max(after, sys_seconds(calendar_begin.time_since_epoch()));
    return is_interval_ ? next_of_interval(after, zone) : next_time_of_day(after, zone);
}

/// Goes from period to period, each with clocks that are not set.
std::optional<sys_seconds> cron::next_of_interval(sys_seconds after, const time_zone& zone) const
{
    for (sys_seconds from = after + 1s;;) {
        const time_zone::period now = zone.period_at(from);
        const std::optional<local_seconds> shown =
            next_shown(local_seconds(from.time_since_epoch() + now.offset));
        if (!shown)
            return std::nullopt;
        if (const sys_seconds meant(shown->time_since_epoch() - now.offset); meant < now.end)
            return meant;
        from = now.end;
    }
}

/// Moments come in the order of what clocks show; what they have shown already is over.
std::optional<sys_seconds> cron::next_time_of_day(sys_seconds after, const time_zone& zone) const
{
    for (local_seconds from = latest_shown(zone, after) + 1s;;) {
        const std::optional<local_seconds> shown = next_shown(from);
        if (!shown)
            return std::nullopt;
        if (const sys_seconds meant = zone.to_sys(*shown); meant > after)
            return meant;
        from = *shown + 1s;
    }
}

bool cron::matches(local_seconds shown) const noexcept
{
    const local_days day = floor<days>(shown);
    return matches_day(day) && next_in_day(shown - day) == shown - day;
}

bool cron::matches_day(local_days day) const noexcept
{
    const year_month_day date(day);
    if (!has_bit(months_, static_cast<unsigned>(date.month())))
        return false;
    const weekday day_of_week(day);
    const bool of_month = days_.has(date, day_of_week);
    const bool of_week = weekdays_.has(date, day_of_week);
    return either_day_ ? of_month || of_week : of_month && of_week;
}

bool cron::days_of_month::has(year_month_day date, weekday of_week) const noexcept
{
    const auto day = static_cast<unsigned>(date.day());
    if (has_bit(days, day))
        return true;
    if ((from_the_end | nearest) == 0)
        return false;
    const auto last_day = static_cast<unsigned>((date.year() / date.month() / last).day());
    if (has_bit(from_the_end, last_day - day))
        return true;
    // A Saturday goes to the Friday before it, a Sunday to the Monday behind it, but neither leaves the
    // month.
    if (of_week == Friday)
        return has_bit(nearest, day) || (day + 1 <= last_day && has_bit(nearest, day + 1)) ||
            (day + 2 == last_day && has_bit(nearest, day + 2)) ||
            (day + 2 >= last_day && has_bit(nearest, 0));
    if (of_week == Monday)
        return has_bit(nearest, day) || (day > 1 && has_bit(nearest, day - 1)) ||
            (day == 3 && has_bit(nearest, 1)) || (day == last_day && has_bit(nearest, 0));
    if (of_week == Saturday || of_week == Sunday)
        return false;
    return has_bit(nearest, day) || (day == last_day && has_bit(nearest, 0));
}

bool cron::days_of_week::has(year_month_day date, weekday of_week) const noexcept
{
    const unsigned bit = of_week.c_encoding();
    if (has_bit(days, bit))
        return true;
    const auto day = static_cast<unsigned>(date.day());
    if (has_bit(numbered, 7 * ((day + 6) / 7) + bit))
        return true;
    return has_bit(last, bit) &&
        static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day()) < day + 7;
}

/// The first time of a day from `from` on, since midnight.
std::optional<seconds> cron::next_in_day(seconds from) const noexcept
{
    const hh_mm_ss clock(from);
    const int first_hour = static_cast<int>(clock.hours().count());
    const int first_minute = static_cast<int>(clock.minutes().count());
    const int first_second = static_cast<int>(clock.seconds().count());
    const auto time = [](int hour, int minute, int second) {
        return hours(hour) + minutes(minute) + seconds(second);
    };
    if (has_bit(hours_, static_cast<unsigned>(first_hour))) {
        if (has_bit(minutes_, static_cast<unsigned>(first_minute)))
            if (const int second = next_bit(seconds_, first_second); second >= 0)
                return time(first_hour, first_minute, second);
        if (const int minute = next_bit(minutes_, first_minute + 1); minute >= 0)
            return time(first_hour, minute, next_bit(seconds_, 0));
    }
    if (const int hour = next_bit(hours_, first_hour + 1); hour >= 0)
        return time(hour, next_bit(minutes_, 0), next_bit(seconds_, 0));
    return std::nullopt;
}

/// The first time of the expression from `from` on, as a clock shows it that is never set.
std::optional<local_seconds> cron::next_shown(local_seconds from) const noexcept
{
    const local_days today = floor<days>(from);
    if (today >= calendar_end)
        return std::nullopt;
    if (matches_day(today))
        if (const std::optional<seconds> time = next_in_day(from - today))
            return today + *time;
    const seconds time = *next_in_day(0s);
    year_month month_in_turn = year_month_day(today).year() / year_month_day(today).month();
    for (int i = 0; i <= months_ahead_max; ++i, month_in_turn += months(1)) {
        if (!has_bit(months_, static_cast<unsigned>(month_in_turn.month())))
            continue;
        const local_days end = local_days(month_in_turn / last) + days(1);
        for (local_days day = std::max(local_days(month_in_turn / 1), today + days(1)); day < end;
            day += days(1))
            if (matches_day(day))
                return day < calendar_end ? std::optional(day + time) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace costar
