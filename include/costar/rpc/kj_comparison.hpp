// SPDX-License-Identifier: MIT

#pragma once

// Cap'n Proto 0.9 compares `const char*` with `kj::StringPtr` by a member whose reversed form C++20 takes
// away, and Clang refuses its headers then. This needs nothing of costar, not even its requirements, so that
// what is built without them can include it.

#include <capnp/common.h>
#include <kj/string.h>

#if CAPNP_VERSION < 9002
#error "costar needs Cap'n Proto 0.9.2 or newer. On Debian it is in libcapnp-dev."
#endif

#if CAPNP_VERSION < 1000000 && defined(__clang__)

namespace kj {

inline bool operator==(const char* left, const StringPtr& right)
{
    return right.operator==(StringPtr(left));
}
inline bool operator!=(const char* left, const StringPtr& right)
{
    return !right.operator==(StringPtr(left));
}

}  // namespace kj

#endif
