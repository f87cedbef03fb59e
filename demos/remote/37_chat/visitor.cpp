// SPDX-License-Identifier: MIT

#include "visitor.hpp"

#include "news.hpp"
#include "page.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "chat.costar.hpp"  // made of ../chat.capnp by capnpc-costar

namespace chat {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using costar::as_result;
using costar::pid;
using costar::use_task;
using costar::with_timeout;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t header_bytes_max = 8 * 1024;
constexpr std::size_t frame_bytes_max = 8 * 1024;  // a text of 1000 bytes, written as JSON in whatever way
constexpr std::size_t waiting_max = 64;            // news for one who reads slowly
constexpr auto request_limit = 10s;
constexpr auto write_limit = 10s;
constexpr auto join_limit = 1min;

/// A WebSocket, and what is on its way to it.
struct connection {
    explicit connection(tcp::socket socket) : client(std::move(socket)) {}

    void cut() noexcept
    {
        boost::system::error_code ignored;
        client.next_layer().close(ignored);
    }

    websocket::stream<tcp::socket> client;
    std::deque<std::string> waiting;
    bool is_writing = false;
    bool is_in = false;
    std::optional<std::string>
        farewell{};  ///< what the room is told at the end; nothing for one that vanishes
};

constexpr const char* slow = "reads too slowly";

using connected = std::shared_ptr<connection>;

// What goes out
// -----------------------------------------------------------------------------------------------------------

costar::task<> write_waiting(connected open)
{
    while (!open->waiting.empty()) {
        const std::string text = std::move(open->waiting.front());
        open->waiting.pop_front();
        const auto written = co_await as_result(costar::shield(
            with_timeout(write_limit, open->client.async_write(asio::buffer(text), use_task))));
        if (!written) {
            if (written.error() == costar::errc::timed_out)
                open->farewell = slow;
            open->cut();  // which ends the reading, and so all of it
            open->waiting.clear();
        }
    }
    open->is_writing = false;
}

/// False when too much waits already.
bool tell(costar::context& self, const connected& open, std::string text)
{
    if (open->waiting.size() >= waiting_max)
        return false;
    open->waiting.push_back(std::move(text));
    if (!std::exchange(open->is_writing, true))
        self.spawn_task(write_waiting(open));
    return true;
}

costar::task<> cut_after(connection& open, std::chrono::milliseconds patience)
{
    co_await costar::sleep_for(patience);
    open.cut();
}

/// Says why it ends; a browser that does not answer is cut. It is the socket that is closed then: a close
/// that waits for the reading to end does not hear of a cancellation.
costar::task<> close(connected open, websocket::close_reason why)
{
    co_await costar::when_any(open->client.async_close(why, asio::as_tuple(use_task)), cut_after(*open, 1s));
}

// What comes in
// -----------------------------------------------------------------------------------------------------------

/// Does what a frame wishes; gives what the browser is told.
costar::task<std::string> answer_to(costar::context& self, pid room, connected open, wish wanted)
{
    if (wanted.what == wish::kind::join) {
        const auto admitted = co_await as_result(self.ask(room, join{std::move(wanted.text)}));
        if (!admitted)
            co_return notice(admitted.error().message());
        open->is_in = open->is_in || admitted->refusal.empty();
        co_return json_of(*admitted);
    }
    if (wanted.what == wish::kind::who) {
        const auto there = co_await as_result(self.ask(room, who{}));
        co_return there ? json_of(*there) : notice(there.error().message());
    }
    if (wanted.what == wish::kind::say) {
        const auto told = co_await as_result(self.ask(room, say{std::move(wanted.text)}));
        if (!told || !told->empty())
            co_return notice("Nobody has heard that: " + (told ? *told : told.error().message()));
        co_return std::string();
    }
    co_return notice("That is not understood");
}

/// Reads wishes until one of both closes the connection. The next is read when the room has answered the last
/// one, so nobody can flood it.
costar::task<> read_wishes(costar::context& self, pid room, connected open)
{
    beast::flat_buffer frame;
    for (;;) {
        const auto [failure, bytes] = co_await open->client.async_read(frame, asio::as_tuple(use_task));
        if (failure)
            co_return;
        wish wanted = read_wish(beast::buffers_to_string(frame.data()));
        frame.consume(bytes);
        std::string answer = co_await answer_to(self, room, open, std::move(wanted));
        if (!answer.empty() && !tell(self, open, std::move(answer))) {
            open->farewell = slow;
            open->cut();
            co_return;
        }
    }
}

// The actor
// -----------------------------------------------------------------------------------------------------------

/// Hands on what the room tells, until it is time to end; gives why.
costar::task<websocket::close_reason> hand_on(costar::context& self, pid room, connected open)
{
    using websocket::close_code;
    try {
        for (;;) {
            costar::message news = co_await self.receive(join_limit);
            if (news.timed_out()) {
                if (!open->is_in)
                    co_return {close_code::policy_error, "you have not joined in time"};
                continue;
            }
            if (!news)
                co_return {close_code::going_away, "the server ends"};
            if (news.match([](const costar::terminated&) {}))
                co_return {close_code::going_away, "the room is closed"};
            if (tell(self, open, json_of(news)))
                continue;
            co_await as_result(self.ask(room, leave{slow}));  // before more is told
            co_return {close_code::policy_error, "you read too slowly"};
        }
    } catch (const boost::system::system_error&) {  // the browser has gone, or it is time to end
        co_return {close_code::going_away, "the server ends"};
    }
}

costar::task<> hand_on_and_close(costar::context& self, pid room, connected open)
{
    const websocket::close_reason why = co_await hand_on(self, room, open);
    open->waiting.clear();
    co_await costar::shield(close(open, why));
}

costar::task<> answer(tcp::socket& client, http::status status)
{
    http::response<http::string_body> answered(status, 11);
    if (status == http::status::ok) {
        answered.set(http::field::content_type, "text/html; charset=utf-8");
        answered.set("Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        answered.body() = page;
    } else {
        answered.set(http::field::content_type, "text/plain; charset=utf-8");
        answered.body() = std::string(http::obsolete_reason(status)) + "\n";
    }
    if (status == http::status::method_not_allowed)
        answered.set(http::field::allow, "GET");
    answered.set("X-Content-Type-Options", "nosniff");
    answered.set(http::field::cache_control, "no-store");
    answered.set(http::field::connection, "close");
    answered.prepare_payload();
    co_await as_result(with_timeout(write_limit, http::async_write(client, answered, use_task)));
    boost::system::error_code ignored;
    client.shutdown(tcp::socket::shutdown_send, ignored);
}

/// A page of another site must not talk in its visitors' names.
bool is_of_this_site(const http::request<http::empty_body>& asked)
{
    if (asked.count(http::field::origin) == 0)
        return true;  // no browser
    const std::string_view origin(asked[http::field::origin]);
    const std::string_view host(asked[http::field::host]);
    const std::size_t slashes = origin.find("://");
    return slashes != std::string_view::npos && origin.substr(slashes + 3) == host;
}

http::status status_of(const http::request<http::empty_body>& asked, bool is_welcome)
{
    if (!is_welcome)
        return http::status::service_unavailable;
    if (asked.method() != http::verb::get)
        return http::status::method_not_allowed;
    if (asked.target() == "/")
        return http::status::ok;
    if (asked.target() != "/chat")
        return http::status::not_found;
    if (!websocket::is_upgrade(asked))
        return http::status::upgrade_required;
    return is_of_this_site(asked) ? http::status::switching_protocols : http::status::forbidden;
}

}  // namespace

costar::task<> visitor(costar::context& self, tcp::socket client, pid room, bool is_welcome)
{
    beast::flat_buffer buffer(header_bytes_max);
    http::request_parser<http::empty_body> parser;
    parser.header_limit(header_bytes_max);
    const auto bytes =
        co_await as_result(with_timeout(request_limit, http::async_read(client, buffer, parser, use_task)));
    if (!bytes)
        co_return;
    const http::request<http::empty_body> asked = parser.release();
    const http::status status = status_of(asked, is_welcome);
    if (status != http::status::switching_protocols)
        co_return co_await answer(client, status);

    const auto open = std::make_shared<connection>(std::move(client));
    open->client.set_option(websocket::stream_base::timeout{
        .handshake_timeout = request_limit, .idle_timeout = 30s, .keep_alive_pings = true});
    open->client.read_message_max(frame_bytes_max);
    open->client.control_callback([where = open.get()](websocket::frame_type kind, beast::string_view) {
        if (kind == websocket::frame_type::close && !where->farewell)
            where->farewell.emplace();
    });
    const auto [failure] = co_await open->client.async_accept(asked, asio::as_tuple(use_task));
    if (failure)
        co_return;
    self.watch(room);

    // The reading ends when the connection does, and whoever hands on sees to that: so it is not cancelled by
    // itself.
    co_await costar::when_any(
        costar::shield(read_wishes(self, room, open)), hand_on_and_close(self, room, open));
    open->cut();
    if (open->farewell && !self.stopping())  // asked, since news of an end overtake what was just sent
        co_await as_result(self.ask(room, leave{*open->farewell}));
}

}  // namespace chat
