// SPDX-License-Identifier: MIT

#include "text.hpp"

#include <cstddef>
#include <cstdint>

namespace chat {

namespace {

/// How many bytes a character has that begins with this one; 0 for one that begins none.
std::size_t length_of(unsigned char first) noexcept
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

bool is_plain(std::uint32_t character, std::size_t length) noexcept
{
    constexpr std::uint32_t smallest[]{0, 0, 0x80, 0x800, 0x10000};
    const bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
    const bool is_surrogate = character >= 0xd800 && character < 0xe000;
    const bool is_separator = character == 0x2028 || character == 0x2029;
    const bool turns_direction =
        (character >= 0x202a && character < 0x202f) || (character >= 0x2066 && character < 0x206a);
    return character >= smallest[length] && character < 0x110000 && !is_control && !is_surrogate &&
        !is_separator && !turns_direction;
}

}  // namespace

bool is_plain(std::string_view text) noexcept
{
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text.front());
        const std::size_t length = length_of(first);
        if (length == 0 || length > text.size())
            return false;
        std::uint32_t character = length == 1 ? first : first & (0xffU >> (length + 1));
        for (const char next : text.substr(1, length - 1)) {
            if ((static_cast<unsigned char>(next) & 0xc0U) != 0x80)
                return false;
            character = character << 6 | (static_cast<unsigned char>(next) & 0x3fU);
        }
        if (!is_plain(character, length))
            return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace chat
