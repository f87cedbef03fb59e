// SPDX-License-Identifier: MIT

#pragma once

#include "harness.hpp"
#include "versions.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <utility>

/// Actors that ask and answer, here and between processes.
namespace peer {

using clock_type = std::chrono::steady_clock;

/// Adds the numbers of those that arrive, and becomes ready with the last.
class tally {
public:
    explicit tally(std::uint64_t count) : left_(count) {}
    void arrive(std::uint64_t number = 1)
    {
        sum_.fetch_add(number, std::memory_order_relaxed);
        if (left_.fetch_sub(1) == 1)
            done_.set_value();
    }
    std::uint64_t wait()
    {
        done_.get_future().get();
        return sum_;
    }

private:
    std::atomic<std::uint64_t> left_;
    std::atomic<std::uint64_t> sum_{0};
    std::promise<void> done_;
};

/// Answers with the next number.
inline caf::behavior answerer(caf::event_based_actor*)
{
    return {[](std::uint64_t number) { return number + 1; }};
}

/// Of somebody who asks one question after the other.
struct client_state {
    caf::actor server;
    std::uint64_t number = 0;
    std::uint64_t received = 0;
    std::uint64_t last = 0;
    tally* end = nullptr;
    bench::latencies* took = nullptr;
};

/// Asks again and again, until the last has been answered.
inline void ask_on(caf::stateful_actor<client_state>* self)
{
    const client_state& state = state_of(self);
    const auto began = state.took != nullptr ? clock_type::now() : clock_type::time_point();
    ask(self, state.server, state.number).then([=](std::uint64_t answer) {
        client_state& state = state_of(self);
        if (state.took != nullptr)
            state.took->add(clock_type::now() - began);
        state.received += answer - state.number++;
        if (state.number < state.last)
            ask_on(self);
        else
            state.end->arrive(state.received);
    });
}

inline caf::behavior client(caf::stateful_actor<client_state>* self, caf::actor server, std::uint64_t count,
    tally* end, bench::latencies* took)
{
    state_of(self) = {std::move(server), 0, 0, count, end, took};
    return {[=](caf::tick_atom) { ask_on(self); }};
}

}  // namespace peer
