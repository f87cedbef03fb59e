// SPDX-License-Identifier: MIT

// Far more than can be handled, from rings, sockets and foreign threads at once, against each policy of a
// full mailbox, owned and embedded: memory stays bounded, control comes through, everything is counted.

#include <support/stress.hpp>

#include <costar/actor/engine.hpp>
#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace std::chrono_literals;
using namespace support;

namespace {

namespace asio = boost::asio;
using socket_type = asio::local::stream_protocol::socket;

/// How long control may take while everything else is too much. Generous: machines that run tests are busy.
constexpr auto control_bound = 5s;

/// Where load comes from.
enum source : std::size_t {
    rings,
    sockets,
    threads,
    sources
};

/// What has become of all that was sent.
struct account {
    std::atomic<bool> is_over{false};
    std::atomic<std::int64_t> alive{0};
    std::array<std::atomic<std::uint64_t>, sources> sent{};
    std::array<std::atomic<std::uint64_t>, sources> handled{};
    std::atomic<std::uint64_t> refused{0};  // and their senders told
};

/// Is counted while it lives.
class order {
public:
    order(account& book, source from) noexcept : book_(&book), from_(from) { ++book.alive; }
    order(order&& other) noexcept : book_(other.book_), from_(other.from_) { ++book_->alive; }
    order& operator=(order&&) = delete;
    ~order() { --book_->alive; }

    source from() const noexcept { return from_; }

private:
    account* book_;
    source from_;
};

/// Handles a thousand a second at most.
task<> server(context& self, account* book)
{
    while (message got = co_await self.receive()) {
        got.match([&](order& m) { ++book->handled[m.from()]; });
        if (!book->is_over)
            co_await sleep_for(1ms);
    }
}

/// Sends one. Where senders wait for room, so does this one.
task<> send_one(context& self, account& book, pid to, source from, overflow when_full)
{
    ++book.sent[from];
    if (when_full == overflow::wait || when_full == overflow::fail) {
        if (!co_await as_result(self.send_async(to, order(book, from))))
            ++book.refused;
    } else {
        self.send(to, order(book, from));
    }
}

/// From the other strand, as fast as it goes.
task<> floods(context& self, account* book, pid to, overflow when_full)
{
    while (!book->is_over) {
        for (int i = 0; i < 16; ++i)
            co_await send_one(self, *book, to, rings, when_full);
        co_await yield();
    }
}

/// Makes an order of each byte that comes.
task<> session(context& self, account* book, std::shared_ptr<socket_type> from, pid to, overflow when_full)
{
    std::array<char, 256> bytes;
    for (;;) {
        const auto got = co_await as_result(from->async_read_some(asio::buffer(bytes), use_task));
        if (!got)
            break;
        for (std::size_t i = 0; i < *got; ++i)
            co_await send_one(self, *book, to, sockets, when_full);
    }
}

/// Bytes that this process has in memory.
std::int64_t resident()
{
    std::ifstream file("/proc/self/statm");
    std::int64_t all = 0;
    std::int64_t pages = 0;
    file >> all >> pages;
    return pages * sysconf(_SC_PAGESIZE);
}

/// What one load has come to.
struct outcome {
    std::chrono::nanoseconds worst{0};  // of control
    std::int64_t most_alive = 0;
    std::int64_t grown = 0;  // bytes
    double factor = 0;       // sent for each that was handled, while the load lasted
};

std::uint64_t sum_of(const std::array<std::atomic<std::uint64_t>, sources>& counts)
{
    std::uint64_t sum = 0;
    for (const auto& each : counts)
        sum += each;
    return sum;
}

/// Control while everything else is too much: each strand answers, actors are spawned and stopped, a look at
/// the mailbox that is full comes back.
void control(engine& where, pid full, account& book, std::chrono::nanoseconds length, outcome& seen)
{
    const auto measured = [&](auto&& call) {
        const auto began = std::chrono::steady_clock::now();
        call();
        seen.worst = std::max<std::chrono::nanoseconds>(seen.worst, std::chrono::steady_clock::now() - began);
        seen.most_alive = std::max<std::int64_t>(seen.most_alive, book.alive);
    };
    const std::int64_t before = resident();
    for (const auto end = std::chrono::steady_clock::now() + length;
        std::chrono::steady_clock::now() < end;) {
        for (std::uint32_t i = 0; i < where.size(); ++i) {
            pid brief;
            measured([&] {
                brief = where.spawn(on(i), helper);
                CHECK(where.ask(brief, twice{4}, 60s, asio::use_future).get() == 8);
            });
            measured([&] { where.stop(brief, asio::use_future).get(); });
        }
        measured([&] { where.mailbox_of(full, asio::use_future).get(); });
        seen.grown = std::max(seen.grown, resident() - before);
    }
    seen.factor = static_cast<double>(sum_of(book.sent)) / static_cast<double>(sum_of(book.handled) + 1);
}

/// An engine of two strands, on threads of its own or on a borrowed context that two threads run.
class host {
public:
    explicit host(bool is_owned)
    {
        const engine_options options{.strands = 2, .dead_letter_lines = 0};
        if (is_owned) {
            engine_.emplace(options);
            return;
        }
        guard_.emplace(context_.get_executor());
        engine_.emplace(
            std::vector<asio::any_io_executor>{context_.get_executor(), context_.get_executor()}, options);
        for (int i = 0; i < 2; ++i)
            threads_.emplace_back([this] { context_.run(); });
    }
    host(const host&) = delete;
    ~host()
    {
        guard_.reset();
        for (std::thread& each : threads_)
            each.join();
        engine_.reset();
    }

