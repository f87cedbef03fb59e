// SPDX-License-Identifier: MIT

// A Cap'n Proto service in front of actors: each account is an actor, each connection has one of its own, and
// any program that has Cap'n Proto can call. The client here calls over TCP, and is called back by the
// server.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/with_timeout.hpp>
#include <costar/rpc/connection.hpp>
#include <costar/rpc/service.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bank.capnp.h"

namespace asio = boost::asio;
namespace rpc = costar::rpc;
using asio::ip::tcp;
using costar::context;
using costar::task;
using costar::use_task;
using namespace std::chrono_literals;

namespace {

struct deposit {
    using reply = std::int64_t;
    std::int64_t cents;
};

/// One account.
class account {
public:
    std::int64_t operator()(const deposit& order)
    {
        if (balance_ + order.cents < 0)
            throw std::runtime_error("not enough money");
        return balance_ += order.cents;
    }

private:
    std::int64_t balance_ = 0;
};

/// What a client sees: its methods ask the actors, with a deadline.
class bank final : public rpc::service<demo::Bank> {
public:
    explicit bank(costar::engine& engine) : engine_(engine) {}

private:
    kj::Promise<void> deposit(DepositContext call) override { return answer(call, deposit_there(call)); }

    task<> deposit_there(rpc::call<DepositContext> call)
    {
        const std::string name = call->getParams().getAccount().cStr();
        const auto balance =
            co_await engine_.ask(of(name), ::deposit{call->getParams().getCents()}, 1s, use_task);
        call->getResults().setBalance(balance);
        for (std::size_t i = 0; i < watchers_.size(); ++i) {  // more may come while these are told
            auto news = watchers_[i].changedRequest();
            news.setBalance(balance);
            co_await rpc::send(news);
        }
    }

    kj::Promise<void> watch(WatchContext call) override
    {
        watchers_.push_back(call.getParams().getTo());
        return kj::READY_NOW;
    }

    costar::pid of(const std::string& name)
    {
        if (const auto known = engine_.find(name))
            return *known;
        costar::spawn_options options;
        options.name = name;
        return engine_.spawn<account>(options);
    }

    costar::engine& engine_;
    std::vector<demo::Bank::Watcher::Client> watchers_;
};

/// Holds one connection.
task<> session(context& self, tcp::socket socket)
{
    auto link = rpc::connection::server(std::move(socket), kj::heap<bank>(self.engine()));
    co_await link.disconnected();
}

task<> server(context& self, tcp::acceptor acceptor)
{
    for (;;)
        self.spawn(session, co_await acceptor.async_accept(use_task));
}

class printer final : public demo::Bank::Watcher::Server {
    kj::Promise<void> changed(ChangedContext call) override
    {
        fmt::print("client: is told that it is {}\n", call.getParams().getBalance());
        return kj::READY_NOW;
    }
};

task<std::int64_t> ask_for_deposit(rpc::nothrow<demo::Bank::Client> bank, std::int64_t cents)
{
    auto request = bank->depositRequest();
    request.setAccount("alice");
    request.setCents(cents);
    auto answer = co_await costar::with_timeout(1s, rpc::send(request));
    co_return answer.getBalance();
}

task<> client(context& self, tcp::endpoint where)
{
    tcp::socket socket(self.get_executor());
    co_await socket.async_connect(where, use_task);
    auto link = rpc::connection::client(std::move(socket));
    auto bank = link.bootstrap<demo::Bank>();
    fmt::print("client: alice has {}\n", co_await ask_for_deposit(bank, 100));

    auto watch = bank.watchRequest();
    watch.setTo(kj::heap<printer>());
    co_await rpc::send(watch);
    fmt::print("client: alice has {}\n", co_await ask_for_deposit(bank, 50));
    try {
        co_await ask_for_deposit(bank, -1000);
    } catch (const rpc::error& failure) {
        fmt::print("client: refused, {}\n", failure.code().message());
    }
}

}  // namespace

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});  // that the account's handler threw
    costar::engine engine;
    tcp::acceptor acceptor(engine.get_executor(0), {asio::ip::address_v4::loopback(), 0});
    const tcp::endpoint where = acceptor.local_endpoint();
    const costar::pid served = engine.spawn(server, std::move(acceptor));
    engine.wait(engine.spawn(client, where), asio::use_future).get();
    engine.stop(served, asio::use_future).get();
}
