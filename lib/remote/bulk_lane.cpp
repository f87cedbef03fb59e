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
