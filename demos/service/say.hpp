// SPDX-License-Identifier: MIT

#pragma once

#include <string_view>

namespace service {

/// Prints a few lines on the standard output if they find room there at once: whoever reads them may be slow
/// or gone, and neither ends the service nor keeps its strands waiting.
///
/// Thread safety: from any thread. Cost: a system call or two.
void say(std::string_view lines);

}  // namespace service
