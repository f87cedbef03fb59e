// SPDX-License-Identifier: MIT

// What the demos include, compiled once. Each includes what it needs all the same.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/io_context.hpp>

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>
