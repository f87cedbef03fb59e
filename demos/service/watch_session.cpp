// SPDX-License-Identifier: MIT

#include "watch_session.hpp"

#include "routes.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <fmt/format.h>

#include <optional>
#include <string>
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

/// Watches an account as long as it lives.
class watching {
public:
    watching(costar::context& self, costar::address<account> watched) : self_(self), watched_(watched)
    {
        self_.send(watched_, watch{});
    }
    watching(const watching&) = delete;
    ~watching() { self_.send(watched_, unwatch{}); }

private:
    costar::context& self_;
    costar::address<account> watched_;
};

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

costar::task<> cut_after(stream& client, std::chrono::milliseconds patience)
{
    co_await costar::sleep_for(patience);
    boost::system::error_code ignored;
    client.next_layer().close(ignored);
}

/// Says goodbye; a client that does not answer is cut. It is the socket that is closed then: a close that
/// waits for the reading to end does not hear of a cancellation.
costar::task<> close(stream& client, websocket::close_code reason)
{
    co_await costar::when_any(client.async_close(reason, asio::as_tuple(use_task)), cut_after(client, 1s));
}

/// Pushes the balances that arrive as messages, until it is time to stop or the client has gone.
costar::task<websocket::close_code> push_changes(costar::context& self, stream& client, const options& limits)
{
    try {
        while (self.mailbox_size() <= waiting_max) {
            auto message = co_await self.receive();
            if (!message)
                co_return websocket::close_code::going_away;
            std::string text;
            message.match([&](const balance_changed& changed) {
                text = fmt::format(R"({{"balance":{}}})", changed.balance);
            });
            co_await costar::shield(
                with_timeout(limits.answer_limit, client.async_write(asio::buffer(text), use_task)));
        }
        co_return websocket::close_code::try_again_later;
    } catch (const boost::system::system_error&) {
        co_return websocket::close_code::going_away;
    }
}

costar::task<> push_and_close(costar::context& self, stream& client, const options& limits)
{
    const websocket::close_code reason = co_await push_changes(self, client, limits);
    co_await costar::shield(close(client, reason));
}

}  // namespace

costar::task<> watch_session(costar::context& self, socket client, request asked, teller& bank)
{
    const options& limits = bank.options();
    std::optional<costar::address<account>> watched;
    response refused;
    try {
        watched = find_watched(bank, asked);
    } catch (const refusal& reason) {
        refused = answer_refused(reason.status(), reason.what());
    }
    bank.counts().requests.add(1);
    if (!watched) {
        bank.counts().refused.add(1);
        refused.prepare_payload();
        refused.keep_alive(false);
        co_await with_timeout(limits.answer_limit, http::async_write(client, refused, use_task));
        co_return;
    }

    stream upgraded(std::move(client));
    upgraded.set_option(websocket::stream_base::timeout{.handshake_timeout = limits.answer_limit,
        .idle_timeout = limits.idle_limit,
        .keep_alive_pings = true});
    upgraded.read_message_max(options::body_bytes_max);
    co_await upgraded.async_accept(asked, use_task);

    // The reading ends when the connection does, and whoever pushes sees to that: so it is not cancelled by
    // itself.
    const watching as_long_as_this_lives(self, *watched);
    co_await costar::when_any(
        costar::shield(read_until_closed(upgraded)), push_and_close(self, upgraded, limits));
}

}  // namespace service
