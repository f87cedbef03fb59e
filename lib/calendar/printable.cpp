// SPDX-License-Identifier: MIT

#include "printable.hpp"

#include <fmt/format.h>

#include <boost/locale/utf.hpp>

#include <cstddef>
#include <iterator>

namespace costar {

namespace {

constexpr std::size_t bytes_max = 512;

bool is_control(boost::locale::utf::code_point point) noexcept
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

}  // namespace

std::string printable(std::string_view written)
{
    namespace utf = boost::locale::utf;
    std::string shown;
    const char* at = written.data();
    const char* const end = at + written.size();
    while (at != end && shown.size() < bytes_max) {
        const char* next = at;
        const utf::code_point point = utf::utf_traits<char>::decode(next, end);
        const bool is_text = point != utf::illegal && point != utf::incomplete;
        if (!is_text)
            next = at + 1;
        if (is_text && !is_control(point))
            shown.append(at, next);
        else if (point == '\n')
            shown += "\\n";
        else if (point == '\r')
            shown += "\\r";
        else
            for (; at != next; ++at)
                fmt::format_to(std::back_inserter(shown), "\\x{:02x}", static_cast<unsigned char>(*at));
        at = next;
    }
    return at == end ? shown : shown + "...";
}

}  // namespace costar
