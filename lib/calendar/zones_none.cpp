// SPDX-License-Identifier: MIT

#include "zones.hpp"

namespace costar::zones {

const bool are_known = false;

const void* find(std::string_view)
{
    return nullptr;
}

std::string_view name_of(const void*) noexcept
{
    return {};
}

time_zone::period period_of(const void*, std::chrono::sys_seconds)
{
    return {};
}

}  // namespace costar::zones
