// SPDX-License-Identifier: MIT

#include "address.hpp"

#include <costar/ground/control_characters.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace costar::remote {

namespace {

/// A host is looked up and stands in lines of the log and before the name of an actor: nothing in it ends
/// them.
bool is_of_a_host(char c) noexcept
{
    return !machine::is_control(c) && c != ' ' && c != '/';
}

constexpr std::string_view unix_scheme = "unix:";

/// What stands between the path of a socket and the name of an actor, and in no path.
constexpr std::string_view before_name = ":/";

/// As many as fit into the address of a socket.
constexpr std::size_t longest_path = 107;

}  // namespace

host_and_port parse_address(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos && !is_unix_address(text)) {
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

bool is_unix_address(std::string_view text) noexcept
{
    return text.starts_with(unix_scheme);
}

std::string unix_path(std::string_view text)
{
    if (is_unix_address(text)) {
        const std::string_view path = text.substr(unix_scheme.size());
        if (path.size() > 1 && path.size() <= longest_path && path.starts_with('/') && !path.ends_with('/') &&
            path.find(before_name) == std::string_view::npos &&
            std::ranges::none_of(path, machine::is_control))
            return std::string(path);
    }
    throw std::invalid_argument(
        fmt::format("\"{}\" is no Unix socket of a node: write unix: and a path from the root of at most {} "
                    "bytes, as in unix:/run/x.sock",
            text, longest_path));
}

void check_address(std::string_view text)
{
    if (is_unix_address(text))
        unix_path(text);
    else
        parse_address(text);
}

std::string address_or_none(std::string_view text) noexcept
{
    constexpr std::size_t longest = 255;
    try {
        if (is_unix_address(text))
            return unix_scheme.data() + unix_path(text);
        if (!text.empty() && text.size() <= longest && parse_address(text).port != 0)
            return std::string(text);
    } catch (const std::exception&) {
        // It is none.
    }
    return {};
}

bool is_name_for_texts(std::string_view name) noexcept
{
    return !name.empty() && name.find('/') == std::string_view::npos && !is_unix_address(name) &&
        address_or_none(name).empty();
}

std::pair<std::string, std::string> address_and_name(std::string_view text)
{
    const bool is_unix = is_unix_address(text);
    const std::string_view between = is_unix ? before_name : "/";
    const std::size_t at = is_unix ? text.find(between, unix_scheme.size() + 1) : text.rfind(between);
    if (at == std::string_view::npos || at + between.size() == text.size())
        throw std::invalid_argument(fmt::format(
            "\"{}\" names no actor of a node: write host:port/name or unix:/run/x.sock:/name", text));
    const std::string_view address = text.substr(0, at);
    check_address(address);
    return {std::string(address), std::string(text.substr(at + between.size()))};
}

std::string text_of(const boost::asio::ip::tcp::endpoint& where)
{
    return fmt::format(fmt::runtime(where.address().is_v6() ? "[{}]:{}" : "{}:{}"),
        where.address().to_string(), where.port());
}

}  // namespace costar::remote
