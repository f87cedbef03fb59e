// SPDX-License-Identifier: MIT

// A chat over nodes: a room is an actor of one node, and those who talk in it are actors of others.
//
// Run:     build/demos/remote/37_chat serve --listen 127.0.0.1:4711 --web 127.0.0.1:8080
//          build/demos/remote/37_chat join 127.0.0.1:4711 --nick ada          in other terminals
//          and http://127.0.0.1:8080/ in a browser
// Prints:  what is said, and who comes, leaves, or is gone because its process has died.
// Teaches: an actor that awaits a terminal beside its messages, watching in both directions between nodes,
// one
//          that does not listen, and an end in order.

#include "room.hpp"
#include "terminal.hpp"
#include "web.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace remote = costar::remote;
using namespace std::chrono_literals;

namespace {

struct choices {
    std::string listen = "127.0.0.1:4711";
    std::string web;
    std::size_t visitors_max = 100;
};

int serve(const choices& chosen)
{
    asio::io_context until_signal;
    asio::signal_set signals(until_signal, SIGINT, SIGTERM);
    signals.async_wait([](boost::system::error_code, int) {});
    costar::engine engine;
    remote::node node(engine, chat::all_words(), {.listen = chosen.listen});
    const costar::pid room = engine.spawn("room", chat::room);
    costar::pid web;
    fmt::print("node {}\n", node.address());
    if (!chosen.web.empty()) {
        auto open = chat::open_web(engine.get_executor(0), chosen.web);
        fmt::print("web {}\n", chat::url_of(open));
        const costar::spawn_options beside_its_socket{
            .name = "web", .placement = costar::placement::chosen, .strand = 0};
        web = engine.spawn(beside_its_socket, chat::web, std::move(open), room, chosen.visitors_max);
    }
    std::fflush(stdout);
    until_signal.run();
    engine.stop(room, asio::use_future).get();  // all hear of that
    if (web)
        engine.stop(web, asio::use_future).get();
    node.leave(1s, asio::use_future).get();
    return 0;
}

int join(const std::string& where, const std::string& nick)
{
    costar::set_log_level(costar::log_level::error);
    int exit_code = 1;
    costar::engine engine({.strands = 1});
    remote::node node(engine, chat::all_words());
    const costar::pid room = node.find(where, "room", asio::use_future).get();
    engine.wait(engine.spawn("terminal", chat::terminal, room, nick, &exit_code), asio::use_future).get();
    return exit_code;
}

}  // namespace

int main(int count, char** arguments)
{
    choices chosen;
    std::string where;
    std::string nick;
    CLI::App app("A chat over nodes.", "37_chat");
    app.require_subcommand(1);
    CLI::App& server = *app.add_subcommand("serve", "has a room for others");
    server.add_option("--listen", chosen.listen, "where other nodes come in [127.0.0.1:4711]");
    server.add_option("--web", chosen.web, "where browsers come in, as 127.0.0.1:8080 [not at all]");
    server.add_option("--visitors", chosen.visitors_max, "most browsers at a time [100]");
    CLI::App& client = *app.add_subcommand("join", "talks in a room");
    client.add_option("where", where, "host:port of the room")->required();
    client.add_option("--nick", nick, "how you are called there")->required();
    try {
        app.parse(count, arguments);
        return server.parsed() ? serve(chosen) : join(where, nick);
    } catch (const CLI::ParseError& failure) {
        return app.exit(failure) == 0 ? 0 : 2;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "37_chat: {}\n", failure.what());
        return 2;
    }
}
