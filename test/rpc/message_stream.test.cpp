// SPDX-License-Identifier: MIT

#include <costar/rpc/message_stream.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>

#include <costar/rpc/await.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <string>
#include <vector>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// A stream under test, and the bare socket of its peer.
struct stream_and_peer {
    explicit stream_and_peer(asio::io_context& io, const rpc::stream_options& options = {}) : peer(io)
    {
        unix_socket near(io);
        asio::local::connect_pair(near, peer);
        stream = rpc::make_stream(std::move(near), options);
    }

    unix_socket peer;
    kj::Own<capnp::MessageStream> stream;
};

task<> writes(capnp::MessageStream& stream, std::string text)
{
    capnp::MallocMessageBuilder message;
    message.initRoot<hub::Hub::EchoParams>().setText(text.c_str());
    auto written = stream.writeMessage(message);
    co_await kj::mv(written);
}

auto next_of(capnp::MessageStream& stream)
{
    return rpc::pending(stream.tryReadMessage());
}

// To be awaited outside of CHECK, which evaluates what it is given twice with GCC: a builtin is given it too.
task<std::string> reads(capnp::MessageStream& stream)
{
    auto came = stream.readMessage();
    auto message = co_await kj::mv(came);
    co_return std::string(message->getRoot<hub::Hub::EchoParams>().getText().cStr());
}

std::string bytes_of(const std::string& text)
{
    capnp::MallocMessageBuilder message;
    message.initRoot<hub::Hub::EchoParams>().setText(text.c_str());
    auto words = capnp::messageToFlatArray(message);
    return {reinterpret_cast<const char*>(words.begin()), words.size() * sizeof(capnp::word)};
}

/// The kind of what reading from the stream throws; nothing when it ends cleanly.
task<std::optional<rpc::errc>> end_of(capnp::MessageStream& stream)
{
    try {
        for (bool is_over = false; !is_over;) {
            auto message = co_await next_of(stream);
            is_over = message == nullptr;
        }
    } catch (const rpc::error& thrown) {
        co_return thrown.kind();
    }
    co_return std::nullopt;
}

}  // namespace

TEST_CASE("message_stream: carries messages of every size both ways", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto both = [](asio::io_context& io) -> task<> {
        unix_socket near(io);
        unix_socket far(io);
        asio::local::connect_pair(near, far);
        auto left = rpc::make_stream(std::move(near));
        auto right = rpc::make_stream(std::move(far));
        for (const std::size_t size : {0, 1, 1000, 30'000, 70'000, 1'000'000}) {
            const std::string text(size, 'x');
            auto [sent, got] = co_await when_all(writes(*left, text), reads(*right));
            static_cast<void>(sent);
            CHECK(got == text);
            auto [back, heard] = co_await when_all(writes(*right, text), reads(*left));
            static_cast<void>(back);
            CHECK(heard == text);
        }
        left = nullptr;
        const auto end = co_await end_of(*right);
        CHECK(end == std::nullopt);
    };

    strand.run(both(strand.io()));
}

TEST_CASE("message_stream: goes over TCP", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
        asio::ip::tcp::socket near(io);
        auto [far, none] = co_await when_all(
            [](asio::ip::tcp::acceptor& acceptor) -> task<asio::ip::tcp::socket> {
                co_return co_await acceptor.async_accept(use_task);
            }(acceptor),
            [](asio::ip::tcp::socket& near, asio::ip::tcp::endpoint to) -> task<> {
                co_await near.async_connect(to, use_task);
            }(near, acceptor.local_endpoint()));
        static_cast<void>(none);
        auto left = rpc::make_stream(std::move(near));
        auto right = rpc::make_stream(std::move(far));
        auto [sent, got] = co_await when_all(writes(*left, "over the wire"), reads(*right));
        static_cast<void>(sent);
        CHECK(got == "over the wire");
    };

    strand.run(body(strand.io()));
}

TEST_CASE("message_stream: a read that is given up loses nothing", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        stream_and_peer ends(io);
        const std::string bytes = bytes_of("whole");
        for (int i = 0; i < 3; ++i) {
            co_await asio::async_write(ends.peer, asio::buffer(bytes.data(), bytes.size() / 2), use_task);
            CHECK((co_await as_result(with_timeout(1ms, next_of(*ends.stream)))).error() ==
                costar::errc::timed_out);
            co_await asio::async_write(ends.peer,
                asio::buffer(bytes.data() + bytes.size() / 2, bytes.size() - bytes.size() / 2), use_task);
            const auto heard = co_await reads(*ends.stream);
            CHECK(heard == "whole");
        }
    };

    strand.run(body(strand.io()));
}

