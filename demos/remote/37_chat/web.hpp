// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/post/pid.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <string>

namespace costar {
class context;
}

namespace chat {

/// Opens "host:port", the host being an IP address. Errors: throws `boost::system::system_error`, and
/// `std::invalid_argument` for what is no address.
boost::asio::ip::tcp::acceptor open_web(
    const boost::asio::any_io_executor& strand, const std::string& address);

/// What is typed into a browser.
std::string url_of(const boost::asio::ip::tcp::acceptor& open);

/// An actor that accepts browsers and spawns a visitor for each: `visitors_max` at a time, some more are told
/// that it is full, and those beyond are hung up on. The visitors end before it does.
costar::task<> web(
    costar::context& self, boost::asio::ip::tcp::acceptor open, costar::pid room, std::size_t visitors_max);

}  // namespace chat
