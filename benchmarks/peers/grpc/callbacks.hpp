// SPDX-License-Identifier: MIT

#pragma once

#include "harness.hpp"
#include "second_process.hpp"

#include <grpcpp/channel.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace bench {

/// The second process with callbacks in place of a completion queue: they run on threads of gRPC.
void serve_with_callbacks(const second_process::door& door);

/// Asks so often, with so many outstanding, and says how many answers were right. `took` may be null, and is
/// for one outstanding.
std::uint64_t ask_with_callbacks(const std::shared_ptr<grpc::Channel>& over, std::uint64_t count,
    std::size_t outstanding, latencies* took);

}  // namespace bench
