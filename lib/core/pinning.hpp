// SPDX-License-Identifier: MIT

#pragma once

#include <cstddef>

namespace costar::machine {

/// Binds the calling thread to the n-th of the cores that the process was given. Where it cannot be done the
/// log says so.
void pin_this_thread(std::size_t n);

}  // namespace costar::machine
