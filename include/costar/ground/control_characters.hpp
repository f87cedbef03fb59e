// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <algorithm>
#include <string>

namespace costar::machine {

/// Is it one of ASCII's control characters, which end a line or steer a terminal?
constexpr bool is_control(char c) noexcept
{
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

/// The text as one line: control characters in it become spaces. UTF-8 stays what it is.
inline std::string one_line(std::string text)
{
    std::ranges::replace_if(text, is_control, ' ');
    return text;
}

}  // namespace costar::machine
