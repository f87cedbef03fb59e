// SPDX-License-Identifier: MIT

// R2 to R4 with Asio alone: frames with their length in front, each as long as what costar sends for the same
// message, and as many in one write. The limit of what a connection carries, not a peer: nobody is
// looked up, nothing is read but a number.

#include "harness.hpp"
#include "second_process.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using asio::use_awaitable;
using bench::order;
using bench::outcome;
using bench::second_process;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t load_bytes = 1'000'000;

/// What costar writes for a batch of one request and of one answer, as strace shows, and what each envelope
/// more adds to a batch.
constexpr std::uint32_t request_bytes = 344;
constexpr std::uint32_t answer_bytes = 256;
constexpr std::uint32_t envelope_bytes = 88;
constexpr std::size_t envelopes_of_a_write = 256;

/// What begins a frame; zeros fill it up.
struct frame_head {
    std::uint32_t bytes = 0;  // of the whole frame
    std::uint32_t answer_bytes = 0;
    std::uint64_t number = 0;
};

void append(std::vector<char>& out, std::uint32_t bytes, std::uint32_t answer, std::uint64_t number)
{
    const frame_head head{bytes, answer, number};
    const std::size_t before = out.size();
    out.resize(before + bytes);
    std::memcpy(out.data() + before, &head, sizeof head);
}

/// Reads frames, as many as come at once.
class frame_reader {
public:
    explicit frame_reader(tcp::socket& from) : from_(from), bytes_(64 * 1024) {}

    /// Calls `take` with each number that has come; waits for one at least.
    template <class Take>
    awaitable<void> read(Take take)
    {
        for (bool found = false; !found;) {
            filled_ += co_await from_.async_read_some(
                asio::buffer(bytes_.data() + filled_, bytes_.size() - filled_), use_awaitable);
            std::size_t at = 0;
            for (frame_head head; filled_ - at >= sizeof head; at += head.bytes, found = true) {
                std::memcpy(&head, bytes_.data() + at, sizeof head);
                if (filled_ - at < head.bytes)
                    break;
                take(head);
            }
            std::memmove(bytes_.data(), bytes_.data() + at, filled_ - at);
            filled_ -= at;
        }
    }

private:
    tcp::socket& from_;
    std::vector<char> bytes_;
    std::size_t filled_ = 0;
};

// The second process
// ----------------------------------------------------------------------------------------------------------

/// Answers each frame with the next number, in a frame as long as it says.
awaitable<void> echo(tcp::socket& socket)
{
    frame_reader reader(socket);
    std::vector<char> out;
    for (;;) {
        out.clear();
        co_await reader.read(
            [&](const frame_head& head) { append(out, head.answer_bytes, 0, head.number + 1); });
        co_await asio::async_write(socket, asio::buffer(out), use_awaitable);
    }
}

/// The same, each in a write of its own.
awaitable<void> echo_one_by_one(tcp::socket& socket)
{
    frame_reader reader(socket);
    std::vector<frame_head> asked;
    std::vector<char> out;
    for (;;) {
        asked.clear();
        co_await reader.read([&](const frame_head& head) { asked.push_back(head); });
        for (const frame_head& head : asked) {
            out.clear();
            append(out, head.answer_bytes, 0, head.number + 1);
            co_await asio::async_write(socket, asio::buffer(out), use_awaitable);
        }
    }
}

/// Takes messages of 1 MB, each as a whole, and says how many there were when it gets an empty one.
awaitable<void> sink(tcp::socket& socket)
{
    std::vector<char> message(load_bytes);
    std::uint64_t received = 0;
    for (;;) {
        frame_head head;
        co_await asio::async_read(socket, asio::buffer(&head, sizeof head), use_awaitable);
        if (head.bytes == 0)
            break;
        co_await asio::async_read(socket, asio::buffer(message.data(), head.bytes), use_awaitable);
        ++received;
    }
    const frame_head told{0, 0, received};
    co_await asio::async_write(socket, asio::buffer(&told, sizeof told), use_awaitable);
}

using talk = awaitable<void> (*)(tcp::socket&);

awaitable<void> until_closed(tcp::socket& socket, talk body)
{
    try {
        co_await body(socket);
    } catch (const boost::system::system_error&) {
        // The first process has closed the connection.
    }
}

template <talk Body>
void serve(const second_process::door& door)
{
    asio::io_context io(1);
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    door.open(fmt::format("{}", acceptor.local_endpoint().port()));
    tcp::socket socket = acceptor.accept();
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(io, until_closed(socket, Body), asio::detached);
    io.run();
    door.wait();
}

// The first process
// ----------------------------------------------------------------------------------------------------------

class connection {
public:
    explicit connection(void (*serve)(const second_process::door&)) : second_(serve)
    {
        socket_.connect({asio::ip::address_v4::loopback(),
            static_cast<std::uint16_t>(std::strtoul(second_.address().c_str(), nullptr, 10))});
        socket_.set_option(tcp::no_delay(true));
    }

    tcp::socket& socket() noexcept { return socket_; }

    void run(awaitable<void> body)
    {
        std::exception_ptr failed;
        asio::co_spawn(io_, std::move(body), [&](std::exception_ptr why) { failed = why; });
        io_.run();
        if (failed)
            std::rethrow_exception(failed);
    }

