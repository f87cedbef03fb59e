// SPDX-License-Identifier: MIT

// Messages, actors and observers that the tests of actors share.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/when.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/// A message that is copied from strand to strand.
struct number {
    int value = 0;
    friend bool operator==(const number&, const number&) = default;
};

/// A message that travels in an envelope.
struct words {
    std::string text;
    friend bool operator==(const words&, const words&) = default;
};

/// Requests, answered with a number, a text and nothing.
struct twice {
    using reply = int;
    int value = 0;
};
struct greet {
    using reply = std::string;
    std::string who;
};
struct knock {
    using reply = void;
};

/// Makes its receiver throw.
struct crash {};

/// A request on which its receiver throws.
struct crash_asked {
    using reply = int;
};

/// Silences the log, for tests in which actors crash.
class quiet_log {
public:
    quiet_log()
    {
        costar::set_log_sink([](costar::log_level, std::string_view) {});
    }
    quiet_log(const quiet_log&) = delete;
    quiet_log& operator=(const quiet_log&) = delete;
    ~quiet_log() { costar::set_log_sink({}); }
};

/// Takes its time when it is cancelled, and ends as cancelled.
inline costar::task<> gives_way_slowly()
{
    try {
        co_await costar::sleep_for(std::chrono::hours(1));
    } catch (const costar::error&) {}
    co_await costar::shield(costar::sleep_for(std::chrono::milliseconds(5)));
    throw costar::error(costar::errc::cancelled);
}

/// Keeps the lines of the log, from debug upwards, in place of writing them.
class kept_log {
public:
    kept_log()
    {
        costar::set_log_level(costar::log_level::debug);
        costar::set_log_sink([this](costar::log_level level, std::string_view line) {
            lines.emplace_back(line);
            levels.push_back(level);
        });
    }
    kept_log(const kept_log&) = delete;
    kept_log& operator=(const kept_log&) = delete;
    ~kept_log()
    {
        costar::set_log_sink({});
        costar::set_log_level(costar::log_level::info);
    }

    std::vector<std::string> lines;
    std::vector<costar::log_level> levels;  // of each line
};

/// Keeps every event of an engine whose strands share one thread.
class event_record {
public:
    explicit event_record(costar::engine& engine)
        : subscriptions_{keep(engine, started), keep(engine, stopped), keep(engine, restarted),
              keep(engine, limits), keep(engine, duplicates), keep(engine, dead)}
    {}

    std::vector<costar::actor_started> started;
    std::vector<costar::actor_stopped> stopped;
    std::vector<costar::actor_restarted> restarted;
    std::vector<costar::restart_limit_reached> limits;
    std::vector<costar::duplicate_name> duplicates;
    std::vector<costar::dead_letter> dead;

    /// How often the actor was seen to end.
    std::size_t ends_of(costar::pid who) const
    {
        return static_cast<std::size_t>(
            std::count_if(stopped.begin(), stopped.end(), [&](const auto& each) { return each.who == who; }));
    }

    /// The position of an actor's end among all ends.
    std::size_t end_of(costar::pid who) const
    {
        const auto found =
            std::find_if(stopped.begin(), stopped.end(), [&](const auto& each) { return each.who == who; });
        return static_cast<std::size_t>(found - stopped.begin());
    }

    /// How many messages to `to` became dead letters for `reason`.
    std::size_t dead_of(costar::pid to, costar::errc reason) const
    {
        return static_cast<std::size_t>(std::count_if(dead.begin(), dead.end(),
            [&](const auto& each) { return each.to == to && each.reason == reason; }));
    }

private:
    template <class Event>
    static costar::event_stream::subscription keep(costar::engine& engine, std::vector<Event>& all)
    {
        return engine.events().subscribe<Event>([&all](const Event& event) { all.push_back(event); });
    }

    costar::event_stream::subscription subscriptions_[6];
};

inline costar::spawn_options on(std::uint32_t strand)
{
    return {.placement = costar::placement::chosen, .strand = strand};
}

/// Answers what it is asked, and crashes when it is told to.
inline costar::task<> helper(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match([](twice& m) { return 2 * m.value; }, [](greet& m) { return "hello, " + m.who; },
            [](knock&) {}, [](crash&) { throw std::runtime_error("told to"); },
            [](crash_asked&) -> int { throw std::runtime_error("asked to"); });
}

/// Keeps what it is sent in a vector of the test.
inline costar::task<> recorder(costar::context& self, std::vector<int>* seen)
{
    while (auto message = co_await self.receive())
        message.match([&](number& m) { seen->push_back(m.value); });
}

/// Takes requests and lets each go unanswered after a while.
inline costar::task<> slow(costar::context& self, std::chrono::nanoseconds pause)
{
    while (auto message = co_await self.receive()) {
        co_await costar::sleep_for(pause);
        message.match([](twice& m) { return 2 * m.value; });
    }
}

}  // namespace support
