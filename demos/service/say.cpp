// SPDX-License-Identifier: MIT

#include "say.hpp"

#include <poll.h>
#include <unistd.h>

namespace service {

void say(std::string_view lines)
{
    pollfd standard_output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    // A pipe that can be written to has room for PIPE_BUF bytes; a few lines are shorter.
    if (poll(&standard_output, 1, 0) != 1 || (standard_output.revents & POLLOUT) == 0)
        return;
    [[maybe_unused]] const auto written = write(STDOUT_FILENO, lines.data(), lines.size());
}

}  // namespace service
