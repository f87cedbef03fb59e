// SPDX-License-Identifier: MIT

// What happens in a turn of a strand: rounds, each with a share of every source.

#include <costar/core/strand_context.hpp>

#include "job_body.hpp"
#include "parking.hpp"

#include <algorithm>
#include <utility>

namespace costar::machine {

inline void strand_context::run_job(job& work)
{
    if (hogs_.is_off()) [[likely]]
        work.run(&work, false);
    else
        hogs_.watch(*receiver_, {}, [&] { work.run(&work, false); });
}

inline bool strand_context::is_anything_left() const noexcept
{
    return has_ready() || has_input() || is_timer_due();
}

bool strand_context::turn(bool is_clock_read)
{
    turn_guard guard(*this);
    std::uint64_t began = is_clock_read ? now_ : read_clock();
    const std::uint64_t end = began + turn_length_;
    bool is_work_left = false;
    for (;;) {
        drain();
        fire_timers();
        run_jobs();
        run_ready();
        flush();
        is_work_left = is_anything_left();
        if (!is_work_left && companion_ != nullptr) {
            companion_->send_out();
            is_work_left = is_anything_left();
        }
        if (!is_work_left)
            break;
        read_clock();
        measure_round(now_ - began, turn_length_);
        if (now_ >= end)
            break;
        began = now_;
    }
    if (is_work_left && companion_ != nullptr)
        companion_->send_out();
    arena_.get().flush();
    if (now_ - tended_at_ >= turn_length_)
        tend_queues();
    announce_timer();
    return is_work_left;
}

bool strand_context::step()
{
    turn_guard guard(*this);
    read_clock();
    drain();
    fire_timers();
    const bool node_ready = !ready_.empty();
    const bool job_ready = !jobs_.empty();
    const bool did_something = node_ready || job_ready;
    if (job_ready && (!node_ready || (chooser_ != nullptr && chooser_->below(2) == 0))) {
        work_has_begun();
        run_job(*jobs_.pop());
    } else
        run_single();
    if (ended_ != nullptr)
        reap();
    flush();
    if (companion_ != nullptr)
        companion_->send_out();
    arena_.get().flush();
    tend_queues();
    look_at_timers();
    return did_something;
}

/// The rest of a turn, for what a handler has begun from outside of one. A look at what came in belongs to
/// it: handlers of sockets may follow each other for long.
void strand_context::leave_turn()
{
    const std::uint64_t began = now_;
    if (has_input())
        drain();
    fire_timers();
    run_jobs();
    run_ready();
    flush();
    if (companion_ != nullptr && !has_work())
        companion_->send_out();
    arena_.get().flush();
    if (units_left_ <= units_per_round_ / 2) {
        read_clock();
        measure_round(now_ - began, turn_length_);
    }
    if (now_ - tended_at_ >= turn_length_)
        tend_queues();
    announce_timer();
    if (has_work())
        wake();
}

/// Has a sibling whose inbox was flooded done as much as somebody waits for?
inline bool strand_context::has_made_room() const noexcept
{
    return has_flooded_ && parking_->has_inbox_done_enough();
}

bool strand_context::has_input() const noexcept
{
    return !inbox_.empty() || !posted_.empty() || rings_.has_input() || ways_.has_input() ||
        rings_.has_room() || has_made_room();
}

/// Takes in what came, a share of each source.
///
/// What is visible in the rings and chutes at a look was sent after whatever its sender had posted to the
/// inbox before. So a look comes in two steps, each as long as it takes, and the next look after the last
/// one: control work, then what was visible.
void strand_context::drain()
{
    if (posted_.empty())
        look();
    run_posted();
    if ((rings_.has_arrived() || ways_.has_arrived()) && posted_.empty())
        take_parcels();
    if (ended_ != nullptr)
        reap();
}

void strand_context::look()
{
    ways_.note_era();
    rings_.look();
    ways_.look();
    if (has_made_room())
        has_flooded_ = parking_->look_at_inboxes();
    if (!inbox_.empty())
        posted_.append(inbox_.take());
}

void strand_context::run_posted()
{
    // A handler that throws leaves the rest for the next turn.
    if (posted_.empty())
        return;
    for (int left = posted_per_round; left > 0; --left) {
        job* work = posted_.pop();
        if (work == nullptr)
            break;
        ++posted_done_;
        run_job(*work);
    }
}

/// Tells who posts here how much of it is done; a birth that has not begun is not. Handlers that the strand
/// posts to itself do not count: they may be there for ever.
void strand_context::tell_done()
{
    const std::uint64_t done = posted_done_ - std::min<std::uint64_t>(posted_done_, births_waiting());
    if (done == told_done_) [[likely]]
        return;
    inbox_.set_done(told_done_ = done);
    if (inbox_.must_tell(done)) [[unlikely]]
        for (strand_context* other : siblings_)
            if (other != this)
                other->wake();
}

/// How many parcels may be taken before this is asked again: each adds one at most to the backlog. What fills
/// it may lie behind messages that are not counted; then these make a little room too.
std::size_t strand_context::room_for_parcels(std::size_t taken) noexcept
{
    const std::size_t share = parcels_per_round - taken;
    if (backlog_ < backlog_max_) {
        units_past_borne_ = 0;
        return std::min(share, static_cast<std::size_t>(backlog_max_ - backlog_));
    }
    if (ready_.empty())
        return std::min<std::size_t>(share, 1);
    if (share == 0 || units_past_borne_ < units_for_a_parcel)
        return 0;
    units_past_borne_ -= units_for_a_parcel;
    return 1;
}

/// Takes from a ring or chute up to where it was looked at, its share of a round, while the backlog is short
/// or nothing is runnable. Answers how many parcels.
template <class Queue>
std::size_t strand_context::take_from(Queue& queue, bool& is_more_left)
{
    std::size_t taken = 0;
    for (std::size_t room = 0;; ++taken, --room) {
        if (room == 0 && (room = room_for_parcels(taken)) == 0)
            break;
        parcel* arrived = queue.front();
        if (arrived == nullptr)
            break;
        if (!own_kinds::has(arrived->kind)) [[likely]] {
            receiver_->receive(*arrived);
            queue.pop();
        } else if (arrived->kind == own_kinds::job) {
            const job_body body = job_body::of(*arrived);
            queue.pop();
            if (body.deadline != nullptr)
                ++deadlines_seen_;
            run_job(*body.work);
        } else {
            break;
        }
    }
    is_more_left |= queue.front() != nullptr;
    queue.release();
    return taken;
}

void strand_context::take_parcels()
{
    if (!ways_.has_arrived()) {
        take_from_rings();
        return;
    }
    if (!rings_.has_arrived()) {
        take_from_chutes();
        return;
    }
    // Where there is room for little it goes to the rings in one round, and to the chutes in the next.
    are_chutes_first_ = !are_chutes_first_;
    if (are_chutes_first_) {
        take_from_chutes();
        take_from_rings();
    } else {
        take_from_rings();
        take_from_chutes();
    }
}

void strand_context::take_from_rings()
{
    rings_.take_in_order([this](ring& from, bool& is_more_left) { return take_from(from, is_more_left); },
        [this](std::size_t sibling) { siblings_[sibling]->wake(); });
}

void strand_context::take_from_chutes()
{
    ways_.take_in_order(
        parcels_per_round, [this](chute& from, bool& is_more_left) { return take_from(from, is_more_left); });
}

void strand_context::run_jobs()
{
    for (int left = jobs_per_round; left > 0; --left) {
        job* work = jobs_.pop();
        if (work == nullptr)
            break;
        work_has_begun();
        run_job(*work);
    }
    if (ended_ != nullptr)
        reap();
}

void strand_context::fire_timers()
{
    if (!is_timer_due())
        return;
    run_node* const& made_ready = ready_.end();
    fire_due(timers_per_round);
    if (parking_ != nullptr && !parking_->empty())
        parking_->note_due(made_ready);
    if (ended_ != nullptr)
        reap();
}

void strand_context::announce_timer()
{
    strand_time::announce_timer([this](std::uint64_t due) { driver_->timer_changed(due); });
}

/// Lets deadlines of requests that wait in rings and chutes pass as those of others do, and lets go of
/// threads that have ended.
void strand_context::tend_queues()
{
    tended_at_ = now_;
    if (deadlines_seen_ != deadlines_sent_.load(std::memory_order_relaxed))
        note_deadlines();
    ways_.drop_finished();
}

void strand_context::note_deadlines()
{
    const auto arm_deadline = [this](parcel& waiting) {
        if (waiting.kind != own_kinds::job)
            return;
        if (timer_node* deadline = std::exchange(job_body::of(waiting).deadline, nullptr)) {
            ++deadlines_seen_;
            arm(*deadline, deadline->due);
        }
    };
    rings_.visit_waiting(arm_deadline);
    ways_.visit_waiting(arm_deadline);
}

}  // namespace costar::machine
