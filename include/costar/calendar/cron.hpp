// SPDX-License-Identifier: MIT

#pragma once

#include <costar/calendar/time_zone.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace costar {

/// Times of the day and days of the calendar, told by a cron expression.
///
/// An expression has five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or
/// jan-dec) and day of the week (0-7 or sun-sat; 0 and 7 are Sunday). With six fields the first is the second
/// (0-59). A field is `*`, a value, a range `a-b`, or a list of these with commas; `/n` behind a range or `*`
/// takes every n-th of it, `a/n` every n-th from `a` on. `@hourly`, `@daily` (`@midnight`), `@weekly`,
/// `@monthly` and `@yearly` (`@annually`) are known. Names may be written in any case.
///
/// The two fields for days know more:
///
/// | day of the month | |
/// |---|---|
/// | `L`, `L-3` | the last day, the third before it |
/// | `15W` | the day from Monday to Friday that is nearest to the 15th and in the same month |
/// | `LW` | the last day from Monday to Friday |
///
/// | day of the week | |
/// |---|---|
/// | `5L`, `friL` | the last Friday of a month |
/// | `5#2`, `fri#2` | the second Friday of a month |
///
/// and `?` in either is `*`. A day that a month does not have, as the 31st in April or a fifth Friday, is not
/// meant in it.
///
/// A day is a day of the expression when its month is, and both its day of the month and its day of the week
/// are; when neither of these two fields begins with `*` or `?`, one of them is enough (the rule of Vixie's
/// cron): `0 0 13 * fri` means every 13th and every Friday.
///
/// An expression whose second, minute or hour begins with `*`, or that names every hour, tells an interval;
/// others tell times of the day. Where clocks are set, intervals go by the time that passes: what clocks show
/// twice is meant twice, what they leave out is not. A time of the day is meant once: the first time when it
/// is shown twice, at the first moment after the gap when it is left out. (Also Vixie's rule, as in Debian.)
///
/// Thread safety: a value; any thread.
class cron {
public:
    /// Reads an expression.
    ///
    /// Errors: throws `std::invalid_argument` that names the field, the position and what is wrong there.
    static cron parse(std::string_view expression);

    /// The first moment behind `after` that is meant, by the clocks of a zone; none when there is none within
    /// fifty years, as for 30 February, nor behind the year 9999.
    ///
    /// Cost: about a microsecond, some hundred when it is years ahead.
    std::optional<std::chrono::sys_seconds> next_after(
        std::chrono::sys_seconds after, const time_zone& zone = {}) const;

    /// Is what clocks show here a time of the expression?
    bool matches(std::chrono::local_seconds shown) const noexcept;

    friend bool operator==(const cron&, const cron&) noexcept = default;

private:
    class reader;

    /// Bit n stands for the n-th.
    struct days_of_month {
        std::uint32_t days = 0;
        std::uint32_t from_the_end = 0;  ///< bit 0 for the last
        std::uint32_t nearest = 0;       ///< that is from Monday to Friday; bit 0 for the last of these

        bool has(std::chrono::year_month_day date, std::chrono::weekday weekday) const noexcept;
        friend bool operator==(const days_of_month&, const days_of_month&) noexcept = default;
    };

    /// Bit 0 stands for Sunday.
    struct days_of_week {
        std::uint8_t days = 0;
        std::uint8_t last = 0;       ///< of the month
        std::uint64_t numbered = 0;  ///< bit 7 n + d for the n-th of the month, from 1 on

        bool has(std::chrono::year_month_day date, std::chrono::weekday weekday) const noexcept;
        friend bool operator==(const days_of_week&, const days_of_week&) noexcept = default;
    };

    cron() noexcept = default;

    std::optional<std::chrono::sys_seconds> next_of_interval(
        std::chrono::sys_seconds after, const time_zone& zone) const;
    std::optional<std::chrono::sys_seconds> next_time_of_day(
        std::chrono::sys_seconds after, const time_zone& zone) const;
    std::optional<std::chrono::local_seconds> next_shown(std::chrono::local_seconds from) const noexcept;
    std::optional<std::chrono::seconds> next_in_day(std::chrono::seconds from) const noexcept;
    bool matches_day(std::chrono::local_days day) const noexcept;

    // One bit for each value.
    std::uint64_t seconds_ = 1;
    std::uint64_t minutes_ = 0;
    std::uint64_t hours_ = 0;
    std::uint16_t months_ = 0;
    bool is_interval_ = false;
    bool either_day_ = false;  // the day of the month or that of the week is enough

    days_of_month days_;
    days_of_week weekdays_;
};

}  // namespace costar
