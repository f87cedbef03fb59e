// SPDX-License-Identifier: MIT

#pragma once

#include "address.hpp"

#include <costar/core/task.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>

namespace costar::remote {

/// Where to listen. Errors: throws `std::invalid_argument` for what is no address,
/// `boost::system::system_error` for a host that is not known.
boost::asio::ip::tcp::endpoint endpoint_to_listen_at(
    const std::string& address, const boost::asio::any_io_executor& strand);

/// A connection for the strand that calls.
task<boost::asio::ip::tcp::socket> connect_tcp(host_and_port where);

/// Has the system ask a silent peer whether it is there, and end the connection where nothing has come for
/// this long, in seconds, two at least. A system that cannot goes without.
void keep_alive(boost::asio::ip::tcp::socket& socket, std::chrono::nanoseconds silence_max) noexcept;

/// The text of the other end, for the log.
std::string peer_of(const boost::asio::ip::tcp::socket& socket);

}  // namespace costar::remote
