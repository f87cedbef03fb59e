// SPDX-License-Identifier: MIT

#include <costar/ground/requirements.hpp>

namespace costar::library_built_with {

const char COSTAR_CORE_BOOST = 0;
const char COSTAR_CORE_SANITIZER = 0;
const char COSTAR_CORE_CONTAINERS = 0;
const char COSTAR_CORE_REACTOR = 0;
const char COSTAR_CORE_TRACKING = 0;
const char COSTAR_CORE_THREADS = 0;

}  // namespace costar::library_built_with
