// SPDX-License-Identifier: MIT

#pragma once

#include "switchboard.hpp"

#include <costar/actor/context.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <variant>

namespace costar::remote {

/// What waits in a link that yields, on its way to the link that is used.
struct handed {
    std::variant<departing, departing_signal, withdrawn> what;
    errc bury(machine::post_office& where, errc reason) noexcept;
};

/// No more of that comes from the link that has sent this.
struct handed_over {
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

/// What comes to a link past those that still hand over to it, which waits for them.
///
/// Thread safety: on the strand of the link; the count is raised by the book, of any strand, before it leads
/// anybody past them.
class taking_over {
public:
    /// How many hand over.
    const std::shared_ptr<std::atomic<std::uint32_t>>& count() const noexcept { return count_; }
    bool is_under_way() const noexcept { return count_->load(std::memory_order_relaxed) != 0; }

    void hold(handed&& next) { held_.push_back(std::move(next)); }
    bool has_none() const noexcept { return held_.empty(); }
    handed pop()
    {
        handed first = std::move(held_.front());
        held_.pop_front();
        return first;
    }

    /// One has handed over all: was it the last one?
    bool end_one() noexcept { return count_->fetch_sub(1, std::memory_order_relaxed) == 1; }

private:
    const std::shared_ptr<std::atomic<std::uint32_t>> count_ =
        std::make_shared<std::atomic<std::uint32_t>>(0);
    std::deque<handed> held_;
};

/// Tells a link that dials that another one to the same node is used.
struct give_way {
    static constexpr bool is_control = true;
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

/// Hands what waits for this actor, a link that has yielded, to another one, in the order in which it was
/// sent; and what comes late, for a second.
task<> hand_over(context& self, switchboard& board, pid to);

}  // namespace costar::remote
