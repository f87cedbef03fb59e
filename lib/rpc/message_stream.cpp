// SPDX-License-Identifier: MIT

#include <costar/rpc/message_stream.hpp>

#include "channel_stream.hpp"

#include <utility>

namespace costar::rpc {

kj::Own<capnp::MessageStream> make_stream(asio::ip::tcp::socket socket, const stream_options& options)
{
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    return kj::heap<machine::channel_stream<asio::ip::tcp::socket>>(std::move(socket), options);
}

kj::Own<capnp::MessageStream> make_stream(
    asio::local::stream_protocol::socket socket, const stream_options& options)
{
    return kj::heap<machine::channel_stream<asio::local::stream_protocol::socket>>(
        std::move(socket), options);
}

}  // namespace costar::rpc
