// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/post/pid.hpp>

#include <string>

namespace costar {
class context;
}

namespace chat {

/// An actor that takes part in a room of another node: it prints what is said there, and says what it reads
/// from the standard input, line by line. `/who` shows who is there; `/leave` or the end of the input ends
/// it. `exit_code`, which outlives it, becomes 0 where all went well.
///
/// A terminal that takes no lines stops its process, and the room lets it go like one that has ended.
costar::task<> terminal(costar::context& self, costar::pid room, std::string nick, int* exit_code);

}  // namespace chat