    outcome end(outcome made, std::uint64_t sent, std::uint64_t received)
    {
        socket_.close();
        made.sent = sent;
        made.received = received;
        made.beside = second_.end();
        return made;
    }

private:
    second_process second_;
    asio::io_context io_{1};
    tcp::socket socket_{io_};
};

/// How many pings go in one write, and how long each of them is and its answer.
struct shape {
    std::size_t of_a_write = envelopes_of_a_write;
    std::uint32_t bytes = envelope_bytes;
};

awaitable<void> send_pings(tcp::socket& socket, std::uint64_t count, shape as)
{
    std::vector<char> out;
    for (std::uint64_t sent = 0; sent < count;) {
        out.clear();
        for (std::size_t i = 0; i < as.of_a_write && sent < count; ++i)
            append(out, as.bytes, as.bytes, sent++);
        co_await asio::async_write(socket, asio::buffer(out), use_awaitable);
    }
}

awaitable<void> take_pongs(tcp::socket& socket, std::uint64_t count, shape as, std::uint64_t& received)
{
    asio::co_spawn(socket.get_executor(), send_pings(socket, count, as), asio::detached);
    frame_reader reader(socket);
    while (received < count)
        co_await reader.read([&](const frame_head&) { ++received; });
}

outcome pings(const order& order)
{
    const std::uint64_t each_way = order.count(1'000'000);
    connection link(serve<echo>);
    std::uint64_t received = 0;
    const bench::stopwatch watch;
    link.run(take_pongs(link.socket(), each_way, shape(), received));
    return link.end(bench::rate("messages", "msg/s", 2 * each_way, watch), each_way, received);
}

outcome pings_one_by_one(const order& order)
{
    const std::uint64_t each_way = order.count(200'000);
    connection link(serve<echo_one_by_one>);
    std::uint64_t received = 0;
    const bench::stopwatch watch;
    link.run(take_pongs(link.socket(), each_way, {1, answer_bytes}, received));
    return link.end(bench::rate("messages", "msg/s", 2 * each_way, watch), each_way, received);
}

awaitable<void> ask(tcp::socket& socket, std::uint64_t count, bench::latencies& took, std::uint64_t& answered)
{
    frame_reader reader(socket);
    std::vector<char> out;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto begin = clock_type::now();
        out.clear();
        append(out, request_bytes, answer_bytes, i);
        co_await asio::async_write(socket, asio::buffer(out), use_awaitable);
        co_await reader.read([&](const frame_head& head) { answered += head.number - i; });
        took.add(clock_type::now() - begin);
    }
}

outcome asks(const order& order)
{
    const std::uint64_t count = order.count(20'000);
    bench::latencies took(count);
    connection link(serve<echo>);
    std::uint64_t answered = 0;
    const bench::stopwatch watch;
    link.run(ask(link.socket(), count, took, answered));
    outcome made;
    made.allocations = watch.allocations();
    made.figures = took.figures();
    return link.end(std::move(made), count, answered);
}

/// For each answer the next request, in one write for all that have come at once.
awaitable<void> ask_many(tcp::socket& socket, std::uint64_t count, std::uint64_t& answered)
{
    constexpr std::uint64_t outstanding = 64;
    frame_reader reader(socket);
    std::vector<char> out;
    std::uint64_t sent = 0;
    for (; sent < outstanding && sent < count; ++sent)
        append(out, envelope_bytes, envelope_bytes, sent);
    while (answered < count) {
        if (!out.empty())
            co_await asio::async_write(socket, asio::buffer(out), use_awaitable);
        out.clear();
        co_await reader.read([&](const frame_head&) {
            ++answered;
            if (sent < count)
                append(out, envelope_bytes, envelope_bytes, sent++);
        });
    }
}

outcome many_asks(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    connection link(serve<echo>);
    std::uint64_t answered = 0;
    const bench::stopwatch watch;
    link.run(ask_many(link.socket(), count, answered));
    return link.end(bench::rate("asks", "asks/s", count, watch), count, answered);
}

awaitable<void> ship(tcp::socket& socket, std::uint64_t number, std::uint64_t& received)
{
    const std::vector<char> message(load_bytes, 1);
    frame_head head{load_bytes, 0, 0};
    for (std::uint64_t i = 0; i < number; ++i) {
        const std::array<asio::const_buffer, 2> frame{
            asio::buffer(&head, sizeof head), asio::buffer(message)};
        co_await asio::async_write(socket, frame, use_awaitable);
    }
    head.bytes = 0;
    co_await asio::async_write(socket, asio::buffer(&head, sizeof head), use_awaitable);
    co_await asio::async_read(socket, asio::buffer(&head, sizeof head), use_awaitable);
    received = head.number;
}

outcome loads(const order& order)
{
    const std::uint64_t number = order.count(2000);
    connection link(serve<sink>);
    std::uint64_t received = 0;
    const bench::stopwatch watch;
    link.run(ship(link.socket(), number, received));
    return link.end(bench::rate("bytes", "B/s", number * load_bytes, watch), number, received);
}

}  // namespace

int main(int argc, char** argv)
{
    const std::vector<std::size_t> one{1};
    return bench::main(argc, argv,
        {
            {"R2", "raw-tcp", one, 0, 8, pings},
            {"R2unbatched", "raw-tcp", one, 0, 8, pings_one_by_one},
            {"R3", "raw-tcp", one, 1, 8, asks},
            {"R3b", "raw-tcp", one, 64, 8, many_asks},
            {"R4", "raw-tcp", one, 0, load_bytes, loads},
        });
}
