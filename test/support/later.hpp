// SPDX-License-Identifier: MIT

// Requests that are answered when a test says, or not at all.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <support/actors.hpp>

namespace support {

/// Is answered with `value` after `delay`, or let go of then.
struct later {
    using reply = int;
    int value = 0;
    std::chrono::milliseconds delay{};
    bool fails = false;
};

/// Is answered with what cannot be copied.
struct fetch {
    using reply = std::unique_ptr<int>;
    int value = 0;
};

/// Is answered with what says that it can be copied, and cannot.
struct brittle {
    brittle() = default;
    brittle(brittle&&) = default;
    brittle(const brittle&) { throw std::runtime_error("copied"); }
};
struct get_brittle {
    using reply = brittle;
};

inline costar::task<> answers_one(costar::message given)
{
    costar::message request = std::move(given);  // a local of the body is let go of where that is left
    const later asked = request.get<later>();
    co_await costar::sleep_for(asked.delay);
    if (!asked.fails)
        request.respond(asked.value);
}

/// Answers each request when its time comes.
inline costar::task<> answers_later(costar::context& self)
{
    while (auto received = co_await self.receive()) {
        if (received.is<later>())
            self.spawn_task(answers_one(std::move(received)));
        else
            received.match([](twice& m) { return 2 * m.value; }, [](knock&) {},
                [](greet& m) { return "hello, " + m.who; },
                [](fetch& m) { return std::make_unique<int>(m.value); },
                [](get_brittle&) { return brittle(); },
                [](crash_asked&) -> int { throw std::runtime_error("asked to"); });
    }
}

}  // namespace support
