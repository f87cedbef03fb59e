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

}  // namespace

costar::task<> listener(costar::context& self, acceptor open, std::vector<teller>* tellers)
{
    const closing_time at_the_end(open, self.get_executor());
    std::uint64_t accepted = 0;
    for (std::size_t turn = 0; !self.stopping(); ++turn) {
        teller& bank = (*tellers)[turn % tellers->size()];
        auto [failure, client] = co_await open.async_accept(
            bank.engine().get_executor(bank.strand()), boost::asio::as_tuple(costar::use_task));
        if (failure) {  // no file handles left, or the client is gone already: others may do better
            co_await costar::sleep_for(20ms);
            continue;
        }
        const std::uint64_t others = accepted - bank.connections_closed();
        const std::size_t limit = bank.options().connections_max;
        client.set_option(boost::asio::ip::tcp::no_delay(true), failure);
        newcomer one_more(std::move(client));
        if (self.stopping() || others >= limit + turned_away_max)
            continue;
        ++accepted;
        const costar::spawn_options beside_its_teller{
            .placement = costar::placement::chosen, .strand = static_cast<std::uint32_t>(bank.strand())};
        if (others < limit)
            self.spawn(beside_its_teller, http_session, std::move(one_more), &bank);
        else
            self.spawn(beside_its_teller, turn_away, std::move(one_more), &bank);
    }
}

}  // namespace service
