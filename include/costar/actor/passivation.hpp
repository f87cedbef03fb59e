// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/context.hpp>
#include <costar/kernel/middleware.hpp>

#include <chrono>

namespace costar {

/// Ends actors that have received no message for a while: `{.middleware =
/// {std::make_shared<passivation>(5min)}}`.
///
/// The timer belongs to the actor, not to one of its lives: a restart begins it anew, and nothing of an
/// earlier life ends a later one. Message types with `static constexpr bool leaves_idle = true` do not keep
/// an actor awake.
class passivation final : public middleware {
public:
    explicit passivation(std::chrono::nanoseconds after) noexcept : after_(after) {}

    void started(context& self) override { self.stop_when_idle(after_); }

private:
    std::chrono::nanoseconds after_;
};

}  // namespace costar
