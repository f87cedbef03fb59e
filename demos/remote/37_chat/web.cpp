// SPDX-License-Identifier: MIT

#include "web.hpp"

#include "visitor.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace chat {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

/// So many more are told why they are turned away.
constexpr std::size_t turned_away_max = 16;

/// What the kernel keeps for a browser that reads slowly.
constexpr int send_buffer_bytes = 64 * 1024;

}  // namespace

tcp::acceptor open_web(const asio::any_io_executor& strand, const std::string& address)
{
    const std::string_view text(address);
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const bool has_port = colon != std::string_view::npos && colon + 1 < text.size();
    const auto read = std::from_chars(has_port ? text.data() + colon + 1 : end, end, port);
    if (!has_port || read.ec != std::errc{} || read.ptr != end)
        throw std::invalid_argument(address + " is no address such as 127.0.0.1:8080");
    return tcp::acceptor(strand, {asio::ip::make_address(std::string(host)), port});
}

std::string url_of(const tcp::acceptor& open)
{
    std::ostringstream text;
    text << "http://" << open.local_endpoint() << '/';
    return text.str();
}

costar::task<> web(costar::context& self, tcp::acceptor open, costar::pid room, std::size_t visitors_max)
{
    while (!self.stopping()) {
        tcp::socket client(self.get_executor());
        const auto [failure] = co_await open.async_accept(client, asio::as_tuple(costar::use_task));
        if (failure) {  // no descriptors left, or the client is gone already: others may do better
            co_await costar::sleep_for(20ms);
            continue;
        }
        boost::system::error_code ignored;
        client.set_option(tcp::no_delay(true), ignored);
        client.set_option(tcp::socket::send_buffer_size(send_buffer_bytes), ignored);
        const std::size_t others = self.children().size();
        if (others < visitors_max + turned_away_max)
            self.spawn(visitor, std::move(client), room, others < visitors_max);
    }
}

}  // namespace chat
