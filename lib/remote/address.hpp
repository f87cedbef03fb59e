// SPDX-License-Identifier: MIT

#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace costar::remote {

struct host_and_port {
    std::string host;
    std::uint16_t port = 0;
};

/// Reads "example.org:4711", "127.0.0.1:4711", "[::1]:4711". What begins as the address of a Unix socket is
/// none of a host called "unix".
///
/// Errors: throws `std::invalid_argument`, which says what is wanted.
host_and_port parse_address(std::string_view text);

/// Does it name a Unix socket, as "unix:/run/x.sock"?
bool is_unix_address(std::string_view text) noexcept;

/// The path of a Unix socket in such a text.
///
/// Errors: throws `std::invalid_argument`, which says what is wanted.
std::string unix_path(std::string_view text);

/// Errors: throws `std::invalid_argument` for what is neither of them.
void check_address(std::string_view text);

/// What somebody else says is an address: it, or nothing where it is none.
std::string address_or_none(std::string_view text) noexcept;

/// Does a name stand for its node in a text, as "node/name"? Nothing else is read from it.
bool is_name_for_texts(std::string_view name) noexcept;

/// Splits "host:port/name" or "unix:/run/x.sock:/name" into address and name.
///
/// Errors: throws `std::invalid_argument`, which says what is wanted.
std::pair<std::string, std::string> address_and_name(std::string_view text);

/// As `parse_address` reads it.
std::string text_of(const boost::asio::ip::tcp::endpoint& where);

}  // namespace costar::remote
