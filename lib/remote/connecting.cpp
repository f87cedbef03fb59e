// SPDX-License-Identifier: MIT

#include "connecting.hpp"

#include "address.hpp"
#include "admission.hpp"
#include "doorkeeper.hpp"
#include "handing_over.hpp"
#include "link.hpp"
#include "losses.hpp"
#include "servers.hpp"

#include <costar/core/error.hpp>
#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/when_any.hpp>
#include <costar/core/with_timeout.hpp>

#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace costar::remote {

namespace {

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

bool has_timed_out(const std::exception_ptr& failed)
{
    try {
        std::rethrow_exception(failed);
    } catch (const error& failure) {
        return failure.code() == errc::timed_out;
    } catch (...) {
        return false;
    }
}

/// With TLS 1.3 who has dialled hears behind its handshake that its certificate is not accepted.
bool is_late_alert(const link_place& place, const std::string& why)
{
    return place.proven_names && place.refused == refusal::none && why.find(" alert ") != std::string::npos;
}

/// What has come of a connection.
struct outcome {
    /// Has the peer been found to be one?
    bool was_greeted = false;

    /// Another link, to which this one has yielded.
    pid yielded_to{};
};

/// Holds a link until it ends, for whatever reason. Who hears that it has ended may dial again: the book has
/// forgotten it by then, and with `dialled` its address.
task<outcome> hold(context& self, switchboard& board, std::unique_ptr<new_connection> connection,
    std::string address, std::optional<book_entry>* dialled, std::weak_ptr<visitors::place> visit = {})
{
    const bool has_dialled = dialled != nullptr;
    const auto place = std::make_shared<link_place>();
    rpc::connection_options limits;
    limits.message_max = board.options().message_max + std::size_t{1024} * 1024;
    if (!has_dialled)
        limits.calls_max = client_calls_bytes_max;
    place->proven_names = connection->proven_names();
    machine::kj_loop::here();  // so that it is there whoever has made the stream
    auto stream = connection->stream();
    connection.reset();
    std::string name;
    std::string why;
    std::string given_up;  // why, where this side has
    bool was_greeted = false;
    bool was_left = false;
    bool is_client = false;
    std::exception_ptr ended;
    {
        std::optional<link> made;
        try {
            made.emplace(self, board,
                has_dialled
                    ? rpc::connection::client(kj::mv(stream), kj::heap<node_server>(place), limits)
                    : rpc::connection::server(kj::mv(stream), serve_visitor(place, std::move(visit)), limits),
                place, address, has_dialled);
            why = co_await made->serve();
        } catch (...) {
            ended = machine::caught_exception();
        }
        if (made) {
            name = made->peer_name();
            given_up = made->why_ended();
            was_greeted = made->was_greeted();
            was_left = made->was_left();
            is_client = made->is_client();
            if (made->yielded_to())
                co_return outcome{true, made->yielded_to()};
        }
    }
    if (has_dialled)
        dialled->reset();
    if (self.stopping() && given_up.empty()) {
        if (was_greeted)
            board.shared().events.publish(peer_lost{name, address, "this node has stopped the link"});
        if (ended)
            std::rethrow_exception(ended);
        co_return outcome{was_greeted};
    }
    if (ended)
        why = self.stopping() ? given_up : machine::text_of(ended);
    if (is_client) {
        log(log_level::debug, fmt::format("the client at {} has gone: {}", address, why));
        co_return outcome{was_greeted};
    }
    if (was_left && place->refused == refusal::none && !(ended && has_timed_out(ended))) {
        log(log_level::debug,
            fmt::format("node {} at {} does not use its connection: {}", name, address, why));
        co_return outcome{};
    }
    if (!was_greeted && is_late_alert(*place, why)) {
        place->refused = refusal::not_trusted;
        place->by_peer = true;
        why = "it refuses this node's certificate: " + why;
    } else if (!was_greeted && place->refused != refusal::none) {
        name = place->peer_name;
        why = text_of(*place);
    } else if (!was_greeted && !place->proven_names && !is_unix_address(address)) {
        why += "; is TLS spoken by one side alone?";
    }
    if (place->refused != refusal::none)
        tell_of_refusal(board, *place, address, why);
    tell_of_loss(self, board, name, address, why, was_greeted);
    co_return outcome{was_greeted};
}

/// Whatever a transport throws, connections go on, and it is looked again.
void look_at_certificates(context& self, switchboard& board)
{
    try {
        board.tell_of_certificates();
    } catch (...) {
        const std::string why = machine::text_of(machine::caught_exception());
        board.refusals().write(log_level::warning, static_cast<std::uint64_t>(self.now().count()),
            "certificates", fmt::format("a node cannot look at its certificates: {}", why));
    }
}

/// Does what has to be done in time; else gives why it came to nothing.
task<std::exception_ptr> in_time(context& self, switchboard& board, task<> work)
{
    std::exception_ptr failed;
    try {
        co_await with_timeout(board.options().greeting_timeout, std::move(work));
    } catch (...) {
        failed = machine::caught_exception();
    }
    if (failed && is_cancellation(failed))
        std::rethrow_exception(failed);
    look_at_certificates(self, board);
    co_return failed;
}

task<> connect(switchboard& board, std::string address, std::unique_ptr<new_connection>& made)
{
    made = co_await board.network().dial(std::move(address));
    made->keep_alive(board.options().silence_max);
    co_await made->open();
}

void rest(context& self, switchboard& board, const std::string& address)
{
    const node_options& options = board.options();
    board.book().rest(address, static_cast<std::uint64_t>(self.now().count()),
        static_cast<std::uint64_t>(options.pause_min.count()),
        static_cast<std::uint64_t>(options.pause_max.count()), board.network().draw());
}

/// The same where another connection to that node may come into use meanwhile: gives whose that is.
task<pid> connect_or_yield(context& self, switchboard& board, const std::string& address,
    std::unique_ptr<new_connection>& made, std::exception_ptr& failed)
{
    for (;;) {
        auto first = when_any(in_time(self, board, connect(board, address, made)), self.receive<give_way>());
        auto result = co_await std::move(first);
        const bool has_ended = result.index() == 0;
        if (has_ended)
            failed = std::get<0>(std::move(result));
        if (has_ended && !failed)
            co_return pid();
        if (const pid used = board.book().yield(self.pid()); used || failed)
            co_return used;
        made.reset();
    }
}

task<> dial(context& self, switchboard* board, std::string address)
{
    std::optional<book_entry> entry(std::in_place, *board, self.pid());
    std::unique_ptr<new_connection> connection;
    std::exception_ptr failed;
    outcome found;
    found.yielded_to = co_await connect_or_yield(self, *board, address, connection, failed);
    if (!found.yielded_to && failed) {
        entry.reset();
        rest(self, *board, address);
        tell_of_failure(self, *board, address, failed);
        co_return;
    }
    if (!found.yielded_to)
        found = co_await hold(self, *board, std::move(connection), address, &entry);
    if (found.yielded_to)
        co_await hand_over(self, *board, found.yielded_to);
    else if (!found.was_greeted)
        rest(self, *board, address);
}

task<> accepted(context& self, switchboard* board, std::unique_ptr<new_connection> connection,
    std::string address, std::shared_ptr<visitors::place> visit)
{
    const auto failed = co_await in_time(self, *board, connection->open());
    if (failed)
        tell_of_failure(self, *board, address, failed);
    else
        co_await hold(self, *board, std::move(connection), std::move(address), nullptr, visit);
}

/// Once a minute, with how many there were.
void tell_of_crowd(context& self, switchboard& board, const std::string& address, const std::string& why)
{
    board.counters.turned_away.fetch_add(1, std::memory_order_relaxed);
    const auto written = board.refusals().note(static_cast<std::uint64_t>(self.now().count()), "connections",
        fmt::format("the connection from {} was closed: {}", address, why));
    if (!written)
        return;
    log(log_level::warning, *written);
    board.shared().events.publish(peer_refused{{}, address, *written, refusal::too_many_connections, false});
}

/// Closes a connection of which nobody knows whose it is, if there is one.
task<bool> make_room(context& self, switchboard& board, const std::string& why)
{
    const auto silent = board.visitors().dismiss();
    if (!silent)
        co_return false;
    co_await self.stop(silent->who);
    tell_of_crowd(self, board, silent->address, why + ", and it has not said who it is");
    co_return true;
}

/// The next connection gets a link on this strand, as long as there is a place for it.
task<> accept_next(context& self, switchboard& board, acceptor& door, const spawn_options& options)
{
    auto next = co_await door.accept(board.owner().get_executor(options.strand));
    next->keep_alive(board.options().silence_max);
    std::string address = next->peer();
    auto visit = board.visitors().take(address);
    if (visit == nullptr) {
        const std::string why = fmt::format("there are {} already", board.visitors().places());
        if (co_await make_room(self, board, why))
            visit = board.visitors().take(address);
        else
            tell_of_crowd(self, board, address, why);
    }
    if (visit == nullptr)
        co_return;
    const pid made = self.spawn(options, accepted, &board, std::move(next), std::move(address), visit);
    visit->belongs_to(made);
}

bool has_no_descriptors(const std::exception_ptr& failed)
{
    try {
        std::rethrow_exception(failed);
    } catch (const boost::system::system_error& failure) {
        return failure.code() == boost::system::errc::too_many_files_open ||
            failure.code() == boost::system::errc::too_many_files_open_in_system;
    } catch (...) {
        return false;
    }
}

/// Each link is on another strand.
task<> accept(context& self, switchboard* board, acceptor& door)
{
    spawn_options options;
    options.placement = placement::chosen;
    for (;;) {
        options.strand = static_cast<std::uint32_t>((options.strand + 1) % board->shared().stations.size());
        std::exception_ptr failed;
        try {
            co_await accept_next(self, *board, door, options);
        } catch (...) {
            failed = machine::caught_exception();
        }
        if (!failed)
            continue;
        if (is_cancellation(failed))
            co_return;
        if (has_no_descriptors(failed) && co_await make_room(self, *board, "there are no descriptors"))
            continue;
        board->refusals().write(log_level::warning, static_cast<std::uint64_t>(self.now().count()), "accept",
            fmt::format("a node cannot accept: {}", machine::text_of(failed)));
        co_await sleep_for(std::chrono::milliseconds(100));
    }
}

task<> listen(context& self, switchboard* board, std::unique_ptr<acceptor> door)
{
    {
        auto first = when_any(accept(self, board, *door), self.receive<stop_accepting>());
        co_await std::move(first);
    }
    door->close();
    while (co_await self.receive())
        ;
}

task<> look_after_certificates(context& self, switchboard* board)
{
    for (;;) {
        look_at_certificates(self, *board);
        co_await sleep_for(board->network().look_interval());
    }
}

}  // namespace

pid spawn_dialling_link(switchboard& board, const std::string& address)
{
    spawn_options options;
    options.placement = placement::spread;
    return board.owner().spawn(options, dial, &board, address);
}

pid spawn_listener(switchboard& board, std::unique_ptr<acceptor> door)
{
    spawn_options options;
    options.placement = placement::chosen;
    return board.owner().spawn(options, listen, &board, std::move(door));
}

pid spawn_caretaker(switchboard& board)
{
    return board.owner().spawn(look_after_certificates, &board);
}

}  // namespace costar::remote
