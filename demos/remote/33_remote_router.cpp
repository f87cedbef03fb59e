// SPDX-License-Identifier: MIT

// Three nodes on this machine: a router of the first leads each customer to the same clerk of the two others.
// The program starts itself once more for each of them, and one of them goes home early.
//
// Run:     build/demos/remote/33_remote_router
// Prints:  how customers are served before and after one node has gone.
// Teaches: routers over actors of other nodes; routees that are lost leave by themselves.

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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

// The offices.

/// Serves customers under the name that it was spawned with.
task<> clerk(context& self, hello mine)
{
    while (message m = co_await self.receive())
        m.match([&](const hello&) { return mine.name; });
}

task<> closing(context& self)
{
    co_await self.receive();
}

int serve(const std::string& name)
{
    costar::engine engine;
    remote::kinds offered;
    offered.add<hello>("clerk", clerk, {.spawned_by = remote::anyone});
    remote::node node(engine, all_words(), {.name = name, .listen = "127.0.0.1:0", .kinds = offered});
    const pid last = engine.spawn("closing", closing);
    fmt::print("{}\n", node.address());
    std::fflush(stdout);
    engine.wait(last, asio::use_future).get();
    return 0;
}

// The first node.

task<std::map<std::string, std::string>> serve_all(context& self, pid clerks)
{
    std::map<std::string, std::string> served;
    for (char customer = 'a'; customer <= 'z'; ++customer)
        served[std::string(1, customer)] = co_await self.ask(clerks, hello{std::string(1, customer)});
    co_return served;
}

task<> office(context& self, std::vector<std::string> nodes)
{
    std::vector<pid> clerks;
    for (const std::string& node : nodes)
        for (const char* name : {"one", "two"})
            clerks.push_back(co_await remote::spawn(self, node, "clerk", hello{node + " " + name}));
    const pid router = costar::spawn_group(self, "clerks", clerks,
        {.strategy = costar::routing::consistent_hash,
            .keys = costar::hash_keys([](const hello& said) { return said.name; })});

    const auto before = co_await serve_all(self, router);
    fmt::print("each customer has the same clerk: {}\n", before == co_await serve_all(self, router));

    const auto node = self.engine().extensions().find<remote::node*>();
    const pid last = co_await (*node)->find("east/closing", costar::use_task);
    self.send(last, hello{"good night"});
    while ((co_await self.ask(router, costar::get_routees{})).size() > 2)
        co_await costar::sleep_for(1ms);

    std::size_t stayed = 0;
    std::size_t west = 0;
    const auto after = co_await serve_all(self, router);
    for (const auto& [customer, name] : after) {
        stayed += name == before.at(customer) ? 1 : 0;
        west += name.starts_with("west") ? 1 : 0;
    }
    std::size_t were_west = 0;
    for (const auto& [customer, name] : before)
        were_west += name.starts_with("west") ? 1 : 0;
    fmt::print(
        "the west serves all {} customers, and its own by the same clerks: {}\n", west, stayed == were_west);
    self.send(co_await (*node)->find("west/closing", costar::use_task), hello{"good night"});
    co_await (*node)->leave(1s, costar::use_task);
}

int visit(const std::string& program)
{
    std::vector<std::FILE*> others;
    std::vector<std::string> addresses;
    for (const char* name : {"east", "west"}) {
        others.push_back(popen(("\"" + program + "\" " + name).c_str(), "r"));  // it prints its address
        char address[64] = {};
        if (others.back() == nullptr || std::fscanf(others.back(), "%63s", address) != 1)
            return 1;
        addresses.emplace_back(address);
    }
    {
        costar::engine engine;
        remote::node node(engine, all_words(), {.name = "first"});
        engine.extensions().emplace<remote::node*>(&node);
        for (const std::string& address : addresses)  // both are met, and known by their names
            static_cast<void>(node.find(address + "/closing", asio::use_future).get());
        engine.wait(engine.spawn(office, std::vector<std::string>{"east", "west"}), asio::use_future).get();
    }
    bool is_well = true;
    for (std::FILE* each : others)
        is_well = pclose(each) == 0 && is_well;
    return is_well ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments)
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    return count > 1 ? serve(arguments[1]) : visit(arguments[0]);
}
