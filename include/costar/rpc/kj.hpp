// SPDX-License-Identifier: MIT

#pragma once

// What has to stand before any other header of Cap'n Proto. Those who build with the package `costar-rpc`
// include it first without a word of theirs; it is small.

#include <costar/ground/requirements.hpp>
#include <costar/rpc/kj_comparison.hpp>
