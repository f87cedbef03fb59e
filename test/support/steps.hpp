// SPDX-License-Identifier: MIT

#pragma once

#include <cstdint>

namespace support {

/// How many branches the sources that are compiled with `-fsanitize-coverage=trace-pc` have taken so far: a
/// measure of work that is the same on every machine and needs nothing in the sources. What the standard and
/// C libraries do out of line, as moving bytes, is not in it.
std::uint64_t steps() noexcept;

}  // namespace support
