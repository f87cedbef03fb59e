// SPDX-License-Identifier: MIT

#pragma once

#include "connection.hpp"
#include "teller.hpp"

#include <costar/core/task.hpp>

#include <utility>

namespace service {

/// A connection that nobody has taken care of. Where nobody does, because it is too late or there are too
/// many, it is refused at its end, without waiting for anything.
class newcomer {
public:
    explicit newcomer(socket client) noexcept : client_(std::move(client)) {}
    newcomer(newcomer&&) noexcept = default;
    newcomer& operator=(newcomer&&) = delete;
    ~newcomer();

    socket take() noexcept { return std::move(client_); }

private:
    socket client_;
};

/// An actor that answers the requests of one connection, one after another, until either side has had enough.
///
/// A stop ends it at once while it waits for a request and none has arrived. One that lies in the socket, or
/// whose first byte has been read, is answered first.
costar::task<> http_session(costar::context& self, newcomer client, teller* bank);

/// An actor that refuses a connection because there are too many, and waits until the client has heard it.
costar::task<> turn_away(costar::context& self, newcomer client, teller* bank);

}  // namespace service
