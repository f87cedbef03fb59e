// SPDX-License-Identifier: MIT

#pragma once

// What has to stand before any other header of Cap'n Proto. Those who build with the package `costar-rpc`
// include it first without a word of theirs; it is small.
//
// Cap'n Proto 0.9 compares `const char*` with `kj::StringPtr` by a member whose reversed form C++20 takes
// away, and Clang refuses its headers then.

#include <costar/ground/requirements.hpp>

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
