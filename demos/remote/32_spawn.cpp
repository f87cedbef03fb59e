// SPDX-License-Identifier: MIT

// Two processes on this machine: the first has the second spawn actors of a kind that it offers, and is tied
// to them. The program starts itself once more as the second process.
//
// Run:     build/demos/remote/32_spawn
// Prints:  what the spawned actors say, and what becomes of a wish that is not permitted.
// Teaches: kinds and their arguments, who may spawn them, names elsewhere.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "hello.costar.hpp"  // made of hello.capnp by capnpc-costar

namespace asio = boost::asio;
namespace remote = costar::remote;
using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using demo::hello;
using namespace std::chrono_literals;

namespace {

costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<hello>();
    return words;
}

// The second process.

/// Greets in the name of whom it was spawned with.
task<> host(context& self, hello mine)
{
    while (message m = co_await self.receive())
        m.match([&](const hello& said) { return mine.name + " greets " + said.name; });
}

/// Ends when it is told to, and with it the second process.
task<> closing(context& self)
{
    co_await self.receive();
}

int serve()
{
    costar::engine engine;
    remote::kinds offered;
    offered.add<hello>("host", host, {.spawned_by = remote::peers{"first"}});
    offered.add("vault", closing);  // nobody may
    remote::node node(engine, all_words(), {.name = "second", .listen = "127.0.0.1:0", .kinds = offered});
    const pid last = engine.spawn("closing", closing);
    fmt::print("{}\n", node.address());
    std::fflush(stdout);
    engine.wait(last, asio::use_future).get();
    node.leave(1s, asio::use_future).get();
    return 0;
}

// The first process.

task<> guest(context& self, std::string second)
{
    const pid anna = co_await remote::spawn(self, second, {.kind = "host", .name = "anna"}, hello{"anna"});
    const pid bert = co_await remote::spawn(self, anna, "host", hello{"bert"});  // where anna is
    self.link(anna);  // she does not outlive this actor's crash, nor the loss of its node
    fmt::print("first: {}\n", co_await self.ask(anna, hello{"alice"}));
    fmt::print("first: {}\n", co_await self.ask(bert, hello{"bob"}));

    const auto taken =
        co_await costar::as_result(remote::spawn(self, second, {.kind = "host", .name = "anna"}, hello{"x"}));
    fmt::print("first: another anna: {}\n", taken.error().message());
    const auto refused = co_await costar::as_result(remote::spawn(self, second, "vault"));
    fmt::print("first: a vault: {}\n", refused.error().message());

    self.watch(bert);
    self.send(bert, costar::poison_pill{});  // who has had it spawned may stop it
    static_cast<void>(co_await self.receive<costar::terminated>());
    fmt::print("first: bert has ended\n");
}

int visit(const std::string& program)
{
    std::FILE* second = popen(("\"" + program + "\" serve").c_str(), "r");  // it prints its address
    if (second == nullptr)
        return 1;
    char address[64] = {};
    if (std::fscanf(second, "%63s", address) != 1)
        return 1;
    {
        costar::engine engine;
        remote::node node(engine, all_words(), {.name = "first"});
        engine.wait(engine.spawn(guest, std::string(address)), asio::use_future).get();
        engine.send(node.find("second/closing", asio::use_future).get(), hello{"good night"});
        node.leave(1s, asio::use_future).get();
    }
    return pclose(second) == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments)
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    return count > 1 && std::string_view(arguments[1]) == "serve" ? serve() : visit(arguments[0]);
}
