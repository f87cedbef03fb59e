// SPDX-License-Identifier: MIT

#include "http_session.hpp"

#include "payload.hpp"
#include "request_reader.hpp"
#include "routes.hpp"
#include "watch_session.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace service {

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using costar::use_task;
using costar::with_timeout;

namespace {

constexpr std::size_t bytes_at_a_time = 4096;
constexpr auto last_calls = 1s;

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

/// A connection, and what has been read of it.
struct connection {
    socket client;
    tally& counts;
    beast::flat_buffer buffer{};
    clock::time_point arrived = clock::now();                ///< when the last bytes did
    clock::time_point last_call = clock::time_point::max();  ///< until then what has arrived is answered
};

/// Has this connection had its last request? Once the service stops, what has arrived still counts, but a
/// client that goes on sending does not keep it.
bool is_last(costar::context& self, connection& open)
{
    if (!self.stopping())
        return false;
    if (open.last_call == clock::time_point::max())
        open.last_call = clock::now() + last_calls;
    boost::system::error_code failure;
    const bool has_more = open.buffer.size() != 0 || open.client.available(failure) != 0;
    return !has_more || clock::now() > open.last_call;
}

/// How long ago the last bytes reached the kernel, which counts it in ticks of some milliseconds.
clock::duration age_of_bytes(socket& client) noexcept
{
    tcp_info told{};
    socklen_t size = sizeof told;
    if (getsockopt(client.native_handle(), IPPROTO_TCP, TCP_INFO, &told, &size) != 0)
        return 0ns;
    return std::chrono::milliseconds(told.tcpi_last_data_recv);
}

/// How long the bytes that were just read had lain there, as far as it is worth the question: bytes that come
/// while nobody looks wait already. The kernel is asked about every connection that was silent for long. Of
/// the busy ones, whose bytes wait in one queue, it is asked about one in sixteen; the others count as old.
clock::duration age_of_read(connection& open, clock::duration silence)
{
    constexpr auto tick = 8ms;
    constexpr auto long_silence = 100ms;
    constexpr unsigned busy_reads_for_a_look = 16;
    tally& counts = open.counts;
    if (silence <= tick)
        return 0ns;
    if (silence > long_silence)
        return std::min(age_of_bytes(open.client), silence);
    if (counts.busy_reads++ % busy_reads_for_a_look == 0)
        counts.age_of_busy_reads = age_of_bytes(open.client);
    return std::min(counts.age_of_busy_reads, silence);
}

costar::task<> read_some(connection& open)
{
    const clock::time_point began = open.arrived;
    open.buffer.commit(co_await open.client.async_read_some(open.buffer.prepare(bytes_at_a_time), use_task));
    open.arrived = clock::now();
    open.arrived -= age_of_read(open, open.arrived - began);
}

/// Waits for the next bytes. False when it is time to stop and nothing has arrived.
costar::task<bool> wait_for_request(costar::context& self, connection& open, const options& limits)
{
    if (!self.stopping()) {
        try {
            co_await with_timeout(limits.idle_limit, read_some(open));
        } catch (const boost::system::system_error&) {
            if (!self.stopping())
                throw;
        }
    }
    if (open.buffer.size() == 0 && self.stopping()) {
        // What a client sent before it could know of the stop is answered.
        boost::system::error_code failure;
        open.client.non_blocking(true, failure);
        open.buffer.commit(open.client.read_some(open.buffer.prepare(bytes_at_a_time), failure));
    }
    co_return open.buffer.size() != 0;
}

/// Reads the rest of a request.
costar::task<> read_rest(connection& open, request_reader& reader)
{
    do {
        if (reader.take_expectation()) {
            constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            co_await asio::async_write(open.client, asio::buffer(go_on), use_task);
        }
        co_await read_some(open);
    } while (!reader.take(open.buffer));
}

/// Ends a connection whose client may still be sending: the answer is lost if unread bytes make the kernel
/// reset it.
costar::task<> part_from(socket& client)
{
    boost::system::error_code failure;
    client.shutdown(socket::shutdown_send, failure);
    char ignored[bytes_at_a_time];
    for (std::size_t rest = 1 << 20; !failure && rest > sizeof ignored;) {
        std::size_t bytes = 0;
        std::tie(failure, bytes) =
            co_await client.async_read_some(asio::buffer(ignored), asio::as_tuple(use_task));
        rest -= bytes;
    }
}

/// Writes an answer, the last one on this connection or not.
costar::task<next> finish(costar::context& self, teller& bank, connection& open, const response& answered,
    bool keep_alive, bool has_body = true)
{
    const std::string text = text_of(answered, {bank.date().at(self.now()), keep_alive, has_body});
    bank.counts().requests.add(1);
    if (answered.result_int() >= 400)
        bank.counts().refused.add(1);
    co_await with_timeout(
        bank.options().answer_limit, asio::async_write(open.client, asio::buffer(text), use_task));
    bank.counts().times.add(clock::now() - open.arrived);
    if (keep_alive)
        co_return next::request;
    co_await with_timeout(1s, part_from(open.client));
    co_return next::close;
}

/// Reads the rest of a request and answers it, or leaves it in the reader for a WebSocket.
costar::task<next> exchange(
    costar::context& self, teller& bank, connection& open, request_reader& reader, bool is_whole)
{
    if (!is_whole) {
        try {
            co_await with_timeout(bank.options().request_limit, read_rest(open, reader));
        } catch (const costar::error& failure) {
            if (failure.code() != costar::errc::timed_out)
                throw;
            reader.refuse(http::status::request_timeout, "the request took too long to arrive");
        }
    }
    const unanswered::request waiting(bank.counts().waiting, open.arrived);
    if (const auto& refused = reader.refused())
        co_return co_await finish(
            self, bank, open, answer_refused(refused->status(), refused->what()), false);
    const request& asked = reader.message();
    if (reader.is_upgrade() && beast::websocket::is_upgrade(asked))
        co_return next::watch;
    response answered = co_await answer_request(self, bank, asked, reader.idempotency_key());
    answered.version(asked.version());
    co_return co_await finish(self, bank, open, answered, reader.keep_alive() && !is_last(self, open),
        asked.method() != http::verb::head);
}

}  // namespace

