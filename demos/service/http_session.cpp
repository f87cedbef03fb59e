// SPDX-License-Identifier: MIT

#include "http_session.hpp"

#include "payload.hpp"
#include "routes.hpp"
#include "watch_session.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace service {

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace std::chrono_literals;
using costar::use_task;
using costar::with_timeout;

namespace {

using request_parser = http::request_parser<http::string_body>;

/// What to do with the connection after a request.
enum class next {
    request,
    close,
    watch
};

/// Counts a connection while it is open.
class counted {
public:
    explicit counted(tally& counts) : counts_(counts) { counts_.opened.add(1); }
    counted(const counted&) = delete;
    ~counted() { counts_.closed.add(1); }

private:
    tally& counts_;
};

/// The status for a request that could not be read; none where nobody is left to hear it.
std::optional<http::status> status_for(const boost::system::error_code& failure)
{
    if (failure == http::error::body_limit)
        return http::status::payload_too_large;
    if (failure == http::error::header_limit)
        return http::status::request_header_fields_too_large;
    if (failure == costar::errc::timed_out)
        return http::status::request_timeout;
    const bool is_gone = failure == http::error::end_of_stream || failure == http::error::partial_message;
    if (!is_gone && failure.category() == http::make_error_code(http::error::bad_method).category())
        return http::status::bad_request;
    return std::nullopt;
}

/// Takes what has arrived. True when it is a whole request, or none that can be.
bool parse_arrived(beast::flat_buffer& buffer, request_parser& parser, boost::system::error_code& failure)
{
    buffer.consume(parser.put(buffer.data(), failure));
    if (failure == http::error::need_more)
        failure = {};
    return failure || parser.is_done();
}

/// Reads the rest of a request. Gives what it ended with, `errc::timed_out` for a client that is too slow.
costar::task<boost::system::error_code> read_rest(
    socket& client, beast::flat_buffer& buffer, request_parser& parser)
{
    const auto as_tuple = asio::as_tuple(use_task);
    boost::system::error_code failure;
    std::size_t bytes = 0;
    if (!parser.is_header_done())
        std::tie(failure, bytes) = co_await http::async_read_header(client, buffer, parser, as_tuple);
    if (!failure && !parser.is_done()) {
        if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
            constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            std::tie(failure, bytes) = co_await asio::async_write(client, asio::buffer(go_on), as_tuple);
        }
        std::tie(failure, bytes) = co_await http::async_read(client, buffer, parser, as_tuple);
    }
    co_return failure;
}

costar::task<> write_response(socket& client, response& answered, const options& limits)
{
    co_await with_timeout(limits.answer_limit, http::async_write(client, answered, use_task));
}

/// Ends a connection whose client may still be sending: the answer is lost if unread bytes make the kernel
/// reset it.
costar::task<> part_from(socket& client)
{
    boost::system::error_code failure;
    client.shutdown(socket::shutdown_send, failure);
    char ignored[4096];
    for (std::size_t rest = 1 << 20; !failure && rest > sizeof ignored;) {
        std::size_t bytes = 0;
        std::tie(failure, bytes) =
            co_await client.async_read_some(asio::buffer(ignored), asio::as_tuple(use_task));
        rest -= bytes;
    }
}

/// Reads a request and answers it, or leaves it in `parser` for a WebSocket.
costar::task<next> exchange(
    costar::context& self, teller& bank, socket& client, beast::flat_buffer& buffer, request_parser& parser)
{
    const options& limits = bank.options();
    boost::system::error_code failure;
    if (!parse_arrived(buffer, parser, failure)) {
        try {
            failure = co_await with_timeout(limits.request_limit, read_rest(client, buffer, parser));
        } catch (const costar::error& late) {
            failure = late.code();
        }
    }
    const auto begin = std::chrono::steady_clock::now();
    response answered;
    bool keep_alive = false;
    if (!failure) {
        if (beast::websocket::is_upgrade(parser.get()))
            co_return next::watch;
        const request& asked = parser.get();
        answered = co_await answer_request(self, bank, asked);
        answered.version(asked.version());
        answered.content_length(answered.body().size());
        keep_alive = asked.keep_alive() && !self.stopping();
        if (asked.method() == http::verb::head)
            answered.body().clear();
    } else if (const auto status = status_for(failure)) {
        answered = answer_refused(*status, failure.message());
        answered.content_length(answered.body().size());
    } else {
        co_return next::close;
    }
    answered.keep_alive(keep_alive);
    bank.counts().requests.add(1);
    if (answered.result_int() >= 400)
        bank.counts().refused.add(1);
    co_await write_response(client, answered, limits);
    bank.counts().times.add(std::chrono::steady_clock::now() - begin);
    if (keep_alive)
        co_return next::request;
    co_await with_timeout(1s, part_from(client));
    co_return next::close;
}

/// Waits for the first byte of a request.
costar::task<> wait_for_request(socket& client, beast::flat_buffer& buffer, const options& limits)
{
    constexpr std::size_t bytes_max = 4096;
    buffer.commit(co_await with_timeout(
        limits.idle_limit, client.async_read_some(buffer.prepare(bytes_max), use_task)));
}

}  // namespace

costar::task<> http_session(costar::context& self, socket client, teller* bank)
{
    const counted open(bank->counts());
    beast::flat_buffer buffer;
    try {
        while (!self.stopping()) {
            request_parser parser;
            parser.body_limit(options::body_bytes_max);
            parser.header_limit(options::header_bytes_max);
            parser.eager(true);
            if (buffer.size() == 0)
                co_await wait_for_request(client, buffer, bank->options());
            const next then = co_await costar::shield(exchange(self, *bank, client, buffer, parser));
            if (then == next::watch)
                co_return co_await watch_session(self, std::move(client), parser.release(), *bank);
            if (then == next::close)
                break;
        }
    } catch (const boost::system::system_error&) {
        // The client is gone or too slow, or it is time to stop: either way the connection ends here.
    }
}

}  // namespace service
