// SPDX-License-Identifier: MIT

#pragma once

#include <costar/calendar/time_zone.hpp>

#include <chrono>
#include <string_view>

namespace costar::zones {

// The time zone database: zones_system.cpp reads that of the system, zones_none.cpp stands in for it.

extern const bool are_known;

/// Null when there is no such zone.
const void* find(std::string_view name);

std::string_view name_of(const void* entry) noexcept;
time_zone::period period_of(const void* entry, std::chrono::sys_seconds moment);

}  // namespace costar::zones
