// SPDX-License-Identifier: MIT

#pragma once

#include <string>
#include <string_view>

namespace costar {

/// What was written, as a text of an error may show it: UTF-8 on one line, whatever it was. Control
/// characters and bytes that are no UTF-8 are written as escapes; of a long text the beginning is shown.
std::string printable(std::string_view written);

}  // namespace costar
