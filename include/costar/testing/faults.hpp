// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/clock.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/interceptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

namespace costar::testing {

/// What an actor is crashed with.
class injected_crash : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Which messages a fault is for.
struct fault_target {
    /// Their receiver; nobody stands for everybody.
    pid to{};

    /// The first of them that it meets, counted from 1.
    std::uint64_t from = 1;

    /// How many it meets at most.
    std::uint64_t count = UINT64_MAX;

    /// With which probability it meets one, from 0 to 1; drawn from the seed.
    double share = 1;
};

/// Faults that a test injects into the messages of its simulation: `simulation sim(seed, {.faults = true});
/// sim.faults().lose<order>({.share = 0.1});`.
///
/// A lost request is answered by nobody, as on a broken line, and ends at its deadline. A delayed message is
/// overtaken by those behind it. Control messages and stops are never touched. Rules are asked in the order
/// they were given; the first one that fits decides.
///
/// Thread safety: the test's thread.
class faults final : private machine::message_interceptor {
public:
    explicit faults(random_source& random) noexcept : random_(random) {}
    faults(const faults&) = delete;
    faults& operator=(const faults&) = delete;
    ~faults() { end(); }

    /// Messages of type `Message` do not arrive.
    template <any_message Message>
    void lose(fault_target target = {})
    {
        rules_.push_back({kind::lose, &machine::type_of<Message>, target});
    }

    /// They arrive later.
    template <any_message Message>
    void delay(std::chrono::nanoseconds by, fault_target target = {})
    {
        rules_.push_back({kind::delay, &machine::type_of<Message>, target, by});
    }

    /// They arrive twice; the second time nobody waits for an answer.
    template <any_message Message>
    void repeat(fault_target target = {})
    {
        static_assert(is_copyable<Message>, "what arrives twice must be copied");
        rules_.push_back({kind::repeat, &machine::type_of<Message>, target});
    }

    /// Messages of any type do not arrive, or arrive later.
    void lose(fault_target target = {}) { rules_.push_back({kind::lose, nullptr, target}); }
    void delay(std::chrono::nanoseconds by, fault_target target = {})
    {
        rules_.push_back({kind::delay, nullptr, target, by});
    }

    /// The actor crashes when it takes its message number `nth`, counted from 1 and from now.
    void crash(pid who, std::uint64_t nth = 1)
    {
        rules_.push_back({kind::crash, nullptr, {.to = who, .from = nth, .count = 1}});
    }

    /// No further faults; what is delayed still arrives.
    void clear() noexcept { rules_.clear(); }

    /// How many faults there have been.
    std::size_t injected() const noexcept { return injected_; }

private:
    friend class simulation;

    enum class kind {
        lose,
        delay,
        repeat,
        crash
    };

    struct rule {
        kind what;
        const machine::message_type* type;
        fault_target target;
        std::chrono::nanoseconds by{0};
        std::uint64_t met = 0;
    };

    struct delayed : machine::timer_node {
        faults* owner;
        machine::station* where;
        pid to;
        machine::envelope* sent;
        std::list<delayed>::iterator place;
    };

    bool take(machine::station& where, machine::cell& to, machine::envelope* sent) override;
    void hand(machine::station& where, machine::cell& self, message& taken) override;
    void end() noexcept;
    rule* rule_for(pid to, const machine::message_type* type, bool is_crash);
    void arrive(delayed& late) noexcept;

    random_source& random_;
    std::vector<rule> rules_;
    std::list<delayed> late_;
    std::size_t injected_ = 0;
    bool is_passing_ = false;
};

}  // namespace costar::testing
