// SPDX-License-Identifier: MIT

#pragma once

#include "connection.hpp"
#include "teller.hpp"

#include <costar/core/task.hpp>

namespace service {

/// An actor that answers the requests of one connection, one after another, until either side has had enough.
///
/// A stop ends it at once while it waits for a request. A request whose first byte has arrived is answered
/// first.
costar::task<> http_session(costar::context& self, socket client, teller* bank);

}  // namespace service
