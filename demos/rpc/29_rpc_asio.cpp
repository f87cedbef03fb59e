// SPDX-License-Identifier: MIT

// Cap'n Proto RPC in a plain Asio program: no engine, no actor, no thread. Server and client are coroutines
// of Asio on one io_context; a method is a coroutine too, and a caller that gives up cancels it.

#include <costar/rpc/call.hpp>
#include <costar/rpc/connection.hpp>
#include <costar/rpc/event_loop.hpp>
#include <costar/rpc/promise.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "bank.capnp.h"

namespace asio = boost::asio;
namespace rpc = costar::rpc;
using asio::ip::tcp;
using asio::use_awaitable;
using namespace std::chrono_literals;

namespace {

class bank final : public demo::Bank::Server {
public:
    explicit bank(asio::io_context& io) : io_(io) {}

private:
    kj::Promise<void> deposit(DepositContext call) override
    {
        rpc::allow_cancellation(call);
        return rpc::promise_of(deposit_slowly(call));
    }

    asio::awaitable<void> deposit_slowly(rpc::call<DepositContext> call)
    {
        asio::steady_timer paper_work(io_, 1ms);
        co_await paper_work.async_wait(use_awaitable);
        std::int64_t& balance = accounts_[call->getParams().getAccount().cStr()];
        if (balance + call->getParams().getCents() < 0)
            throw std::runtime_error("not enough money");
        balance += call->getParams().getCents();
        call->getResults().setBalance(balance);
    }

    asio::io_context& io_;
    std::map<std::string, std::int64_t> accounts_;
};

asio::awaitable<void> serve(asio::io_context& io, tcp::acceptor& acceptor)
{
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    auto link = rpc::connection::server(std::move(socket), kj::heap<bank>(io));
    co_await rpc::async_wait(link.disconnected(), use_awaitable);
    fmt::print("server: the client has gone\n");
}

asio::awaitable<std::int64_t> deposit(rpc::nothrow<demo::Bank::Client> bank, std::int64_t cents)
{
    auto request = bank->depositRequest();
    request.setAccount("alice");
    request.setCents(cents);
    auto answer = co_await rpc::async_wait(rpc::send(request), use_awaitable);
    co_return answer.getBalance();
}

asio::awaitable<void> use_it(asio::io_context& io, tcp::endpoint where)
{
    using namespace asio::experimental::awaitable_operators;
    tcp::socket socket(io);
    co_await socket.async_connect(where, use_awaitable);
    auto link = rpc::connection::client(std::move(socket));
    auto bank = link.bootstrap<demo::Bank>();

    fmt::print("client: alice has {}\n", co_await deposit(bank, 100));
    fmt::print("client: alice has {}\n", co_await deposit(bank, 50));
    try {
        co_await deposit(bank, -1000);
    } catch (const rpc::error& failure) {
        fmt::print(
            "client: {}, {}\n", failure.kind() == rpc::errc::failed ? "failed" : "other", failure.what());
    }
    asio::steady_timer patience(io, 0ms);
    const auto first = co_await (deposit(bank, 1) || patience.async_wait(use_awaitable));
    fmt::print("client: {}\n", first.index() == 1 ? "no patience, the call is cancelled" : "it came");
}

}  // namespace

int main()
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    asio::co_spawn(io, serve(io, acceptor), asio::detached);
    asio::co_spawn(io, use_it(io, acceptor.local_endpoint()), asio::detached);
    io.run();
}
