// SPDX-License-Identifier: MIT

#include "pair_of_nodes.hpp"

#include <utility>

namespace bench {

namespace {

using costar::context;
using costar::message;
using costar::task;
using traffic::ball;
using traffic::count;
using traffic::load;
using traffic::question;

/// Sends each ball back.
task<> echo(context& self)
{
    while (message next = co_await self.receive())
        next.match([&](const ball& b) { self.send(self.sender(), ball{b.number + 1}); });
}

/// Answers, and counts what it has been sent; says that a large message has come.
task<> host(context& self)
{
    std::uint64_t received = 0;
    while (message next = co_await self.receive())
        next.match([&](const ball&) { ++received; },  //
            [&](const load& each) { self.send(self.sender(), ball{each.bytes.size()}); },
            [&](const question& asked) { return asked.number + 1; },  //
            [&](const count&) { return received; });
}

}  // namespace

costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<traffic::ball>();
    words.add<traffic::note>();
    words.add<traffic::question>();
    words.add<traffic::load>();
    words.add<traffic::count>();
    words.add<traffic::crowd>();
    words.add<traffic::pace>();
    return words;
}

shared_files::shared_files(way over)
{
    if (over == way::unix_socket)
        listen = "unix:" + (where / "second");
    if (over == way::tls)
        papers = support::in_files(
            where, "node", signs.issue("node", {.names = "IP:127.0.0.1,DNS:first,DNS:second"}), signs.pem());
}

costar::remote::node_options shared_files::options(std::string name) const
{
    costar::remote::node_options made{.name = std::move(name)};
    if (papers)
        made.network = costar::remote::tls_transport(*papers);
    return made;
}

void serve_echo_and_host(const second_process::door& door, const shared_files& files)
{
    costar::engine engine({.strands = 1});
    costar::remote::node_options options = files.options("second");
    options.listen = files.listen;
    costar::remote::node node(engine, all_words(), std::move(options));
    engine.spawn("echo", echo);
    engine.spawn("host", host);
    door.open(node.address());
    door.wait();
}

pair_of_nodes::pair_of_nodes(way over, const town& serve)
    : files_(over),
      second_([&](const auto& door) { serve(door, files_); }),
      node_(engine_, all_words(), files_.options("first"))
{}

costar::pid pair_of_nodes::find(const std::string& name)
{
    return node_.find(second_.address(), name, asio::use_future).get();
}

std::vector<costar::pid> pair_of_nodes::find(const std::string& name, std::size_t count)
{
    std::vector<costar::pid> found;
    for (std::size_t i = 0; i < count; ++i)
        found.push_back(find(name + std::to_string(i)));
    return found;
}

outcome pair_of_nodes::end(outcome made, std::uint64_t sent, std::uint64_t received)
{
    made.sent = sent;
    made.received = received;
    made.beside = second_.end();
    return made;
}

}  // namespace bench
