// SPDX-License-Identifier: MIT

// What nearly all tests include, compiled once. They include it themselves all the same.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/use_task.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>
