// SPDX-License-Identifier: MIT

#include <costar/calendar/time_zone.hpp>

#include "printable.hpp"
#include "zones.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace costar {

using namespace std::chrono_literals;

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
    return zones::period_of(entry_, moment);
}

std::chrono::sys_seconds time_zone::to_sys(std::chrono::local_seconds shown) const
{
    const std::chrono::sys_seconds as_utc(shown.time_since_epoch());
    if (entry_ == nullptr)
        return as_utc;
    // No clock is off by more than a day, so this begins before the moment that is sought. The first period
    // that is not over when its clocks show it, is the one: it shows it, or begins behind the gap.
    for (period at = period_at(as_utc - 48h);; at = period_at(at.end)) {
        const std::chrono::sys_seconds moment = as_utc - at.offset;
        if (moment < at.end)
            return std::max(moment, at.begin);
    }
}

}  // namespace costar
