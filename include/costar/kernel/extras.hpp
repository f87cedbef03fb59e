// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>
#include <costar/ground/ordered_set.hpp>
#include <costar/kernel/mailbox.hpp>
#include <costar/kernel/mailbox_order.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/kernel/supervision.hpp>
#include <costar/post/headers.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace costar::machine {

class cell;
class station;

/// A message that waits for room in a mailbox.
struct admission {
    envelope* sent;
    std::uint64_t token;    // answered when there is room; 0 for a request, which is answered later
    bool is_borne = false;  // came from another strand or thread

    /// Under what it is withdrawn. The request must live.
    struct key {
        std::uint64_t operator()(const admission& each) const noexcept
        {
            return each.token != 0 ? each.token : each.sent->reply;
        }
    };
};

/// Tells an actor that no message came for a while, or ends it.
struct idle_timer : timer_node {
    station* owner = nullptr;
    cell* target = nullptr;
    std::chrono::nanoseconds length{0};
    bool repeats = false;
    bool stops = false;

    bool is_set() const noexcept { return length.count() > 0; }
};

/// A message in the hands of an actor that may get it again.
struct attempt {
    const envelope* which;
    std::uint64_t number = 0;    // the actor got it as its how many-th
    std::uint32_t failures = 0;  // over which it was given again

    struct key {
        const envelope* operator()(const attempt& each) const noexcept { return each.which; }
    };
};

/// A message that was let go of while something failed; what becomes of it is open.
struct aside {
    envelope* which;
    std::uint64_t number;
    std::uint32_t failures;
};

/// What an actor has whose messages take the long way: a limit, an order, middleware, a stash, headers.
struct extras_part {
    explicit extras_part(const mailbox_options& options) : box(options), order(options.by_priority) {}
    extras_part(const extras_part&) = delete;
    extras_part& operator=(const extras_part&) = delete;

    /// Is there anything that needs the long way?
    bool is_needed() const noexcept
    {
        return box.limit != 0 || box.by_priority || is_intercepted || !chain.empty() || keeps_failing ||
            idle != nullptr || passing != nullptr || order.controls() != 0 || !waiting.empty() ||
            !with.empty();
    }

    /// Of a message that is with this actor no longer.
    void forget(const envelope* gone) noexcept
    {
        with.erase(gone);
        attempts.erase(gone);
    }

    // What it may get again.
    attempt* attempt_of(const envelope* held) noexcept;

    /// Of one that the actor gets now: the last in the order of what it has.
    void note_attempt(const envelope* taken);

    /// Keeps one that was let go of in a failure; false when the actor cannot get it again.
    bool put_aside(envelope& failed) noexcept;

    /// What was put aside, in the order in which the actor had it.
    std::vector<aside> take_aside() noexcept;

    /// Lets go of requests that wait for room, and that nobody waits for any more.
    void drop_expired(std::uint64_t now) noexcept;

    /// Ends the watch over silence.
    void disarm_idle(strand_context& home) noexcept;

    /// Is there room beside so many messages, control not counted?
    bool has_room(std::uint32_t queued) const noexcept
    {
        return box.limit == 0 || queued - order.controls() < box.limit;
    }

    mailbox_options box;
    mailbox_order order;
    ordered_set<admission, admission::key> waiting;

    std::vector<std::shared_ptr<middleware>> chain;

    failing_message failing;
    bool is_intercepted = false;                  // by a test that injects faults
    bool keeps_failing = false;                   // a message over which the actor fails is not just dropped
    bool task_failed = false;                     // and the crash has not come to the body
    ordered_set<attempt, attempt::key> attempts;  // of what it has at hand, and of what it gets again
    std::vector<aside> asides;
    std::uint64_t last_number = 0;

    envelope* stash_first = nullptr;
    envelope* stash_last = nullptr;
    std::uint32_t stashed = 0;

    std::unique_ptr<idle_timer> idle;     // tells
    std::unique_ptr<idle_timer> passing;  // ends

    std::unordered_map<const envelope*, headers> with;  // of messages in the mailbox or at hand
};

}  // namespace costar::machine
