// SPDX-License-Identifier: MIT

#include <costar/calendar/time_zone.hpp>

#include "printable.hpp"
#include "zones.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace costar {

using namespace std::chrono_literals;

namespace {

/// When the calendar of `std::chrono` begins and ends: before and behind that no clock is set.
constexpr std::chrono::sys_seconds setting_begins =
    std::chrono::sys_days{std::chrono::year::min() / std::chrono::January / 1};
constexpr std::chrono::sys_seconds setting_ends =
    std::chrono::sys_days{std::chrono::year::max() / std::chrono::December / 31};

/// The sum, or the end of time where there is none.
std::chrono::seconds sum(std::chrono::seconds time, std::chrono::seconds offset) noexcept
{
    using std::chrono::seconds;
    if (offset > 0s)
        return time > seconds::max() - offset ? seconds::max() : time + offset;
    return time < seconds::min() - offset ? seconds::min() : time + offset;
}

}  // namespace

time_zone time_zone::find(std::string_view name)
{
    time_zone found;
    if (name == "UTC" || name == "Etc/UTC")
        return found;
    found.entry_ = zones::find(name);
    if (found.entry_ == nullptr)
        throw std::invalid_argument(zones::are_known
                ? fmt::format("there is no time zone '{}' in the database of the system", printable(name))
                : fmt::format("there is no time zone '{}': costar was built without zones (-Dzones), "
                              "and knows UTC alone",
                      printable(name)));
    return found;
}

bool time_zone::has_database() noexcept
{
    return zones::are_known;
}

std::string_view time_zone::name() const noexcept
{
    return entry_ == nullptr ? std::string_view("UTC") : zones::name_of(entry_);
}

time_zone::period time_zone::period_at(std::chrono::sys_seconds moment) const
{
    if (entry_ == nullptr)
        return {std::chrono::sys_seconds::min(), std::chrono::sys_seconds::max(), 0s};
    period found = zones::period_of(entry_, std::clamp(moment, setting_begins, setting_ends));
    if (found.begin <= setting_begins)
        found.begin = std::chrono::sys_seconds::min();
    if (found.end > setting_ends)
        found.end = std::chrono::sys_seconds::max();
    return found;
}

std::chrono::local_seconds time_zone::to_local(std::chrono::sys_seconds moment) const
{
    return std::chrono::local_seconds(sum(moment.time_since_epoch(), period_at(moment).offset));
}

std::chrono::sys_seconds time_zone::to_sys(std::chrono::local_seconds shown) const
{
    const std::chrono::sys_seconds as_utc(shown.time_since_epoch());
    if (entry_ == nullptr)
        return as_utc;
    // No clock is off by more than a day, so this begins before the moment that is sought. The first period
    // that is not over when its clocks show it, is the one: it shows it, or begins behind the gap.
    for (period at = period_at(std::chrono::sys_seconds(sum(as_utc.time_since_epoch(), -48h)));;
        at = period_at(at.end)) {
        const std::chrono::sys_seconds moment(sum(as_utc.time_since_epoch(), -at.offset));
        if (moment < at.end || at.end == std::chrono::sys_seconds::max())
            return std::max(moment, at.begin);
    }
}

}  // namespace costar
