// SPDX-License-Identifier: MIT

#include <costar/rpc/flow_window.hpp>

#include <algorithm>

namespace costar::machine {

void flow_window::acknowledge(const sent& what, std::uint64_t now) noexcept
{
    under_way_ -= what.bytes;
    acknowledged_ += what.bytes;
    acknowledged_at_ = now;
    last_sent_at_ = what.at;
    // On a long way the small window costs some of its delays, and comes the more seldom.
    const std::uint64_t kept =
        delay_ != UINT64_MAX ? std::max(delay_kept, delays_kept * delay()) : delay_kept;
    if (now - delay_since_ >= kept) {
        delay_before_ = delay_;
        delay_ = UINT64_MAX;
        delay_since_ = now;
        seen_ = 0;
    } else if (is_small() && what.at >= delay_since_ && ++seen_ == seen_least) {
        delay_before_ = UINT64_MAX;
    }
    delay_ = std::min(delay_, std::max<std::uint64_t>(now - what.at, 1));
    if (now - rate_since_ >= std::max<std::uint64_t>(rounds_kept * delay(), rate_kept_least)) {
        rate_before_ = rate_;
        rate_ = 0;
        rate_since_ = now;
    }
    // Acknowledgements may come together that belong to what was sent one after the other, and the other
    // way round.
    const std::uint64_t while_sent = what.at - std::min(what.last_sent_at, what.at);
    const std::uint64_t took = std::max(now - what.acknowledged_at, while_sent);
    if (took >= delay())
        rate_ = std::max(
            rate_, static_cast<double>(acknowledged_ - what.acknowledged) / static_cast<double>(took));
    size_ = is_small() ? least_ : twice_the_way();
}

std::size_t flow_window::twice_the_way() const noexcept
{
    const double bytes = 2 * std::max(rate_, rate_before_) * static_cast<double>(delay());
    return bytes >= static_cast<double>(most_) ? most_ : std::max(least_, static_cast<std::size_t>(bytes));
}

}  // namespace costar::machine
