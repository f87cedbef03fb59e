// SPDX-License-Identifier: MIT

// Two processes on this machine, each a node: an actor of the first asks one of the second, watches it, and
// is told when it ends. The program starts itself once more as the second process.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "hello.costar.hpp"  // made of hello.capnp by capnpc-costar

namespace asio = boost::asio;
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

/// Greets twice, and ends.
task<> host(context& self)
{
    for (int i = 0; i < 2; ++i) {
        message m = co_await self.receive();
        m.match([](const hello& said) { return "hello " + said.name; });
    }
}

int serve()
{
    costar::engine engine;
    costar::remote::node node(engine, all_words(), {.name = "second", .listen = "127.0.0.1:0"});
    const pid greeter = engine.spawn("host", host);
    fmt::print("{}\n", node.address());
    std::fflush(stdout);
    engine.wait(greeter, asio::use_future).get();
    node.leave(1s, asio::use_future).get();  // the first process hears of the end
    return 0;
}

// The first process.

task<> guest(context& self, pid host)
{
    self.watch(host);
    for (const char* name : {"alice", "bob"})
        fmt::print("first: the host says \"{}\"\n", co_await self.ask(host, hello{name}));
    message m = co_await self.receive();
    m.match([](const costar::terminated& end) {
        const bool is_lost = end.reason == costar::errc::unreachable;
        fmt::print("first: the host {}\n", is_lost ? "is out of reach" : "has ended");
    });
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
        costar::remote::node node(engine, all_words(), {.name = "first"});
        const pid host = node.find(std::string(address) + "/host", asio::use_future).get();
        engine.wait(engine.spawn(guest, host), asio::use_future).get();
    }
    return pclose(second) == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments)
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    return count > 1 && std::string_view(arguments[1]) == "serve" ? serve() : visit(arguments[0]);
}
