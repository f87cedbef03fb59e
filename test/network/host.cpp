// SPDX-License-Identifier: MIT

// One of several processes whose network is cut and healed by hosts.py. It sends numbers to an actor of each
// peer and asks it, finds it anew when it is lost, and says on its output what it sees. Or it is a program
// that is no node, and calls one once.
//
// Usage: host ADDRESS PEER... | host program ADDRESS

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/remote/node.hpp>
#include <costar/rpc/connection.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <costar/node.capnp.h>

#include "../../lib/remote/address.hpp"
#include "../remote/calls.hpp"
#include "../remote/places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

std::mutex output;

template <class... Parts>
void say(fmt::format_string<Parts...> text, Parts&&... parts)
{
    const std::lock_guard lock(output);
    fmt::print("{}\n", fmt::format(text, std::forward<Parts>(parts)...));
    std::fflush(stdout);
}

/// What has been done, and has come of it.
struct ledger {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<bool> is_over{false};
};

/// Takes numbers: those of one sender grow. The upper half says who sends.
task<> counter(context& self, ledger* book)
{
    std::map<std::uint64_t, std::uint64_t> last;
    while (message m = co_await self.receive())
        m.match(
            [&](const more& next) {
                std::uint64_t& before = last[next.value >> 32];
                if (next.value <= before) {
                    ++book->wrong;
                    say("wrong order: {} behind {}", next.value, before);
                }
                before = next.value;
                ++book->received;
            },
            [&](const total&) { return last.size(); });
}

task<> asks(context& self, ledger* book, pid whom)
{
    ++book->asked;
    const auto answer = co_await as_result(self.ask(whom, total{}, 2s));
    ++(answer ? book->answered : book->failed);
}

/// Looks after one peer until the end.
task<> visitor(context& self, ledger* book, remote::node* node, std::string peer)
{
    // The process, and the visitor in it: nobody else sends under this number.
    std::uint64_t number = (std::uint64_t(getpid()) << 8 | (self.pid().slot() & 255)) << 32;
    const std::string name = peer.substr(0, peer.find(':'));
    while (!book->is_over) {
        const auto found = co_await as_result(node->find(peer + "/counter", use_task));
        if (!found) {
            co_await sleep_for(100ms);
            continue;
        }
        say("found {}", name);
        self.watch(*found);
        bool is_there = true;
        while (is_there && !book->is_over) {
            for (int i = 0; i < 20; ++i, ++book->sent)
                self.send(*found, more{++number});
            self.spawn_task(asks(self, book, *found));
            while (message m = co_await self.receive(20ms))
                m.match([&](const terminated& end) {
                    say("lost {}: {}", name, make_error_code(end.reason).message());
                    is_there = false;
                });
        }
    }
    while (book->asked != book->answered + book->failed)
        co_await sleep_for(20ms);
}

/// Says which programs have gone, of the lines of the log.
void write_log(log_level level, std::string_view line)
{
    if (line.starts_with("the client at "))
        say("{}", line);
    else if (level >= log_level::warning)
        fmt::print(stderr, "{}\n", line);
}

/// Asks for an actor, and says nothing any more.
int be_program(const std::string& address)
{
    const auto [host, port] = remote::parse_address(address);
    boost::asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    boost::asio::ip::tcp::socket socket(io);
    socket.connect({boost::asio::ip::make_address(host), port});
    auto calls = rpc::connection::client(rpc::make_stream(std::move(socket)));
    auto find = calls.bootstrap<schema::Node>().actorRequest();
    find.setName("counter");
    const std::string said = said_of(io, find.send());
    say("{}", said.empty() ? "served" : said);
    boost::asio::signal_set ends(io, SIGTERM);
    ends.async_wait([&](boost::system::error_code, int) { io.stop(); });
    io.restart();
    io.run_for(2min);
    return said.empty() ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments)
{
    if (std::string_view(arguments[1]) == "program")
        return be_program(arguments[2]);
    set_log_level(log_level::debug);
    set_log_sink(write_log);
    ledger book;
    engine actors({.strands = 2});
    remote::node node(actors, all_words(),
        {.listen = arguments[1],
            .greeting_timeout = 1s,
            .heartbeat = 300ms,
            .silence_max = 1s,
            .pause_min = 50ms,
            .pause_max = 500ms});
    actors.spawn("counter", counter, &book);
    std::vector<pid> visitors;
    for (int i = 2; i < count; ++i)
        visitors.push_back(actors.spawn(visitor, &book, &node, std::string(arguments[i])));

    boost::asio::io_context io;
    boost::asio::signal_set ends(io, SIGTERM);
    ends.async_wait([](boost::system::error_code, int) {});
    say("ready");
    io.run_for(2min);
    book.is_over = true;
    for (const pid each : visitors)
        actors.wait(each, boost::asio::use_future).get();
    say("end: sent {} received {} asked {} answered {} failed {} wrong {}", book.sent.load(),
        book.received.load(), book.asked.load(), book.answered.load(), book.failed.load(), book.wrong.load());
    return book.wrong == 0 ? 0 : 1;
}
