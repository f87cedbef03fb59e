// SPDX-License-Identifier: MIT

#include "address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace costar::remote {

namespace {

/// A host is looked up and stands in lines of the log: nothing in it ends either.
bool is_of_a_host(char c) noexcept
{
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
}

}  // namespace

host_and_port parse_address(std::string_view text)
{
    if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
        std::string_view host = text.substr(0, colon);
        const std::string_view digits = text.substr(colon + 1);
        const char* const end = digits.data() + digits.size();
        std::uint16_t port = 0;
        const auto [read_to, failure] = std::from_chars(digits.data(), end, port);
        const bool has_brackets = host.starts_with('[') && host.ends_with(']');
        if (has_brackets)
            host = host.substr(1, host.size() - 2);
        if (failure == std::errc() && read_to == end && !host.empty() &&
            std::all_of(host.begin(), host.end(), is_of_a_host) &&
            (has_brackets || host.find(':') == std::string_view::npos))
            return {std::string(host), port};
    }
    throw std::invalid_argument(fmt::format(
        "\"{}\" is no address of a node: write host:port, as in 127.0.0.1:4711 or [::1]:4711", text));
}

std::string address_or_none(std::string_view text) noexcept
{
    constexpr std::size_t longest = 255;
    try {
        if (!text.empty() && text.size() <= longest && parse_address(text).port != 0)
            return std::string(text);
    } catch (const std::exception&) {
        // It is none.
    }
    return {};
}

std::string text_of(const boost::asio::ip::tcp::endpoint& where)
{
    return fmt::format(fmt::runtime(where.address().is_v6() ? "[{}]:{}" : "{}:{}"),
        where.address().to_string(), where.port());
}

}  // namespace costar::remote
