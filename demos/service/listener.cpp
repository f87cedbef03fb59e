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

costar::task<> listener(costar::context& self, acceptor open, std::vector<teller>* tellers)
{
    for (std::size_t turn = 0;; ++turn) {
        teller& bank = (*tellers)[turn % tellers->size()];
        auto [failure, client] = co_await open.async_accept(
            bank.engine().get_executor(bank.strand()), boost::asio::as_tuple(costar::use_task));
        if (self.stopping())
            co_return;
        if (failure) {  // no file handles left, or the client is gone already: others may do better
            co_await costar::sleep_for(20ms);
            continue;
        }
        client.set_option(boost::asio::ip::tcp::no_delay(true), failure);
        self.spawn(
            {.placement = costar::placement::chosen, .strand = static_cast<std::uint32_t>(bank.strand())},
            http_session, std::move(client), &bank);
    }
}

}  // namespace service
