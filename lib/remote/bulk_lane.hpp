// SPDX-License-Identifier: MIT

#pragma once

#include "switchboard.hpp"

#include <costar/kernel/gateway.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>

namespace costar::remote {

/// What is larger travels in parts of this size, between which others come.
inline constexpr std::size_t bytes_of_a_part = 64 * 1024;

/// A link's queue of large messages, and of what must not overtake them: later messages and pills of the same
/// actor to the same one, waits for ends.
class bulk_lane {
public:
    /// Who sends, and to whom.
    using pair = std::pair<pid, pid>;

    struct item {
        std::variant<letter, departing_signal> what;

        /// How many letters of the ordinary lane have to be there before.
        std::uint64_t after;
    };

    /// Does it have to go here?
    bool takes(const letter& out) const
    {
        return out.body_bytes().size() > bytes_of_a_part ||
            (out.answers == 0 && !pairs_.empty() && pairs_.contains({out.sender, out.target}));
    }
    bool takes(const machine::outbound_signal& news) const noexcept
    {
        return is_busy() && stays_behind(news.what);
    }

    void push(item next)
    {
        if (const auto which = pair_of(next)) {
            flow& its = pairs_[*which];
            ++its.waiting;
            ++its.begun;
        }
        const letter* const message = std::get_if<letter>(&next.what);
        if (message != nullptr && message->answers != 0)
            answer_bytes_ += message->bytes();
        items_.push_back(std::move(next));
    }

    /// Of answers that wait; they have no place in a queue.
    std::size_t answer_bytes() const noexcept { return answer_bytes_; }

    bool empty() const noexcept { return items_.empty(); }
    item take();

    /// Takes note that one of a pair has left. When its pair has no other here, gives what `release` is to be
    /// told when the peer has taken it; else 0.
    std::uint64_t has_left(const pair& which);
    void release(const pair& which, std::uint64_t begun);

    /// Is anything here, or on its way and not known to have arrived?
    bool is_busy() const noexcept { return !items_.empty() || !pairs_.empty(); }

    /// Of a message or a pill; what else is here stands in nobody's line.
    static std::optional<pair> pair_of(const item& one) noexcept;

    const std::deque<item>& items() const noexcept { return items_; }

private:
    /// Of one pair: what waits here, and all that was put here since it came.
    struct flow {
        std::size_t waiting = 0;
        std::uint64_t begun = 0;
    };

    struct hash_of_pair {
        std::size_t operator()(const pair& which) const noexcept
        {
            return std::hash<pid>()(which.first) * 31 + std::hash<pid>()(which.second);
        }
    };

    std::deque<item> items_;
    std::size_t answer_bytes_ = 0;
    std::unordered_map<pair, flow, hash_of_pair> pairs_;
};

}  // namespace costar::remote