    costar::engine& engine() noexcept { return *engine_; }

private:
    asio::io_context context_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard_;
    std::vector<std::thread> threads_;
    std::optional<costar::engine> engine_;
};

/// Writes bytes until it is over, as fast as they are read.
void write_bytes(socket_type& to, const std::atomic<bool>& is_over)
{
    const std::array<char, 512> bytes{};
    boost::system::error_code failed;
    while (!is_over && !failed)
        asio::write(to, asio::buffer(bytes), failed);
    to.close();
}

void send_from_outside(engine& where, account& book, pid to, overflow when_full)
{
    while (!book.is_over) {
        ++book.sent[threads];
        if (when_full == overflow::wait || when_full == overflow::fail) {
            try {
                where.send_async(to, order(book, threads), asio::use_future).get();
            } catch (const boost::system::system_error&) {
                ++book.refused;
            }
        } else {
            where.send(to, order(book, threads));
        }
    }
    where.mailbox_of(to, asio::use_future).get();  // what was sent is there now
}

/// Puts a server under more than it can handle, and looks at it meanwhile and afterwards.
void overload(bool is_owned, overflow when_full, std::string_view name, std::chrono::nanoseconds length)
{
    constexpr int flooding = 4;
    constexpr int clients = 4;
    account book;
    outcome seen;
    station_figures figures;
    std::atomic<std::uint64_t> told{0};
    {
        host home(is_owned);
        engine& where = home.engine();
        watchdog dog([&] { return where.dump(5s); });
        dog.watch("the load", length + 60s);
        const auto hears = where.events().subscribe<dead_letter>([&](const dead_letter&) { ++told; });
        spawn_options options = on(0);
        options.mailbox = {.limit = 64, .when_full = when_full};
        const pid full = where.spawn(options, server, &book);
        std::vector<pid> senders;
        for (int i = 0; i < flooding; ++i)
            senders.push_back(where.spawn(on(1), floods, &book, full, when_full));
        std::vector<std::thread> outside;
        asio::io_context blocking;
        std::vector<std::unique_ptr<socket_type>> ends;
        for (int i = 0; i < clients; ++i) {
            auto near = std::make_shared<socket_type>(where.get_executor(0));
            ends.push_back(std::make_unique<socket_type>(blocking));
            asio::local::connect_pair(*near, *ends.back());
            ends.back()->set_option(asio::socket_base::send_buffer_size(4096));
            senders.push_back(where.spawn(on(0), session, &book, std::move(near), full, when_full));
            outside.emplace_back([&to = *ends.back(), &book] { write_bytes(to, book.is_over); });
        }
        if (is_owned)  // what lies on a borrowed context cannot hold a thread back
            outside.emplace_back([&] { send_from_outside(where, book, full, when_full); });

        control(where, full, book, length, seen);

        dog.watch("the end of the load", 60s);
        book.is_over = true;
        for (std::thread& each : outside)
            each.join();
        for (const pid each : senders)
            where.wait(each, asio::use_future).get();
        // Behind what lies in the ring.
        asio::post(where.get_executor(1), [&where, full] { where.poison(full); });
        where.wait(full, asio::use_future).get();
        figures = where.figures();
        dog.watch("the end of the engine", 60s);
    }
    const std::uint64_t sent = sum_of(book.sent);
    const std::uint64_t handled = sum_of(book.handled);
    std::printf("%s\n",
        fmt::format(
            "overload: {}, {}: {} sent, {} handled, {} dead, {} dropped, {} refused; control took {} us "
            "at most, {} messages and {} kB more in memory",
            is_owned ? "owned" : "embedded", name, sent, handled, figures.dead_letters, figures.dropped,
            book.refused.load(), seen.worst / 1us, seen.most_alive, seen.grown / 1024)
            .c_str());
    CHECK(sent == handled + figures.dead_letters + figures.dropped + book.refused);
    CHECK(figures.dead_letters == told);
    CHECK(book.alive == 0);
    CHECK(seen.worst < control_bound);
    CHECK(seen.most_alive < 100'000);
    CHECK(seen.grown < 300'000'000);
    if (when_full == overflow::wait) {  // then each source has a share
        CHECK(book.handled[rings] > 0);
        CHECK(book.handled[sockets] > 0);
        CHECK((book.handled[threads] > 0) == is_owned);
    } else {
        CHECK(seen.factor > 20);
    }
}

}  // namespace

TEST_CASE("overload: memory is bounded, control comes through, everything is counted", "[thread][overload]")
{
    constexpr std::string_view names[] = {"wait", "fail", "drop_newest", "drop_oldest", "dead_letter"};
    quiet_log quiet;
    const auto length = time_to_run(3s) / 10;
    for (const bool is_owned : {true, false}) {
        for (std::size_t policy = 0; policy < std::size(names); ++policy) {
            INFO((is_owned ? "owned, " : "embedded, ") << names[policy]);
            overload(is_owned, static_cast<overflow>(policy), names[policy], length);
        }
    }
}
