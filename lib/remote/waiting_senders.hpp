// SPDX-License-Identifier: MIT

#pragma once

#include "switchboard.hpp"

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

namespace costar::remote {

/// Messages that have found no room in the queue to a peer, in their order; whoever has sent them waits. They
/// are not counted as what waits in the queue, but that they are there is, from where they were sent on, so
/// that nobody passes them.
///
/// Thread safety: on the strand of its link.
class waiting_senders {
public:
    waiting_senders() = default;
    waiting_senders(const waiting_senders&) = delete;
    waiting_senders& operator=(const waiting_senders&) = delete;

    bool empty() const noexcept { return in_order_.empty(); }
    const departing& front() const noexcept { return in_order_.begin()->second; }

    void push(departing&& next)
    {
        const std::uint64_t token = next.waiter;
        const auto made = in_order_.emplace_hint(in_order_.end(), ++last_, std::move(next));
        by_token_.emplace(token, made->first);
    }

    departing pop() noexcept
    {
        departing first = std::move(in_order_.begin()->second);
        by_token_.erase(first.waiter);
        in_order_.erase(in_order_.begin());
        first.outside = {};
        return first;
    }

    /// Does nothing where it has found room.
    void forget(std::uint64_t token) noexcept
    {
        const auto found = by_token_.find(token);
        if (found == by_token_.end())
            return;
        in_order_.erase(found->second);
        by_token_.erase(found);
    }

private:
    std::map<std::uint64_t, departing> in_order_;
    std::unordered_map<std::uint64_t, std::uint64_t> by_token_;
    std::uint64_t last_ = 0;
};

}  // namespace costar::remote