TEST_CASE(
    "message_stream: an end inside of a message is an error, between two it is none", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io, std::size_t missing) -> task<std::optional<rpc::errc>> {
        stream_and_peer ends(io);
        const std::string bytes = bytes_of("first") + bytes_of("second");
        co_await asio::async_write(ends.peer, asio::buffer(bytes.data(), bytes.size() - missing), use_task);
        ends.peer.close();
        const auto heard = co_await reads(*ends.stream);
        CHECK(heard == "first");
        co_return co_await end_of(*ends.stream);
    };

    CHECK(strand.run(body(strand.io(), 0)) == std::nullopt);
    for (const std::size_t missing : {1, 8, 17, 24})
        CHECK(strand.run(body(strand.io(), missing)) == rpc::errc::disconnected);
    CHECK(strand.run(body(strand.io(), bytes_of("second").size())) == std::nullopt);
}

TEST_CASE("message_stream: what is no message is refused, and said again", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        stream_and_peer ends(io);
        co_await asio::async_write(ends.peer, asio::buffer(std::string("GET / HTTP/1.1\r\n\r\n")), use_task);
        const auto end = co_await end_of(*ends.stream);
        CHECK(end == rpc::errc::failed);
        const auto again = co_await end_of(*ends.stream);
        CHECK(again == rpc::errc::failed);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("message_stream: a writer waits for a peer that does not read", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        stream_and_peer ends(io, {.high_water = 10'000});
        const std::string text(100'000, 'y');
        int written = 0;
        const auto flood = [](capnp::MessageStream& stream, const std::string& text, int& written) -> task<> {
            for (; written < 40; ++written)
                co_await writes(stream, text);
        };
        const auto reading = [](unix_socket& peer, std::size_t bytes, int& written) -> task<> {
            co_await sleep_for(1ms);
            CHECK(written < 40);
            std::string all(bytes, ' ');
            co_await asio::async_read(peer, asio::buffer(all), use_task);
        };
        co_await when_all(
            flood(*ends.stream, text, written), reading(ends.peer, 40 * bytes_of(text).size(), written));
        CHECK(written == 40);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("message_stream: what was written goes out after its stream has ended", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        stream_and_peer ends(io, {.high_water = 10'000'000});
        const std::string text(2'000'000, 'z');
        co_await writes(*ends.stream, text);
        ends.stream = nullptr;
        std::string all(bytes_of(text).size(), ' ');
        co_await asio::async_read(ends.peer, asio::buffer(all), use_task);
        CHECK(all == bytes_of(text));
    };

    strand.run(body(strand.io()));
}

TEST_CASE("message_stream: it lingers no longer than it may", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<std::size_t> {
        stream_and_peer ends(io, {.high_water = 10'000'000, .linger = 1ms});
        co_await writes(*ends.stream, std::string(5'000'000, 'z'));
        ends.stream = nullptr;
        co_await sleep_for(20ms);
        std::size_t total = 0;
        std::string piece(65536, ' ');
        for (;;) {
            auto [code, bytes] =
                co_await ends.peer.async_read_some(asio::buffer(piece), asio::as_tuple(use_task));
            total += bytes;
            if (code)
                co_return total;
        }
    };

    CHECK(strand.run(body(strand.io())) < 5'000'000);
}

TEST_CASE(
    "message_stream: what the peer had sent can be read after writing has failed", "[rpc][message_stream]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        stream_and_peer ends(io);
        const std::string last = bytes_of("why I go");
        co_await asio::async_write(ends.peer, asio::buffer(last), use_task);
        ends.peer.close();
        auto failure = co_await as_result(writes(*ends.stream, "too late"));
        co_await sleep_for(1ms);  // it is sent at the end of a turn
        auto second = co_await as_result(writes(*ends.stream, "too late"));
        CHECK((!failure.has_value() || !second.has_value()));
        const auto heard = co_await reads(*ends.stream);
        CHECK(heard == "why I go");
        const auto end = co_await end_of(*ends.stream);
        CHECK(end == std::nullopt);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("message_stream: there is none without an event loop", "[rpc][message_stream]")
{
    asio::io_context io;
    CHECK_THROWS_AS(rpc::make_stream(unix_socket(io)), std::logic_error);
}
