// SPDX-License-Identifier: MIT

#pragma once

#include "connection.hpp"
#include "payload.hpp"
#include "teller.hpp"

#include <costar/core/task.hpp>

#include <cstddef>

namespace service {

/// Goes on as a WebSocket, where an HTTP connection asked for one: pushes {"balance": 100}, then every
/// change. `surplus` bytes have come behind the request, where nothing may be yet.
///
/// Errors: throws `boost::system::system_error` when the client is gone.
costar::task<> watch_session(
    costar::context& self, socket client, request asked, std::size_t surplus, teller& bank);

}  // namespace service
