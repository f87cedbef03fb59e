// SPDX-License-Identifier: MIT

// How jobs and parcels come to a strand: from itself, its siblings, and threads that belong to no strand.

#include <costar/core/strand_context.hpp>

#include "job_body.hpp"
#include "parking.hpp"

#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <utility>

namespace costar::machine {

void strand_context::post(job& work) noexcept
{
    if (current_ == this) {
        push_own(work);
        return;
    }
    if (inbox_.push(&work))
        wake();
    if (current_ != nullptr && inbox_.waiting() > inbox_is_long) [[unlikely]]
        current_->has_flooded(*this);
    // Sequentially consistent, as the push is: either this sees that the strand has ended, or whoever ended
    // it sees the job.
    if (refusing_.load(std::memory_order_seq_cst)) [[unlikely]]
        for (job* left = inbox_.take(); left != nullptr;) {
            job* first = std::exchange(left, left->next);
            first->run(first, true);
        }
}

/// From inside.
void strand_context::push_own(job& work) noexcept
{
    jobs_.push(&work);
    work_is_made();
}

void strand_context::send(strand_context& to, const parcel& message)
{
    send_filled(to.index_, [&](parcel& slot) { std::memcpy(&slot, &message, sizeof(parcel)); });
}

void strand_context::has_spilled(std::size_t to) noexcept
{
    if (running_ != nullptr && makes_parking())
        parking_->park(running_->root(), to, rings_.spilled(to));
}

/// False where there is no memory: then nobody is held back.
bool strand_context::makes_parking() noexcept
{
    try {
        if (parking_ == nullptr)
            parking_ = std::make_unique<parking>(*this, rings_.size());
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void strand_context::flush()
{
    const bool is_anybody_parked = parking_ != nullptr && !parking_->empty();
    rings_.publish(
        [&](std::size_t to, std::uint64_t moved) {
            if (is_anybody_parked)
                parking_->room_made(to, moved);
        },
        [this](std::size_t to) { siblings_[to]->wake(); });
    if (is_anybody_parked) [[unlikely]] {
        held_maker_ = nullptr;
        parking_->work_is_done(work_done_);
    }
    tell_done();
}

void run_queue::hold_back_maker(std::uint64_t until) noexcept
{
    if (!static_cast<strand_context&>(*this).makes_parking())
        return;
    held_until_ = parking_->wait_for_work(running_->root(), until);
    held_maker_ = held_until_ != nullptr ? &running_->root() : nullptr;
}

bool strand_context::send_from_outside(const parcel& message)
{
    return send_filled_from_outside([&](parcel& slot) { std::memcpy(&slot, &message, sizeof(parcel)); });
}

/// The calling thread's queue to this strand, found or made, with a mark where another era begins. Null when
/// the thread's own objects are being destroyed.
chute* strand_context::find_way_from_outside()
{
    outside_sender* sender = outside_sender::of_this_thread();
    if (sender == nullptr) [[unlikely]]
        return nullptr;
    chute* known = sender->find(serial_);
    if (known == nullptr) [[unlikely]] {
        chute& made = sender->add(serial_);
        try {
            adopt(made);
        } catch (...) {  // the strand does not know it, and would never look into it
            sender->forget(made);
            throw;
        }
        known = &made;
    }
    outside_sender::remember(serial_, *known);
    return known;
}

namespace {

/// Waits until the strand has made room, or has made no progress for about ten milliseconds. Room is made
/// every few microseconds while the strand runs, so it is worth a look before the thread sleeps.
void hold_back(chute& queue)
{
    for (int attempt = 0; attempt < 256; ++attempt) {
        if (!queue.full())
            return;
        std::this_thread::yield();
    }
    for (int attempt = 0; attempt < 200 && queue.full(); ++attempt)
        std::this_thread::sleep_for(std::chrono::microseconds(50));
}

}  // namespace

/// A slot where there is none without new memory: who sends waits a little before more is taken. A thread
/// waits itself; what runs on a strand of another engine must not, so its root does.
parcel* strand_context::reserve_beyond(chute& queue)
{
    if (queue.closed())
        return nullptr;
    if (queue.is_largest()) {
        if (current_ != nullptr)
            current_->pause_running();
        else if (driver_->may_hold_back())
            hold_back(queue);
    }
    return queue.reserve();
}

void strand_context::post_in_line(job& work, timer_node* deadline)
{
    parcel message{};
    message.kind = own_kinds::job;
    if (deadline != nullptr && (deadline->due == 0 || current_ == this))
        deadline = nullptr;
    if (deadline != nullptr)
        deadlines_sent_.fetch_add(1, std::memory_order_relaxed);
    ::new (message.body) job_body{&work, deadline};
    if (current_ == this) {
        push_own(work);
        return;
    }
    bool is_sent = true;
    try {
        if (current_ != nullptr && index_ < current_->siblings_.size() && current_->siblings_[index_] == this)
            current_->send(*this, message);
        else
            is_sent = send_from_outside(message);
    } catch (...) {
        if (deadline != nullptr)
            deadlines_sent_.fetch_sub(1, std::memory_order_relaxed);
        work.run(&work, true);
        throw;
    }
    if (!is_sent)
        work.run(&work, true);
}

void strand_context::pause_running() noexcept
{
    if (running_ == nullptr || !makes_parking())
        return;
    parking_->pause(running_->root());
    exhaust_slice();
}

/// The running root has posted more than the other strand has done. It goes on when that has done the most,
/// and when that is a strand of another engine after a moment.
void strand_context::has_flooded(strand_context& other) noexcept
{
    if (other.index_ >= siblings_.size() || siblings_[other.index_] != &other) {
        pause_running();
        return;
    }
    if (running_ == nullptr || !makes_parking())
        return;
    parking_->wait_for_inbox(running_->root(), other.index_, other.inbox_);
    has_flooded_ = true;
    exhaust_slice();
}

/// Looks again: what was to be told may have been missed. False where nobody need wait any more.
bool strand_context::awaits_inboxes_still() noexcept
{
    if (has_flooded_)
        has_flooded_ = parking_->look_at_inboxes();
    return has_flooded_;
}

}  // namespace costar::machine
