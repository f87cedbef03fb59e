// SPDX-License-Identifier: MIT

#include "watch_session.hpp"

#include "routes.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace service {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using namespace std::chrono_literals;
using costar::use_task;
using costar::with_timeout;

namespace {

using stream = websocket::stream<socket>;

/// A client that reads slower than the balance changes is let go when this many changes wait for it.
constexpr std::size_t waiting_max = 4096;

/// A WebSocket and what is on its way to it.
struct connection {
    stream client;
    std::deque<std::int64_t> balances{};  ///< that have to be written
    bool is_writing = false;

    void cut() noexcept
    {
        boost::system::error_code ignored;
        client.next_layer().close(ignored);
    }
};

/// Watches an account as long as it lives.
class watching {
public:
    watching(costar::context& self, costar::address<account> watched) : self_(self), watched_(watched)
    {
        self_.watch(watched_);
        self_.send(watched_, watch{});
    }
    watching(const watching&) = delete;
    ~watching() { self_.send(watched_, unwatch{}); }

private:
    costar::context& self_;
    costar::address<account> watched_;
};

/// 16 bytes in base64 are 22 characters, the last of which has four bits to spare, and two that fill up.
bool is_key(beast::string_view text) noexcept
{
    const auto is_digit = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
            c == '/';
    };
    return text.size() == 24 && std::all_of(text.begin(), text.begin() + 22, is_digit) &&
        std::string_view("AQgw").find(text[21]) != std::string_view::npos && text.ends_with("==");
}

/// Beast checks the rest. Errors: throws `refusal`.
void check_handshake(const request& asked, std::size_t surplus)
{
    if (asked.count(http::field::sec_websocket_key) != 1 || !is_key(asked[http::field::sec_websocket_key]))
        throw refusal(
            http::status::bad_request, "a Sec-WebSocket-Key is 16 bytes in base64, and there is one");
    if (asked.count(http::field::sec_websocket_version) != 1)
        throw refusal(http::status::bad_request, "there is one Sec-WebSocket-Version");
    if (asked[http::field::sec_websocket_version] != "13")
        throw refusal(http::status::upgrade_required, "version 13 of WebSocket is spoken here");
    if (surplus != 0)
        throw refusal(http::status::bad_request, "frames begin behind the answer to the upgrade");
}

/// Those of RFC 6455 up to 2999 are known to Beast; nobody gives out any from 5000 on.
bool is_in_use(websocket::close_code code) noexcept
{
    return static_cast<std::uint16_t>(code) < 5000;
}

/// A close frame is not answered with a code that it must not have.
void refuse_bad_code(connection& open, websocket::frame_type kind)
{
    if (kind != websocket::frame_type::close ||
        is_in_use(static_cast<websocket::close_code>(open.client.reason().code)))
        return;
    constexpr unsigned char protocol_error[]{0x88, 0x02, 0x03, 0xea};
    boost::system::error_code ignored;
    if (!open.is_writing) {
        open.client.next_layer().non_blocking(true, ignored);
        open.client.next_layer().write_some(asio::buffer(protocol_error), ignored);
    }
    open.cut();
}

/// Takes what the client sends, which means nothing here, until one of both closes the connection.
costar::task<> read_until_closed(stream& client)
{
    beast::flat_buffer ignored;
    boost::system::error_code failure;
    while (!failure) {
        std::size_t bytes = 0;
        std::tie(failure, bytes) = co_await client.async_read(ignored, asio::as_tuple(use_task));
        ignored.consume(bytes);
    }
}

costar::task<> cut_after(connection& open, std::chrono::milliseconds patience)
{
    co_await costar::sleep_for(patience);
    open.cut();
}

/// Says goodbye; a client that does not answer is cut. It is the socket that is closed then: a close that
/// waits for the reading to end does not hear of a cancellation.
costar::task<> close(connection& open, websocket::close_code reason)
{
    co_await costar::when_any(open.client.async_close(reason, asio::as_tuple(use_task)), cut_after(open, 1s));
}

