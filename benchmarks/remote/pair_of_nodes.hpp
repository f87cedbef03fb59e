// SPDX-License-Identifier: MIT

#pragma once

#include "nodes.hpp"
#include "second_process.hpp"

#include <costar/actor/engine.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "../../test/remote/authority.hpp"  // certificates

namespace bench {

namespace asio = boost::asio;

/// Asks an actor to run its part, and answers when that is over.
struct run {
    using reply = std::uint64_t;
    std::uint64_t count = 0;
};

/// What the nodes are connected by.
enum class way {
    tcp,
    tls,
    unix_socket
};

/// Files of both processes, made by the first one before there is a second.
struct shared_files {
    explicit shared_files(way over);

    costar::remote::node_options options(std::string name) const;

    support::folder where;
    support::authority signs{"authority"};
    std::string listen = "127.0.0.1:0";
    std::optional<costar::remote::tls_options> papers;
};

/// What the second process does: a node with the actors that a run needs.
using town = std::function<void(const second_process::door&, const shared_files&)>;

/// A node with "echo", which sends each ball back, and "host", which answers and counts.
void serve_echo_and_host(const second_process::door& door, const shared_files& files);

/// A node beside which there is another one.
class pair_of_nodes {
public:
    explicit pair_of_nodes(way over, const town& serve = serve_echo_and_host);

    costar::pid find(const std::string& name);

    /// The others beside it, by a name and a number from 0.
    std::vector<costar::pid> find(const std::string& name, std::size_t count);

    const costar::remote::node_counters& counters() const noexcept { return node_.counters(); }

    template <class Body, class... Arguments>
    costar::pid spawn(Body body, Arguments... arguments)
    {
        return engine_.spawn(body, arguments...);
    }

    /// Has an actor run its part.
    std::future<std::uint64_t> start(costar::pid who, std::uint64_t count)
    {
        return engine_.ask(who, run{count}, std::chrono::hours(1), asio::use_future);
    }

    /// Spawns one for it.
    template <class Body, class... Arguments>
    std::future<std::uint64_t> start(std::uint64_t count, Body body, Arguments... arguments)
    {
        return start(spawn(body, arguments...), count);
    }

    template <class Message>
    auto ask(costar::pid whom, const Message& message)
    {
        return engine_.ask(whom, message, asio::use_future).get();
    }

    outcome end(outcome made, std::uint64_t sent, std::uint64_t received);

private:
    shared_files files_;
    second_process second_;  // before there are threads
    costar::engine engine_{{.strands = 1}};
    costar::remote::node node_;
};

}  // namespace bench
