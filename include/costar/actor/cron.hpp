// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/time_zone.hpp>

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
/// A day is a day of the expression when its month is, and both its day of the month and its day of the week
/// are; when neither of these two fields begins with `*`, one of them is enough (the rule of Vixie's cron):
/// `0 0 13 * fri` means every 13th and every Friday.
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
    /// Where clocks are set forward, a time that they leave out is meant at the first moment after the gap;
    /// where they are set back, a time that they show twice is meant the first time. An expression for every
    /// hour tells an interval rather than a time of the day, so it goes on through the repeated hour and has
    /// nothing to make up for behind a gap. Cost: about a microsecond, some tens when it is years ahead.
    std::optional<std::chrono::sys_seconds> next_after(
        std::chrono::sys_seconds after, const time_zone& zone = {}) const;

    /// Is what clocks show here a time of the expression?
    bool matches(std::chrono::local_seconds shown) const noexcept;

    friend bool operator==(const cron&, const cron&) noexcept = default;

private:
    class reader;

    cron() noexcept = default;

    std::optional<std::chrono::local_seconds> next_shown(std::chrono::local_seconds from) const noexcept;
    std::optional<std::chrono::seconds> next_in_day(std::chrono::seconds from) const noexcept;
    bool matches_day(std::chrono::local_days day) const noexcept;
    bool is_for_every_hour() const noexcept;

    // One bit for each value.
    std::uint64_t seconds_ = 1;
    std::uint64_t minutes_ = 0;
    std::uint64_t hours_ = 0;
    std::uint32_t days_ = 0;
    std::uint16_t months_ = 0;
    std::uint8_t weekdays_ = 0;
    bool either_day_ = false;  // the day of the month or that of the week is enough
};

}  // namespace costar
