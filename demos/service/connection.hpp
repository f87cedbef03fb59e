// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace service {

/// Sockets that know their executor's type: nothing is erased on the way from the reactor to the actor.
using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, costar::strand>;
using acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, costar::strand>;

}  // namespace service
