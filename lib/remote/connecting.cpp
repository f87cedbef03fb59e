// SPDX-License-Identifier: MIT

#include "connecting.hpp"

#include "address.hpp"
#include "link.hpp"
#include "servers.hpp"

#include <costar/core/error.hpp>
#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when_any.hpp>
#include <costar/core/with_timeout.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

namespace costar::remote {

namespace {

using boost::asio::ip::tcp;

/// The links of the book forget an actor when it ends.
class book_entry {
public:
    book_entry(switchboard& board, pid who) noexcept : board_(board), who_(who) {}
    book_entry(const book_entry&) = delete;
    book_entry& operator=(const book_entry&) = delete;
    ~book_entry() { board_.book().forget_dialling(who_); }

private:
    switchboard& board_;
    pid who_;
};

void tell_of_loss(switchboard& board, const std::string& name, const std::string& address,
    const std::string& why, bool was_there)
{
    log(log_level::info,
        fmt::format("{}node {}{}at {}: {}", was_there ? "the link has ended to " : "no link to ", name,
            name.empty() ? "" : " ", address, why));
    board.shared().events.publish(peer_lost{name, address, why});
}

/// Holds a link until it ends, for whatever reason. Says whether the peer has been found to be one.
task<bool> hold(context& self, switchboard& board, tcp::socket socket, std::string address, bool has_dialled)
{
    const auto place = std::make_shared<link_place>();
    rpc::connection_options limits;
    limits.message_max = board.options().message_max + std::size_t{1024} * 1024;
    auto stream = rpc::make_stream(std::move(socket));
    std::string name;
    std::string why;
    bool was_greeted = false;
    std::exception_ptr ended;
    {
        link made(self, board,
            has_dialled ? rpc::connection::client(kj::mv(stream), kj::heap<node_server>(place), limits)
                        : rpc::connection::server(kj::mv(stream), kj::heap<node_server>(place), limits),
            place, address, has_dialled);
        try {
            why = co_await made.serve();
        } catch (...) {
            ended = machine::caught_exception();
        }
        name = made.peer_name();
        was_greeted = made.was_greeted();
    }
    if (self.stopping()) {
        if (was_greeted)
            board.shared().events.publish(peer_lost{name, address, "this node has stopped the link"});
        if (ended)
            std::rethrow_exception(ended);
        co_return was_greeted;
    }
    tell_of_loss(board, name, address, ended ? machine::text_of(ended) : why, was_greeted);
    co_return was_greeted;
}

task<> connect(tcp::resolver& resolver, tcp::socket& socket, host_and_port where)
{
    const auto found = co_await resolver.async_resolve(where.host, std::to_string(where.port), use_task);
    co_await asio::async_connect(socket, found, use_task);
}

void rest(context& self, switchboard& board, const std::string& address)
{
    const node_options& options = board.options();
    board.book().rest(address, static_cast<std::uint64_t>(self.now().count()),
        static_cast<std::uint64_t>(options.pause_min.count()),
        static_cast<std::uint64_t>(options.pause_max.count()));
}

task<> dial(context& self, switchboard* board, std::string address)
{
    const book_entry entry(*board, self.pid());
    tcp::socket socket(self.get_executor());
    tcp::resolver resolver(self.get_executor());
    std::exception_ptr failed;
    try {
        co_await with_timeout(
            board->options().greeting_timeout, connect(resolver, socket, parse_address(address)));
    } catch (...) {
        failed = machine::caught_exception();
    }
    if (failed) {
        if (is_cancellation(failed))
            std::rethrow_exception(failed);
        rest(self, *board, address);
        tell_of_loss(*board, {}, address, machine::text_of(failed), false);
        co_return;
    }
    if (!co_await hold(self, *board, std::move(socket), address, true))
        rest(self, *board, address);
}

task<> accepted(context& self, switchboard* board, tcp::socket socket, std::string address)
{
    co_await hold(self, *board, std::move(socket), std::move(address), false);
}

/// Each link is on another strand.
task<> accept(context& self, switchboard* board, tcp::acceptor& acceptor)
{
    spawn_options options;
    options.placement = placement::chosen;
    options.mailbox.limit = board->options().queue_max;
    for (;;) {
        options.strand = static_cast<std::uint32_t>((options.strand + 1) % board->shared().stations.size());
        tcp::socket socket(board->owner().get_executor(options.strand));
        const auto [failed] = co_await acceptor.async_accept(socket, asio::as_tuple(use_task));
        if (is_cancellation(failed))
            co_return;
        if (failed) {
            log(log_level::warning, fmt::format("a node cannot accept: {}", failed.message()));
            co_await sleep_for(std::chrono::milliseconds(100));  // as without descriptors
            continue;
        }
        boost::system::error_code gone;
        const tcp::endpoint from = socket.remote_endpoint(gone);
        self.spawn(options, accepted, board, std::move(socket), text_of(from));
    }
}

task<> listen(context& self, switchboard* board, tcp::acceptor acceptor)
{
    {
        auto first = when_any(accept(self, board, acceptor), self.receive<stop_accepting>());
        co_await std::move(first);
    }
    acceptor.close();
    while (co_await self.receive())
        ;
}

}  // namespace

pid spawn_dialling_link(switchboard& board, const std::string& address)
{
    spawn_options options;
    options.placement = placement::spread;
    options.mailbox.limit = board.options().queue_max;
    return board.owner().spawn(options, dial, &board, address);
}

pid spawn_listener(switchboard& board, tcp::acceptor acceptor)
{
    spawn_options options;
    options.placement = placement::chosen;
    return board.owner().spawn(options, listen, &board, std::move(acceptor));
}

}  // namespace costar::remote
