// SPDX-License-Identifier: MIT

#include <costar/rpc/byte_stream.hpp>

#include <costar/core/when.hpp>
#include <costar/rpc/await.hpp>
#include <costar/rpc/connection.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;

namespace {

/// Bytes in memory, with room for a few at a time.
struct narrow_pipe {
    static constexpr std::size_t room = 1000;

    void move()
    {
        while (reader && (!bytes.empty() || is_over)) {
            const std::size_t moved = std::min(bytes.size(), into.size());
            std::memcpy(into.data(), bytes.data(), moved);
            bytes.erase(0, moved);
            std::exchange(reader, nullptr)(moved == 0 ? asio::error::eof : error_code(), moved);
        }
        if (writer && bytes.size() < room) {
            error_code none;
            const std::size_t taken = take(from, none);
            std::exchange(writer, nullptr)({}, taken);
            move();
        }
    }

    std::size_t take(asio::const_buffer given, error_code& failed)
    {
        const std::size_t taken = std::min(given.size(), room - bytes.size());
        bytes.append(static_cast<const char*>(given.data()), taken);
        if (taken == 0)
            failed = asio::error::would_block;
        return taken;
    }

    std::string bytes;
    bool is_over = false;
    asio::mutable_buffer into;
    rpc::byte_stream::handler reader;
    asio::const_buffer from;
    rpc::byte_stream::handler writer;
};

class pipe_end final : public rpc::byte_stream {
public:
    pipe_end(std::shared_ptr<narrow_pipe> in, std::shared_ptr<narrow_pipe> out, asio::any_io_executor where)
        : in_(std::move(in)), out_(std::move(out)), where_(std::move(where))
    {}

    asio::any_io_executor get_executor() override { return where_; }
    void read_some(asio::mutable_buffer to, handler done) override
    {
        in_->into = to;
        in_->reader = std::move(done);
        in_->move();
    }
    std::size_t try_write(asio::const_buffer from, error_code& failed) override
    {
        const std::size_t taken = out_->take(from, failed);
        out_->move();
        return taken;
    }
    void write_some(asio::const_buffer from, handler done) override
    {
        out_->from = from;
        out_->writer = std::move(done);
        out_->move();
    }
    void shutdown() noexcept override
    {
        out_->is_over = true;
        out_->move();
    }
    void close() noexcept override
    {
        in_->reader = nullptr;
        shutdown();
    }

private:
    std::shared_ptr<narrow_pipe> in_;
    std::shared_ptr<narrow_pipe> out_;
    asio::any_io_executor where_;
};

}  // namespace

TEST_CASE("byte_stream: carries calls over bytes that are no socket, however little fits at once",
    "[rpc][byte_stream]")
{
    lone_strand strand;
    const auto body = [](asio::any_io_executor where) -> task<> {
        const auto there = std::make_shared<narrow_pipe>();
        const auto back = std::make_shared<narrow_pipe>();
        auto served = rpc::connection::server(
            rpc::make_stream(std::make_unique<pipe_end>(there, back, where)), kj::heap<hub_server>());
        auto used = rpc::connection::client(rpc::make_stream(std::make_unique<pipe_end>(back, there, where)));
        auto hub = used.bootstrap<hub::Hub>();
        for (const std::size_t size : {0, 10, 999, 1000, 100'000}) {
            auto call = hub.echoRequest();
            call.setText(std::string(size, 'x').c_str());
            auto answer = co_await rpc::send(call);
            const std::size_t came = answer.getText().size();
            CHECK(came == size);
        }
    };
    strand.run(body(strand.io().get_executor()));
}
