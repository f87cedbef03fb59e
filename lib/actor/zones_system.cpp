// SPDX-License-Identifier: MIT

#include "zones.hpp"

#include <date/tz.h>

#include <stdexcept>

namespace costar::zones {

const bool are_known = true;

const void* find(std::string_view name)
{
    try {
        return date::locate_zone(name);
    } catch (const std::runtime_error&) {
        return nullptr;
    }
}

std::string_view name_of(const void* entry) noexcept
{
    return static_cast<const date::time_zone*>(entry)->name();
}

time_zone::period period_of(const void* entry, std::chrono::sys_seconds moment)
{
    const date::sys_info info = static_cast<const date::time_zone*>(entry)->get_info(moment);
    return {info.begin, info.end, info.offset};
}

}  // namespace costar::zones
