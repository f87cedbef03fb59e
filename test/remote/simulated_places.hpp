// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/simulated_network.hpp>

#include <costar/testing/simulation.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "places.hpp"

namespace support {

/// A host with a node, which may die and come back.
struct simulated_place {
    simulated_place(costar::testing::simulation& sim, costar::remote::simulated_network& network,
        std::string name, costar::remote::node_options options = {})
        : sim(sim), actors(sim.add_engine(name))
    {
        options.name = name;
        options.listen = name + ":1";
        options.network = network.host(name);
        node = std::make_unique<costar::remote::node>(actors, all_words(), std::move(options));
    }
    ~simulated_place()
    {
        node.reset();
        sim.end(actors);
    }
    simulated_place(const simulated_place&) = delete;

    costar::testing::simulation& sim;
    costar::engine& actors;
    std::unique_ptr<costar::remote::node> node;
};

/// An actor of another node by its name; time passes as far as needed.
inline costar::pid found(costar::testing::simulation& sim, simulated_place& from, const std::string& where)
{
    auto seen = std::make_shared<std::pair<bool, costar::pid>>();
    from.node->find(where, [seen](costar::error_code, costar::pid who) { *seen = {true, who}; });
    sim.run_until([&] { return seen->first; });
    return seen->second;
}

inline std::string greeted(
    costar::testing::simulation& sim, simulated_place& from, costar::pid whom, const std::string& name)
{
    return sim.ask_from(from.actors, whom, greeting{name});
}

/// Two hosts, each with a node; that of b has an actor "host".
struct simulated_pair {
    explicit simulated_pair(std::uint64_t seed, costar::remote::node_options options = hasty(),
        costar::remote::simulated_network_options way = {})
        : sim(seed), network(sim, way), a(sim, network, "a", std::move(options))
    {
        begin_b();
    }

    static costar::remote::node_options hasty()
    {
        return {.greeting_timeout = std::chrono::seconds(2),
            .heartbeat = std::chrono::seconds(1),
            .silence_max = std::chrono::seconds(4),
            .pause_max = std::chrono::seconds(1)};
    }
    void begin_b()
    {
        b.emplace(sim, network, "b", hasty());
        b->actors.spawn("host", host);
    }

    /// What comes of looking for it from a.
    costar::error_code search()
    {
        auto seen = std::make_shared<std::optional<costar::error_code>>();
        a.node->find("b:1/host", [seen](costar::error_code failed, costar::pid) { *seen = failed; });
        sim.run_until([&] { return seen->has_value(); });
        return **seen;
    }

    costar::testing::simulation sim;
    costar::remote::simulated_network network;
    simulated_place a;
    std::optional<simulated_place> b;
};

}  // namespace support
