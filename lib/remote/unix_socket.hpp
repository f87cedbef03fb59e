// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/transport.hpp>

#include <memory>
#include <string>

namespace costar::remote {

/// Accepts at "unix:/run/x.sock". A file that a dead process has left is replaced.
///
/// Errors: throws `std::invalid_argument` for another text, `boost::system::system_error` where somebody
/// listens there, or the file is no socket.
std::unique_ptr<acceptor> listen_at_unix_socket(const std::string& address, asio::any_io_executor strand);

/// A connection to such an address, for the strand that calls.
task<std::unique_ptr<new_connection>> dial_unix_socket(std::string address);

}  // namespace costar::remote