/// Writes what has to be written, beside the receiving: a client that takes nothing is noticed all the same.
costar::task<> write_balances(
    costar::context& self, std::shared_ptr<connection> open, std::chrono::milliseconds limit)
{
    try {
        while (!open->balances.empty() && !self.stopping()) {
            const std::string text = fmt::format(R"({{"balance":{}}})", open->balances.front());
            open->balances.pop_front();
            co_await costar::shield(
                with_timeout(limit, open->client.async_write(asio::buffer(text), use_task)));
        }
    } catch (const boost::system::system_error&) {
        open->cut();  // which ends the reading, and so all of it
    }
    open->is_writing = false;
}

/// Pushes the balances that arrive as messages, until it is time to stop or the client has gone.
costar::task<websocket::close_code> push_changes(costar::context& self, costar::address<account> watched,
    std::shared_ptr<connection> open, const options& limits)
{
    const watching as_long_as_this_lives(self, watched);
    try {
        while (open->balances.size() <= waiting_max) {
            auto message = co_await self.receive();
            if (!message || message.is<costar::terminated>())
                co_return websocket::close_code::going_away;
            message.match([&](const balance_changed& changed) { open->balances.push_back(changed.balance); });
            if (!open->is_writing && open->balances.size() <= waiting_max) {
                open->is_writing = true;
                self.spawn_task(write_balances(self, open, limits.answer_limit));
            }
        }
        co_return websocket::close_code::try_again_later;
    } catch (const boost::system::system_error&) {
        co_return websocket::close_code::going_away;
    }
}

costar::task<> push_and_close(costar::context& self, costar::address<account> watched,
    std::shared_ptr<connection> open, const options& limits)
{
    const websocket::close_code reason = co_await push_changes(self, watched, open, limits);
    open->balances.clear();
    co_await costar::shield(close(*open, reason));
}

costar::task<> refuse(costar::context& self, socket& client, teller& bank, const refusal& reason)
{
    response refused = answer_refused(reason.status(), reason.what());
    if (reason.status() == http::status::upgrade_required) {
        refused.set(http::field::upgrade, "websocket");
        refused.set(http::field::connection, "upgrade");
        refused.set(http::field::sec_websocket_version, "13");
    }
    bank.counts().refused.add(1);
    const std::string text = text_of(refused, {bank.date().at(self.now()), false});
    co_await with_timeout(
        bank.options().answer_limit, asio::async_write(client, asio::buffer(text), use_task));
}

}  // namespace

costar::task<> watch_session(
    costar::context& self, socket client, request asked, std::size_t surplus, teller& bank)
{
    const options& limits = bank.options();
    std::optional<costar::address<account>> watched;
    std::optional<refusal> refused;
    try {
        watched = find_watched(bank, asked);
        check_handshake(asked, surplus);
    } catch (const refusal& reason) {
        refused = reason;
    }
    bank.counts().requests.add(1);
    if (refused)
        co_return co_await refuse(self, client, bank, *refused);

    const auto open = std::make_shared<connection>(stream(std::move(client)));
    open->client.set_option(websocket::stream_base::timeout{.handshake_timeout = limits.answer_limit,
        .idle_timeout = limits.idle_limit,
        .keep_alive_pings = true});
    open->client.set_option(websocket::stream_base::decorator([&](websocket::response_type& accepted) {
        accepted.set(http::field::date, bank.date().at(self.now()));
        accepted.erase(http::field::server);
    }));
    open->client.read_message_max(options::body_bytes_max);
    open->client.control_callback([where = open.get()](websocket::frame_type kind, beast::string_view) {
        refuse_bad_code(*where, kind);
    });
    co_await open->client.async_accept(asked, use_task);

    // The reading ends when the connection does, and whoever pushes sees to that: so it is not cancelled by
    // itself.
    co_await costar::when_any(
        costar::shield(read_until_closed(open->client)), push_and_close(self, *watched, open, limits));
}

}  // namespace service
