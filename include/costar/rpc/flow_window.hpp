// SPDX-License-Identifier: MIT

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace costar::machine {

/// How many bytes may be on their way to a peer that acknowledges them: twice what the way holds, which is
/// its bandwidth times its delay, so that neither a fast near peer nor a far one waits, and what stands in
/// between holds no more than it must.
///
/// The bandwidth is the most that was acknowledged in a while, the delay the shortest that was seen. As bytes
/// that stand in a queue add to the delay, the window is the smallest one from time to time, until what was
/// sent then has been acknowledged. A machine without clock: times are nanoseconds that are given to it, and
/// never go back.
///
/// Source: N. Cardwell et al., BBR: Congestion-Based Congestion Control, ACM Queue 14 (5), 2016; without its
/// pacing, since TCP does that.
class flow_window {
public:
    /// What is remembered of bytes until they are acknowledged.
    struct sent {
        std::uint64_t at;
        std::size_t bytes;

        // As it was then: all that was acknowledged, when, and when what came last had been sent.
        std::uint64_t acknowledged;
        std::uint64_t acknowledged_at;
        std::uint64_t last_sent_at;
    };

    flow_window(std::size_t least, std::size_t most) noexcept : least_(least), most_(most), size_(least) {}

    bool has_room() const noexcept { return under_way_ < size_; }

    /// So much that it is worth going on, for who has found none.
    bool has_much_room() const noexcept { return under_way_ <= size_ / 2; }

    std::size_t size() const noexcept { return size_; }
    std::size_t under_way() const noexcept { return under_way_; }

    sent send(std::size_t bytes, std::uint64_t now) noexcept
    {
        if (under_way_ == 0)
            acknowledged_at_ = last_sent_at_ = now;
        under_way_ += bytes;
        return {now, bytes, acknowledged_, acknowledged_at_, last_sent_at_};
    }

    void acknowledge(const sent& what, std::uint64_t now) noexcept;

private:
    static constexpr std::uint64_t delay_kept = 10'000'000'000;
    static constexpr std::uint64_t delays_kept = 60;
    static constexpr std::uint64_t rate_kept_least = 100'000'000;
    static constexpr std::uint64_t rounds_kept = 10;
    static constexpr int seen_least = 8;

    bool is_small() const noexcept { return seen_ < seen_least; }
    std::uint64_t delay() const noexcept { return std::min(delay_, delay_before_); }

    std::size_t twice_the_way() const noexcept;

    std::size_t least_;
    std::size_t most_;
    std::size_t size_;
    std::size_t under_way_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t acknowledged_at_ = 0;
    std::uint64_t last_sent_at_ = 0;
    std::uint64_t delay_ = UINT64_MAX;
    std::uint64_t delay_before_ = UINT64_MAX;  // of the former while, as long as the window is small
    std::uint64_t delay_since_ = 0;
    int seen_ = 0;     // of what was sent into the small window since then
    double rate_ = 0;  // bytes in a nanosecond
    double rate_before_ = 0;
    std::uint64_t rate_since_ = 0;
};

}  // namespace costar::machine
