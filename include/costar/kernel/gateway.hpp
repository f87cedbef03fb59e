// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/post/envelope.hpp>
#include <costar/post/headers.hpp>
#include <costar/post/pid.hpp>

#include <cstdint>
#include <memory>

namespace costar::machine {

class post_office;

/// What goes to another node.
struct outbound {
    pid to;
    held_envelope sent;

    /// What travels beside it; null for most.
    std::unique_ptr<costar::headers> with;

    /// Answered when it has found room; 0 when nobody waits for that.
    std::uint64_t token = 0;
};

/// What is said to an actor of another node beside messages.
struct outbound_signal {
    /// The numbers stand on the wire.
    enum class kind : std::uint16_t {
        stop = 1,
        restart = 2,
        await_end = 3,
        forget_end = 4,
        watch = 5,
        unwatch = 6,
        ended = 7,
        poison = 8,
    };

    kind what{};
    pid to;

    /// Who watches, or who has ended.
    pid about{};

    /// Of `watch`, `unwatch` and `ended`: one crashes with the other.
    bool is_linked = false;

    /// Of `ended`.
    errc reason{};

    /// Of `stop` and `await_end`: answered when the actor has ended; 0 for nobody.
    std::uint64_t token = 0;
};

/// Where the messages for actors of other nodes go. The kernel knows no nodes: whoever connects them stands
/// behind this.
///
/// Set in `commons::way_out`; without one a pid of another node is `errc::not_local`.
///
/// Thread safety: in the turn of any strand of the engine. Lifetime: as the engine.
class gateway {
public:
    /// Takes over a message from the strand of `from`. A request in it is answered or failed later by the
    /// post office of any strand of the engine; what cannot be sent is buried there.
    virtual void send(post_office& from, outbound message) = 0;

    /// Whoever has sent with this token waits for room no more: what has not found any is not sent.
    virtual void withdraw(post_office& from, pid to, std::uint64_t token) = 0;

    /// Passes on what the strand of `from` has to say. Where the node is not reached, whoever waits or
    /// watches is told so.
    virtual void signal(post_office& from, const outbound_signal& news) = 0;

protected:
    ~gateway() = default;
};

}  // namespace costar::machine
