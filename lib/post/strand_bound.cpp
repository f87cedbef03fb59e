// SPDX-License-Identifier: MIT

#include <costar/post/strand_bound.hpp>

#include <costar/core/strand.hpp>

#include <stdexcept>

namespace costar::machine {

const strand_context* current_strand() noexcept
{
    return strand_context::current();
}

void refuse_to_leave_strand()
{
    throw std::logic_error(
        "a message, a future, a sink, or a stream that is being read belongs to its strand: "
        "it cannot be given to an actor of another one");
}

}  // namespace costar::machine
