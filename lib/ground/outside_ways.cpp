// SPDX-License-Identifier: MIT

#include <costar/ground/outside_ways.hpp>

#include <algorithm>

namespace costar::machine {

namespace {

/// The calling thread's. Destructors of thread-local and static objects may send when it is gone.
constinit thread_local outside_sender* thread_sender = nullptr;
constinit thread_local bool thread_sender_is_gone = false;

/// Marks where another era begins, with its number in `parcel::to`.
void mark_era(chute& queue, std::uint64_t era)
{
    parcel* slot = queue.reserve();
    if (slot == nullptr)
        return;
    slot->to = era;
    slot->kind = own_kinds::era;
    queue.commit();
    queue.set_pushed_era(era);
}

}  // namespace

outside_sender::outside_sender() noexcept
{
    thread_sender = this;
}

outside_sender::~outside_sender()
{
    thread_sender = nullptr;
    thread_sender_is_gone = true;
    last_ = {0, nullptr};
    begin_era();
    for (way& known : ways_)
        leave(*known.queue);
}

outside_sender* outside_sender::of_this_thread()
{
    if (thread_sender == nullptr && !thread_sender_is_gone) {
        static thread_local outside_sender sender;
        return &sender;
    }
    return thread_sender;
}

chute* outside_sender::find(std::uint64_t serial)
{
    last_ = {0, nullptr};
    for (const way& known : ways_) {
        if (known.serial != serial)
            continue;
        const std::uint64_t era = era_.load(std::memory_order_relaxed);  // as in `last`
        if (known.queue->pushed_era() != era)
            mark_era(*known.queue, era);
        return known.queue;
    }
    return nullptr;
}

chute& outside_sender::add(std::uint64_t serial)
{
    std::erase_if(ways_, [](way& known) {
        const bool gone = known.queue->closed();
        if (gone)
            leave(*known.queue);
        return gone;
    });
    ways_.reserve(ways_.size() + 1);
    chute* made = chute::make(begin_era());
    ways_.push_back({serial, made});
    return *made;
}

void outside_sender::forget(chute& queue) noexcept
{
    std::erase_if(ways_, [&](const way& known) { return known.queue == &queue; });
    leave(queue);
}

/// Passes the marks of eras that nothing of an earlier one lies before, and answers the earliest era of what
/// waits; UINT64_MAX where nothing does.
std::uint64_t outside_ways::oldest_era() noexcept
{
    std::uint64_t oldest = UINT64_MAX;
    for (chute* from : chutes_) {
        parcel* next = from->front();
        for (; next != nullptr && next->kind == own_kinds::era; next = from->front()) {
            from->set_taken_era(next->to);
            from->pop();
        }
        // What lies beyond the snapshot of a chute is of the same era, or of a later one.
        if (next != nullptr || !from->empty_hint())
            oldest = std::min(oldest, from->taken_era());
    }
    return oldest;
}

void outside_ways::drop_finished() noexcept
{
    std::erase_if(chutes_, [](chute* from) {
        const bool finished = from->closed() && from->snapshot() == 0;
        if (finished)
            from->drop();
        return finished;
    });
}

}  // namespace costar::machine
