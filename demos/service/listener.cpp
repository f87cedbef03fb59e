// SPDX-License-Identifier: MIT

#include "listener.hpp"

#include "http_session.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <utility>

namespace service {

using namespace std::chrono_literals;

acceptor open_port(costar::strand where, std::uint16_t port)
{
    const boost::asio::ip::tcp::endpoint here(boost::asio::ip::address_v4::loopback(), port);
    return acceptor(std::move(where), here);
}

namespace {

/// So many more connections are told why they are turned away; those behind them only that they are.
constexpr std::size_t turned_away_max = 256;

/// Tells whoever has connected and was not accepted that it is too late, and does not just cut them.
class closing_time {
public:
    closing_time(acceptor& open, costar::strand where) : open_(open), where_(std::move(where)) {}
    closing_time(const closing_time&) = delete;
    ~closing_time()
    {
        boost::system::error_code failure;
        open_.non_blocking(true, failure);
        while (!failure) {
            socket client(where_);
            open_.accept(client, failure);
            const newcomer too_late(std::move(client));
        }
    }

private:
    acceptor& open_;
    costar::strand where_;
};

/// Gives each connection that was accepted to a session, on the strands in turn, or turns it away.
class doorkeeper {
public:
    doorkeeper(costar::context& self, std::vector<teller>& tellers) : self_(self), tellers_(tellers) {}

    /// Where the next one is served.
    costar::strand next_strand() const { return next().engine().get_executor(next().strand()); }

    void take(socket client)
    {
        teller& bank = next();
        const std::uint64_t others = accepted_ - bank.connections_closed();
        const std::size_t limit = bank.options().connections_max;
        boost::system::error_code ignored;
        client.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
        newcomer one_more(std::move(client));
        ++turn_;
        if (self_.stopping() || others >= limit + turned_away_max)
            return;
        ++accepted_;
        const costar::spawn_options beside_its_teller{
            .placement = costar::placement::chosen, .strand = static_cast<std::uint32_t>(bank.strand())};
        if (others < limit)
            self_.spawn(beside_its_teller, http_session, std::move(one_more), &bank);
        else
            self_.spawn(beside_its_teller, turn_away, std::move(one_more), &bank);
    }

private:
    teller& next() const noexcept { return tellers_[turn_ % tellers_.size()]; }

    costar::context& self_;
    std::vector<teller>& tellers_;
    std::uint64_t accepted_ = 0;
    std::size_t turn_ = 0;
};

/// Takes those that wait already, some at a time. Each would wait for a look at all sockets otherwise, behind
/// a request of everybody who was here before.
costar::task<> take_waiting(costar::context& self, acceptor& open, doorkeeper& door)
{
    constexpr int at_a_time = 16;
    boost::system::error_code failure;
    for (int left = at_a_time; !failure && !self.stopping(); --left) {
        if (left == 0) {
            co_await costar::yield();
            left = at_a_time;
        }
        socket client(door.next_strand());
        open.accept(client, failure);
        if (!failure)
            door.take(std::move(client));
    }
}

}  // namespace

costar::task<> listener(costar::context& self, acceptor open, std::vector<teller>* tellers)
{
    const closing_time at_the_end(open, self.get_executor());
    doorkeeper door(self, *tellers);
    open.non_blocking(true);
    while (!self.stopping()) {
        auto [failure, client] =
            co_await open.async_accept(door.next_strand(), boost::asio::as_tuple(costar::use_task));
        if (failure) {  // no file handles left, or the client is gone already: others may do better
            co_await costar::sleep_for(20ms);
            continue;
        }
        door.take(std::move(client));
        co_await take_waiting(self, open, door);
    }
}

}  // namespace service
