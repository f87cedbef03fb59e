// SPDX-License-Identifier: MIT

#include "bulk_lane.hpp"

namespace costar::remote {

bulk_lane::item bulk_lane::take()
{
    item first = std::move(items_.front());
    items_.pop_front();
    const letter* const message = std::get_if<letter>(&first.what);
    if (message != nullptr && message->answers != 0)
        answer_bytes_ -= message->bytes();
    return first;
}

std::optional<bulk_lane::pair> bulk_lane::pair_of(const item& one) noexcept
{
    if (const letter* const message = std::get_if<letter>(&one.what))
        return message->answers == 0 ? std::optional(pair(message->sender, message->target)) : std::nullopt;
    const machine::outbound_signal& news = std::get<departing_signal>(one.what).news;
    return news.what == machine::outbound_signal::kind::poison ? std::optional(pair(news.about, news.to))
                                                               : std::nullopt;
}

std::uint64_t bulk_lane::has_left(const pair& which)
{
    flow& its = pairs_[which];
    return --its.waiting == 0 ? its.begun : 0;
}

void bulk_lane::release(const pair& which, std::uint64_t begun)
{
    // What has come meanwhile has not been taken yet.
    const auto found = pairs_.find(which);
    if (found != pairs_.end() && found->second.begun == begun)
        pairs_.erase(found);
}

}  // namespace costar::remote
