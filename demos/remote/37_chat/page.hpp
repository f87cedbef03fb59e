// SPDX-License-Identifier: MIT

#pragma once

#include <string_view>

namespace chat {

/// What page.html holds.
extern const std::string_view page;

}  // namespace chat
