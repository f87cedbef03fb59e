// SPDX-License-Identifier: MIT

#include "date_line.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <string_view>

namespace service {

void date_line::write(std::chrono::nanoseconds now)
{
    using std::chrono::system_clock;
    constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    const auto date = system_clock::now();
    const auto second = std::chrono::floor<std::chrono::seconds>(date);
    const std::tm utc = fmt::gmtime(system_clock::to_time_t(second));
    text_ = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", days[static_cast<std::size_t>(utc.tm_wday)],
        utc.tm_mday, months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
        utc.tm_min, utc.tm_sec);
    good_until_ = now + (second + std::chrono::seconds(1) - date);
}

}  // namespace service
