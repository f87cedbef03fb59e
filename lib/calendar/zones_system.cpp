// SPDX-License-Identifier: MIT

#include "zones.hpp"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace costar::zones {

namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

/// The zones that were asked for. They stay where they are to the end of the process, and are not taken down
/// there: a thread may still look at its clock.
struct atlas {
    using map = std::map<std::string, absl::TimeZone, std::less<>>;

    std::mutex mutex;
    map zones;
};

atlas& all_zones()
{
    static auto* const all = new atlas;
    return *all;
}

const atlas::map::value_type& entry_of(const void* entry) noexcept
{
    return *static_cast<const atlas::map::value_type*>(entry);
}

/// Names are looked for below the folder of the database and nowhere else; with a colon they mean something
/// of Abseil's own.
bool is_name(std::string_view name) noexcept
{
    return !name.empty() && name.front() != '/' && name.find(':') == std::string_view::npos &&
        name.find("..") == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

/// A civil time, as seconds since the first of January 1970 by the same clock.
seconds shown_at(absl::CivilSecond time) noexcept
{
    return seconds(time - absl::CivilSecond(1970));
}

absl::Time time_of(sys_seconds moment) noexcept
{
    return absl::FromUnixSeconds(moment.time_since_epoch().count());
}

/// The transitions of a zone by its rule are computed for four hundred years behind the last that its file
/// lists. The calendar repeats itself in that time, to the day of the week, so what comes later is looked up
/// that many years earlier.
constexpr seconds cycle = std::chrono::days(146'097);
constexpr sys_seconds rules_go_on = std::chrono::sys_days{std::chrono::year(2200) / 1 / 1};

/// How much earlier to look so that the next transition is known; 0 where nothing is set any more.
seconds cycles_back(const absl::TimeZone& zone, sys_seconds moment)
{
    absl::TimeZone::CivilTransition change;
    if (zone.NextTransition(time_of(moment), &change) ||
        !zone.PrevTransition(absl::InfiniteFuture(), &change))
        return seconds(0);
    const sys_seconds last(shown_at(change.to));  // to a day
    return last < rules_go_on ? seconds(0) : ((moment - last) / cycle + 1) * cycle;
}

}  // namespace

const bool are_known = true;

const void* find(std::string_view name)
{
    if (!is_name(name))
        return nullptr;
    atlas& all = all_zones();
    const std::lock_guard lock(all.mutex);
    if (const auto known = all.zones.find(name); known != all.zones.end())
        return &*known;
    absl::TimeZone zone;
    if (!absl::LoadTimeZone(std::string(name), &zone))
        return nullptr;
    return &*all.zones.emplace(name, zone).first;
}

std::string_view name_of(const void* entry) noexcept
{
    return entry_of(entry).first;
}

time_zone::period period_of(const void* entry, sys_seconds moment)
{
    const absl::TimeZone& zone = entry_of(entry).second;
    const seconds back = cycles_back(zone, moment);
    const seconds offset(zone.At(time_of(moment - back)).offset);
    const auto moment_of = [&](absl::CivilSecond shown) {
        return sys_seconds(shown_at(shown) - offset + back);
    };
    time_zone::period found{sys_seconds::min(), sys_seconds::max(), offset};
    // A change of the zone's name sets no clock.
    absl::TimeZone::CivilTransition change;
    for (absl::Time at = time_of(moment - back); zone.NextTransition(at, &change);) {
        found.end = moment_of(change.from);
        if (change.from != change.to)
            break;
        at = time_of(found.end - back);
        found.end = sys_seconds::max();
    }
    for (absl::Time at = time_of(moment - back) + absl::Seconds(1); zone.PrevTransition(at, &change);) {
        found.begin = moment_of(change.to);
        if (change.from != change.to)
            break;
        at = time_of(found.begin - back);
        found.begin = sys_seconds::min();
    }
    return found;
}

}  // namespace costar::zones
