// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/transport.hpp>
#include <costar/testing/simulation.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace costar::remote {

/// What can be chosen for a network in simulation.
struct simulated_network_options {
    /// How long bytes are on their way; drawn anew for each write, the order on a connection stays.
    std::chrono::nanoseconds latency_min = std::chrono::microseconds(50);
    std::chrono::nanoseconds latency_max = std::chrono::milliseconds(2);

    /// How much one direction of a connection carries; 0 for any amount.
    std::uint64_t bytes_per_second = 0;
};

class simulated_hub;

/// A network in memory for the nodes of a simulation, on its virtual clock: connections as those of TCP, with
/// delay, in pieces of any length, that are cut or fall silent when told.
///
///     testing::simulation sim(seed);
///     remote::simulated_network network(sim);
///     remote::node a(sim.engine(), words, {.listen = "a:1", .network = network.host("a")});
///     engine& second = sim.add_engine("b");
///     remote::node b(second, words, {.listen = "b:1", .network = network.host("b")});
///
/// The name of a host is what stands before the colon of its addresses.
///
/// Thread safety: the thread of the simulation. Lifetime: begins after the simulation, and ends before it and
/// after the nodes.
class simulated_network {
public:
    explicit simulated_network(testing::simulation& sim, simulated_network_options options = {});
    simulated_network(const simulated_network&) = delete;
    simulated_network& operator=(const simulated_network&) = delete;
    ~simulated_network();

    /// The network as it is seen from a host.
    std::shared_ptr<transport> host(std::string name);

    /// Nothing goes from one host to another one any more, and nobody is told; what was sent arrives when it
    /// is healed. `partition` is silence in both directions.
    void silence(const std::string& from, const std::string& to);
    void partition(const std::string& one, const std::string& other);
    void heal();

    /// Cuts all connections between two hosts, and tells both sides.
    void reset(const std::string& one, const std::string& other);

    /// A host loses its power: its connections are gone, and their other ends are not told. Its nodes are to
    /// be destroyed next.
    void crash(const std::string& host);

    /// Cuts the next connection after so many bytes, both directions counted, unless the network is healed
    /// before; and the one after it where it is called again.
    void reset_after(std::size_t bytes);

    /// What there has been.
    struct figures {
        std::uint64_t dialled = 0;
        std::uint64_t connected = 0;
        std::uint64_t reset = 0;
        std::uint64_t bytes = 0;

        /// Two hosts have dialled each other at once.
        std::uint64_t crossed = 0;
    };
    const figures& seen() const noexcept;

    /// Connections that are there.
    std::size_t connections() const noexcept;

private:
    std::shared_ptr<simulated_hub> hub_;
};

}  // namespace costar::remote
