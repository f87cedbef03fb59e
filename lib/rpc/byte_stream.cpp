// SPDX-License-Identifier: MIT

#include <costar/rpc/byte_stream.hpp>

#include "channel_stream.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace costar::rpc {

namespace {

/// Gives a byte stream the form of a socket. Handlers are called in a turn of their own.
class stream_of_bytes {
public:
    explicit stream_of_bytes(std::unique_ptr<byte_stream> bytes) noexcept : bytes_(std::move(bytes)) {}

    asio::any_io_executor get_executor() { return bytes_->get_executor(); }

    template <class Handler>
    void async_read_some(asio::mutable_buffer to, Handler handler)
    {
        bytes_->read_some(to, posted(std::move(handler)));
    }
    std::size_t write_some(asio::const_buffer from, error_code& failed)
    {
        return bytes_->try_write(from, failed);
    }
    template <class Handler>
    void async_write_some(asio::const_buffer from, Handler handler)
    {
        bytes_->write_some(from, posted(std::move(handler)));
    }

    void non_blocking(bool) noexcept {}
    void shutdown(asio::socket_base::shutdown_type, error_code&) noexcept { bytes_->shutdown(); }
    stream_of_bytes& lowest_layer() noexcept { return *this; }
    void close(error_code&) noexcept { bytes_->close(); }

private:
    template <class Handler>
    static byte_stream::handler posted(Handler handler)
    {
        return [handler = std::move(handler)](const error_code& code, std::size_t bytes) {
            asio::post(handler.get_executor(), [inner = handler.get(), code, bytes] { inner(code, bytes); });
        };
    }

    std::unique_ptr<byte_stream> bytes_;
};

}  // namespace

kj::Own<capnp::MessageStream> make_stream(std::unique_ptr<byte_stream> bytes, const stream_options& options)
{
    return kj::heap<machine::channel_stream<stream_of_bytes>>(stream_of_bytes(std::move(bytes)), options);
}

}  // namespace costar::rpc
