// SPDX-License-Identifier: MIT

// A node behind a router that translates addresses (NAT), as in a home or an office: nobody can dial it. It
// asks a server, which watches it and calls it back, all over the connection that it has made.
//
// Run:     python3 demos/remote/38_behind_nat/hosts.py build/demos/remote/38_behind_nat
//          makes the router out of network namespaces of Linux, which takes root; or, with --forwarder behind
//          it, has a program stand for the router
// Prints:  what the server sees and says, and what the caller does; then the cable is pulled out and put in
// again. Teaches: nodes without a port, the only way back, and the seam at which a program looks at its
// connections.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/remote/node.hpp>
#include <costar/remote/transport.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "hello.costar.hpp"  // made of ../hello.capnp by capnpc-costar

namespace asio = boost::asio;
namespace remote = costar::remote;
using costar::as_result;
using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using demo::hello;
using namespace std::chrono_literals;

namespace {

template <class... Parts>
void say(fmt::format_string<Parts...> text, Parts&&... parts)
{
    fmt::print("{}\n", fmt::format(text, std::forward<Parts>(parts)...));
    std::fflush(stdout);
}

/// Says who comes in. All else is done by the acceptor of TCP.
class watched_door final : public remote::acceptor {
public:
    explicit watched_door(std::unique_ptr<remote::acceptor> tcp) : tcp_(std::move(tcp)) {}

    std::string address() const override { return tcp_->address(); }
    bool is_wildcard() const override { return tcp_->is_wildcard(); }
    bool is_exposed() const override { return tcp_->is_exposed(); }
    task<std::unique_ptr<remote::new_connection>> accept(asio::any_io_executor strand) override
    {
        std::unique_ptr<remote::new_connection> made = co_await tcp_->accept(std::move(strand));
        say("sees a connection from {}", made->peer());
        co_return made;
    }
    void close() noexcept override { tcp_->close(); }

private:
    std::unique_ptr<remote::acceptor> tcp_;
};

/// TCP that says who comes in, and who is dialled.
class watched_network final : public remote::transport {
public:
    std::unique_ptr<remote::acceptor> listen(
        const std::string& address, asio::any_io_executor strand) override
    {
        return std::make_unique<watched_door>(tcp_->listen(address, std::move(strand)));
    }
    task<std::unique_ptr<remote::new_connection>> dial(std::string address) override
    {
        say("dials {}", address);
        return tcp_->dial(std::move(address));
    }

private:
    std::shared_ptr<remote::transport> tcp_ = remote::tcp_transport();
};

/// Looks after links closely, so that nobody has to wait long for the end of this demo. What goes back and
/// forth for that keeps a router from forgetting the connection, too.
remote::node_options impatient(std::string name)
{
    return {.name = std::move(name),
        .heartbeat = 300ms,
        .silence_max = 1s,
        .pause_min = 50ms,
        .pause_max = 500ms,
        .network = std::make_shared<watched_network>()};
}

// The server, which everybody can dial.

task<> call_back(context& self, pid caller)
{
    const auto answer = co_await as_result(self.ask(caller, hello{"the desk"}, 2s));
    if (answer)
        say("calls back: \"{}\"", *answer);
    else
        say("cannot call back: {}", answer.error().message());
}

task<> desk(context& self, remote::node* node)
{
    while (message m = co_await self.receive()) {
        const pid sender = m.sender();
        if (m.match([](const hello& said) {
                say("is asked by {}", said.name);
                return "hello " + said.name;
            })) {
            self.watch(sender);
            co_await call_back(self, sender);
            const remote::peer_figures peer = node->peers().back();
            say("knows of {} {}, and has had {} links to it", peer.name,
                peer.address.empty() ? "no address" : peer.address, peer.links);
        } else if (m.is<costar::terminated>()) {
            const pid lost = m.get<costar::terminated>().who;
            say("has lost the caller");
            co_await call_back(self, lost);
        }
    }
}

// The caller, whom nobody can dial.

/// Answers until the desk is out of reach.
task<> be_there(context& self)
{
    bool is_there = true;
    while (is_there) {
        message m = co_await self.receive();
        m.match(
            [](const hello& said) {
                say("is called by {}", said.name);
                return std::string("ada is here");
            },
            [&](const costar::terminated&) { is_there = false; });
    }
    say("has lost the desk");
}

task<> caller(context& self, remote::node* node, std::string where)
{
    for (;;) {
        const auto desk = co_await as_result(node->find(where + "/desk", costar::use_task));
        if (!desk) {
            co_await costar::sleep_for(100ms);
            continue;
        }
        self.watch(*desk);
        const auto answer = co_await as_result(self.ask(*desk, hello{"ada"}));
        if (answer)
            say("is told: \"{}\"", *answer);
        co_await be_there(self);
    }
}

}  // namespace

int main(int count, char** arguments)
{
    const std::string_view part = count == 3 ? arguments[1] : "";
    if (part != "serve" && part != "call") {
        fmt::print(stderr, "38_behind_nat serve ADDRESS | call ADDRESS\n");
        return 2;
    }
    costar::set_log_level(costar::log_level::error);
    costar::wire::dictionary words;
    words.add<hello>();
    remote::node_options options = impatient(part == "serve" ? "server" : "caller");
    if (part == "serve")
        options.listen = arguments[2];
    costar::engine engine;
    remote::node node(engine, std::move(words), std::move(options));
    if (part == "serve") {
        engine.spawn("desk", desk, &node);
        say("listens at {}", node.address());
    } else {
        engine.spawn("caller", caller, &node, std::string(arguments[2]));
    }
    while (std::getchar() != EOF)
        ;  // until its input ends
}
