// SPDX-License-Identifier: MIT

#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace costar::remote {

struct host_and_port {
    std::string host;
    std::uint16_t port = 0;
};

/// Reads "example.org:4711", "127.0.0.1:4711", "[::1]:4711".
///
/// Errors: throws `std::invalid_argument`, which says what is wanted.
host_and_port parse_address(std::string_view text);

/// What somebody else says is an address: it, or nothing where it is none.
std::string address_or_none(std::string_view text) noexcept;

/// As `parse_address` reads it.
std::string text_of(const boost::asio::ip::tcp::endpoint& where);

}  // namespace costar::remote