costar::task<> http_session(costar::context& self, newcomer client, teller* bank)
{
    constexpr request_reader::limits limits{options::header_bytes_max, options::body_bytes_max};
    const counted as_long_as_this_lives(bank->counts());
    connection open{client.take(), bank->counts()};
    try {
        for (next then = next::request; then == next::request;) {
            request_reader reader(limits);
            bool is_whole = reader.take(open.buffer);
            while (!is_whole && !reader.has_begun()) {
                if (!co_await wait_for_request(self, open, bank->options()))
                    co_return;
                is_whole = reader.take(open.buffer);
            }
            then = co_await costar::shield(exchange(self, *bank, open, reader, is_whole));
            if (then == next::watch)
                co_await watch_session(
                    self, std::move(open.client), std::move(reader.message()), open.buffer.size(), *bank);
        }
    } catch (const boost::system::system_error&) {
        // The client is gone or too slow, or it is time to stop: either way the connection ends here.
    }
}

costar::task<> turn_away(costar::context& self, newcomer client, teller* bank)
{
    const counted as_long_as_this_lives(bank->counts());
    connection open{client.take(), bank->counts()};
    response answered = answer_refused(http::status::service_unavailable, "there are too many connections");
    answered.set(http::field::retry_after, "1");
    try {
        co_await finish(self, *bank, open, answered, false);
    } catch (const boost::system::system_error&) {
        // The client has gone by itself.
    }
}

newcomer::~newcomer()
{
    if (!client_.is_open())
        return;
    constexpr std::string_view refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                         "Retry-After: 1\r\nConnection: close\r\n\r\n";
    boost::system::error_code failure;
    client_.non_blocking(true, failure);
    client_.write_some(asio::buffer(refusal), failure);
    client_.shutdown(socket::shutdown_send, failure);
    char ignored[bytes_at_a_time];  // what is left unread makes the kernel reset the connection
    for (int times = 0; !failure && times < 32; ++times)
        client_.read_some(asio::buffer(ignored), failure);
}

}  // namespace service
