// SPDX-License-Identifier: MIT

#pragma once

#include <string_view>

namespace chat {

/// Is it UTF-8 without control characters, which would steer somebody's terminal?
bool is_plain(std::string_view text) noexcept;

}  // namespace chat
