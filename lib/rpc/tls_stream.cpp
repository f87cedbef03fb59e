// SPDX-License-Identifier: MIT

#include <costar/rpc/tls_stream.hpp>

#include "channel_stream.hpp"

#include <boost/asio/ssl/error.hpp>

#include <new>
#include <utility>

namespace costar::machine {

/// TLS has a word for the end, which must be written.
template <>
struct stream_end<asio::ssl::stream<asio::ip::tcp::socket>> {
    static bool is_cut(const error_code& code) noexcept { return code == asio::ssl::error::stream_truncated; }

    template <class Handler>
    static void say(asio::ssl::stream<asio::ip::tcp::socket>& stream, Handler handler) noexcept
    {
        try {
            stream.async_shutdown(std::move(handler));
        } catch (const std::bad_alloc&) {
            // The peer will find the connection cut.
        }
    }
};

}  // namespace costar::machine

namespace costar::rpc {

kj::Own<capnp::MessageStream> make_stream(
    asio::ssl::stream<asio::ip::tcp::socket> stream, const stream_options& options)
{
    error_code ignored;
    stream.next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
    return kj::heap<machine::channel_stream<asio::ssl::stream<asio::ip::tcp::socket>>>(
        std::move(stream), options);
}

}  // namespace costar::rpc
