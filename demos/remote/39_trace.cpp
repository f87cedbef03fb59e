// SPDX-License-Identifier: MIT

// Three nodes: an order goes from the desk of the first to the stock of the second, and from there to the
// depot of the third, and its trace goes along as a header, in the form of W3C Trace Context.
//
// Run:     build/demos/remote/39_trace
// Prints:  the steps of an order as their spans, each with the one above it.
// Teaches: headers travel beside requests and messages, over any number of nodes; an actor passes them on.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "hello.costar.hpp"  // made of hello.capnp by capnpc-costar

namespace asio = boost::asio;
namespace remote = costar::remote;
using costar::context;
using costar::headers;
using costar::message;
using costar::pid;
using costar::task;
using demo::hello;

namespace {

costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<hello>();
    return words;
}

/// Where a step belongs: the trace, and the step above it.
struct span {
    std::string trace;
    std::string parent;
    std::string id;

    /// The next one below what has come: "00-TRACE-PARENT-01". A real program draws ids at random.
    static span below(std::string_view came, std::uint64_t id)
    {
        return {
            std::string(came.substr(3, 32)), std::string(came.substr(36, 16)), fmt::format("{:016x}", id)};
    }
    headers to_send() const { return {{"traceparent", fmt::format("00-{}-{}-01", trace, id)}}; }
};

span step(context& self, const char* what, std::uint64_t id)
{
    const span mine = span::below(self.headers().find("traceparent").value_or(""), id);
    fmt::print("trace {}: {} {} below {}\n", mine.trace, mine.id, what, mine.parent);
    return mine;
}

task<> depot(context& self)
{
    while (message order = co_await self.receive<hello>()) {
        step(self, "depot", 3);
        order.respond(fmt::format("{} from the depot", order.get<hello>().name));
    }
}

task<> stock(context& self, pid from)
{
    while (message order = co_await self.receive<hello>()) {
        const span mine = step(self, "stock", 2);
        order.respond(co_await self.ask(from, hello{order.get<hello>().name}, mine.to_send()));
    }
}

task<> desk(context& self, pid from)
{
    const span mine{"4bf92f3577b34da6a3ce929d0e0e4736", "0000000000000000", "0000000000000001"};
    fmt::print("trace {}: {} desk\n", mine.trace, mine.id);
    fmt::print("sold: {}\n", co_await self.ask(from, hello{"a kettle"}, mine.to_send()));
}

}  // namespace

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    costar::engine first;
    costar::engine second;
    costar::engine third;
    remote::node here(first, all_words(), {.name = "first"});
    remote::node there(second, all_words(), {.name = "second", .listen = "127.0.0.1:0"});
    remote::node beyond(third, all_words(), {.name = "third", .listen = "127.0.0.1:0"});
    third.spawn("depot", depot);
    second.spawn("stock", stock, there.find(beyond.address() + "/depot", asio::use_future).get());
    first
        .wait(first.spawn(desk, here.find(there.address() + "/stock", asio::use_future).get()),
            asio::use_future)
        .get();
}
