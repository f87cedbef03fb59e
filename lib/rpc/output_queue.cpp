// SPDX-License-Identifier: MIT

#include <costar/rpc/output_queue.hpp>

#include <algorithm>
#include <utility>

namespace costar::machine {

void output_queue::append(const void* bytes, std::size_t size)
{
    const auto* first = static_cast<const char*>(bytes);
    gathered_.copied.insert(gathered_.copied.end(), first, first + size);
    size_ += size;
}

void output_queue::append(asio::const_buffer bytes, std::shared_ptr<const void> owner)
{
    if (bytes.size() == 0)
        return;
    gathered_.held.push_back({gathered_.copied.size(), bytes, std::move(owner)});
    size_ += bytes.size();
}

/// What was gathered leaves, when all before it has left.
void output_queue::turn_over() noexcept
{
    if (done_ != leaving_.copied.size() || !leaving_.held.empty())
        return;
    leaving_.copied.clear();
    done_ = 0;
    std::swap(leaving_, gathered_);
}

few_buffers output_queue::front()
{
    turn_over();
    few_buffers first;
    std::size_t at = done_;
    const auto add_copied = [&](std::size_t end) {
        if (end > at && !first.is_full())
            first.push_back(asio::const_buffer(leaving_.copied.data() + at, end - at));
        at = end;
    };
    for (const held_piece& each : leaving_.held) {
        add_copied(each.after);
        if (first.is_full())
            return first;
        first.push_back(each.bytes);
    }
    add_copied(leaving_.copied.size());
    return first;
}

void output_queue::consume(std::size_t bytes) noexcept
{
    size_ -= bytes;
    while (bytes > 0) {
        const std::size_t end = leaving_.held.empty() ? leaving_.copied.size() : leaving_.held.front().after;
        const std::size_t copied = std::min(bytes, end - done_);
        done_ += copied;
        bytes -= copied;
        if (bytes == 0)
            break;
        held_piece& next = leaving_.held.front();
        const std::size_t held = std::min(bytes, next.bytes.size());
        next.bytes += held;
        bytes -= held;
        if (next.bytes.size() == 0)
            leaving_.held.pop_front();
    }
}

void output_queue::clear() noexcept
{
    gathered_.copied.clear();
    gathered_.held.clear();
    leaving_.copied.clear();
    leaving_.held.clear();
    done_ = size_ = 0;
}

}  // namespace costar::machine
