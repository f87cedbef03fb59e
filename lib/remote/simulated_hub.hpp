// SPDX-License-Identifier: MIT

#pragma once

#include "simulated_wire.hpp"

#include <costar/remote/simulated_network.hpp>

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace costar::remote {

class simulated_door;

/// What the hosts of a simulated network have in common.
///
/// Thread safety: that of the simulation.
class simulated_hub final : public happenings {
public:
    using pair = std::pair<std::string, std::string>;

    simulated_hub(testing::simulation& sim, simulated_network_options options);
    simulated_hub(const simulated_hub&) = delete;
    simulated_hub& operator=(const simulated_hub&) = delete;
    ~simulated_hub();

    std::chrono::nanoseconds next() const noexcept override;
    void happen() override;

    std::chrono::nanoseconds now() const noexcept { return sim_.now(); }

    /// How long something is on its way that starts now.
    std::chrono::nanoseconds latency();

    /// How long so many bytes take to leave.
    std::chrono::nanoseconds time_for(std::size_t bytes) const noexcept;

    std::uint64_t draw() { return sim_.random().next(); }

    /// Does it happen, once in so many times?
    bool happens_once_in(std::uint64_t times) { return sim_.random().below(times) == 0; }

    bool is_silent(const std::string& from, const std::string& to) const;

    /// Does anybody listen there?
    bool is_up(const std::string& host) const;

    std::shared_ptr<simulated_wire> connect(const std::string& from, const std::string& to);

    std::vector<std::shared_ptr<simulated_wire>> wires;
    std::map<std::string, simulated_door*> doors;  // by their addresses
    std::set<pair> silent;
    std::multiset<pair> dialling;
    std::deque<std::size_t> cuts;
    unsigned last_port = 40'000;
    simulated_network::figures seen;

private:
    testing::simulation& sim_;
    const simulated_network_options options_;
};

}  // namespace costar::remote
