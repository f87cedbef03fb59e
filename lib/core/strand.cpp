// SPDX-License-Identifier: MIT

#include <costar/core/strand.hpp>

#include "parking.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <random>
#include <thread>

namespace costar {

namespace {

/// Mark a parcel that carries a job instead of a message, or none of both.
const char own_kinds[2] = {};
constexpr const void* job_parcel = &own_kinds[0];

bool is_own_kind(const void* kind) noexcept
{
    return reinterpret_cast<std::uintptr_t>(kind) - reinterpret_cast<std::uintptr_t>(own_kinds) <
        sizeof own_kinds;
}

/// What `parcel::body` holds then.
struct job_body {
    job* work;
    timer_node* deadline;  // to be armed where the parcel waits for long; null for none
};

std::uint64_t next_serial() noexcept
{
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void leave(chute& queue) noexcept
{
    queue.close();
    queue.drop();
}

/// Marks a parcel behind which another era begins: the number in `parcel::to`.
constexpr const void* era_parcel = &own_kinds[1];

/// The calling thread's. Destructors of thread-local and static objects may send when it is gone.
constinit thread_local outside_sender* thread_sender = nullptr;
constinit thread_local bool thread_sender_is_gone = false;

}  // namespace

/// The queues through which a thread that belongs to no strand sends, one for each strand it has sent to.
class outside_sender {
public:
    outside_sender() noexcept { thread_sender = this; }
    outside_sender(const outside_sender&) = delete;
    ~outside_sender()
    {
        thread_sender = nullptr;
        thread_sender_is_gone = true;
        strand_context::last_way_ = {0, nullptr};
        strand_context::begin_era();
        for (entry& known : entries_)
            leave(*known.queue);
    }

    chute* find(const strand_context& target) noexcept
    {
        for (entry& known : entries_)
            if (known.serial == target.serial())
                return known.queue;
        return nullptr;
    }

    /// Of one that came to nothing.
    void forget(chute& queue) noexcept
    {
        std::erase_if(entries_, [&](const entry& known) { return known.queue == &queue; });
        leave(queue);
    }

    chute& add(const strand_context& target)
    {
        std::erase_if(entries_, [](entry& known) {
            const bool gone = known.queue->closed();
            if (gone)
                leave(*known.queue);
            return gone;
        });
        entries_.reserve(entries_.size() + 1);
        chute* made = chute::make(strand_context::begin_era());
        entries_.push_back({target.serial(), made});
        return *made;
    }

private:
    struct entry {
        std::uint64_t serial;
        chute* queue;
    };
    std::vector<entry> entries_;
};

namespace {

/// Null when it is gone.
outside_sender* this_thread_sender()
{
    if (thread_sender == nullptr && !thread_sender_is_gone) {
        static thread_local outside_sender sender;
        return &sender;
    }
    return thread_sender;
}

/// Registers a foreign thread's queue with its strand. If the strand ends before it gets to it, the queue is
/// closed; one with parcels inside is still registered, so that they are discarded.
class adoption {
public:
    adoption(std::vector<chute*>& known, bool& has_arrived, chute& queue) noexcept
        : known_(&known), has_arrived_(&has_arrived), queue_(&queue)
    {}
    adoption(adoption&& other) noexcept
        : known_(other.known_), has_arrived_(other.has_arrived_), queue_(std::exchange(other.queue_, nullptr))
    {}
    ~adoption()
    {
        if (queue_ == nullptr)
            return;
        if (queue_->snapshot() != 0)
            (*this)();
        else
            leave(*queue_);
    }

    void operator()()
    {
        known_->push_back(queue_);
        // It may hold what is older than what others hold.
        *has_arrived_ |= std::exchange(queue_, nullptr)->snapshot() != 0;
    }

private:
    std::vector<chute*>* known_;
    bool* has_arrived_;
    chute* queue_;
};

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

strand_context::strand_context(std::uint32_t index, const turn_options& options, costar::clock& clock)
    : throughput_(std::max(options.throughput, 1)),
      now_(clock.now()),
      turn_length_(static_cast<std::uint64_t>(options.turn.count())),
      hog_limit_(static_cast<std::uint64_t>(std::max<std::int64_t>(options.hog_limit.count(), 0))),
      backlog_max_(options.backlog),
      ring_slots_(options.ring_slots),
      index_(index),
      serial_(next_serial()),
      clock_(&clock),
      wheel_(now_),
      random_(std::random_device()())
{}

strand_context::~strand_context()
{
    discard_jobs();
}

void strand_context::connect(
    strand_driver& driver, const std::vector<strand_context*>& siblings, parcel_receiver& receiver)
{
    driver_ = &driver;
    sleeps_seldom_ = driver.sleeps_seldom();
    receiver_ = &receiver;
    if (peers_.empty())
        peers_.resize(siblings.size());
    for (std::size_t i = 0; i < siblings.size(); ++i) {
        strand_context& other = *siblings[i];
        peers_[i].context = &other;
        if (&other == this)
            continue;
        if (other.peers_.empty())
            other.peers_.resize(siblings.size());
        peers_[i].in = std::make_unique<ring>(ring_slots_);
        other.peers_[index_].out = peers_[i].in.get();
    }
}

void strand_context::withdraw(run_node& node) noexcept
{
    for (run_node** link = &ready_; *link != nullptr; link = &(*link)->next) {
        if (*link == &node) {
            *link = node.next;
            if (node.next == nullptr)
                ready_tail_ = link;
            return;
        }
    }
    for (run_node** list : {&young_births_, &births_}) {
        for (run_node** link = list; *link != nullptr; link = &(*link)->next) {
            if (*link == &node) {
                *link = node.next;
                if (births_tail_ == &node.next)
                    births_tail_ = link;
                return;
            }
        }
    }
    if (parking_ != nullptr)
        parking_->withdraw(node);
}

void strand_context::forget(root_scope& root) noexcept
{
    if (root.borne_ != 0 && root.counted_)
        backlog_ -= root.borne_;
    root.queued_ = 0;
    root.borne_ = 0;
    if (root.parked_) [[unlikely]]
        parking_->forget(root);
    if (running_ != nullptr && &running_->root() == &root)
        running_ = nullptr;
}

void strand_context::post(job& work) noexcept
{
    if (current_ == this) {
        jobs_.push(&work);
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

void strand_context::send(strand_context& to, const parcel& message)
{
    send_filled(to.index_, [&](parcel& slot) { std::memcpy(&slot, &message, sizeof(parcel)); });
}

void strand_context::has_spilled(std::size_t index) noexcept
{
    if (running_ != nullptr && makes_parking())
        parking_->park(running_->root(), index, peers_[index].spill.pushed());
}

/// False where there is no memory: then nobody is held back.
bool strand_context::makes_parking() noexcept
{
    try {
        if (parking_ == nullptr)
            parking_ = std::make_unique<parking>(*this, peers_.size());
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool strand_context::send_from_outside(const parcel& message)
{
    return send_filled_from_outside([&](parcel& slot) { std::memcpy(&slot, &message, sizeof(parcel)); });
}

/// The calling thread's queue to this strand, found or made, with a mark where another era begins.
chute* strand_context::find_way_from_outside()
{
    last_way_ = {0, nullptr};
    outside_sender* sender = this_thread_sender();
    if (sender == nullptr) [[unlikely]]
        return nullptr;
    chute* known = sender->find(*this);
    if (known == nullptr) [[unlikely]] {
        chute& made = sender->add(*this);
        try {
            post(adoption(chutes_, has_arrived_from_outside_, made));
        } catch (...) {  // the strand does not know it, and would never look into it
            sender->forget(made);
            throw;
        }
        known = &made;
    } else if (const std::uint64_t era = current_era_.load(std::memory_order_relaxed);
        known->pushed_era() != era) {
        mark_era(*known, era);
    }
    last_way_ = {serial_, known};
    return known;
}

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

/// Parks the running root for a moment: who it sent or posted to is a strand that tells nothing of its room.
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
    if (running_ == nullptr)
        return;
    if (other.index_ < peers_.size() && peers_[other.index_].context == &other) {
        flooded_ = &other;
        other.inbox_.ask_for_room();
    }
    pause_running();
}

/// Has a strand whose inbox was flooded done the most?
bool strand_context::has_made_room() const noexcept
{
    return flooded_ != nullptr && !flooded_->has_long_inbox();
}

void strand_context::mark_era(chute& queue, std::uint64_t era)
{
    parcel* slot = queue.reserve();
    if (slot == nullptr)
        return;
    slot->to = era;
    slot->kind = era_parcel;
    queue.commit();
    queue.set_pushed_era(era);
}

strand_context::late_way::late_way(strand_context& target) : queue_(chute::make(strand_context::begin_era()))
{
    target.post(adoption(target.chutes_, target.has_arrived_from_outside_, *queue_));
}

strand_context::late_way::~late_way()
{
    leave(*queue_);
}

void strand_context::post_in_line(job& work, timer_node* deadline)
{
    parcel message{};
    message.kind = job_parcel;
    if (deadline != nullptr && (deadline->due == 0 || current_ == this))
        deadline = nullptr;
    if (deadline != nullptr)
        deadlines_sent_.fetch_add(1, std::memory_order_relaxed);
    ::new (message.body) job_body{&work, deadline};
    if (current_ == this) {
        jobs_.push(&work);
        return;
    }
    bool is_sent = true;
    try {
        if (current_ != nullptr && index_ < current_->peers_.size() &&
            current_->peers_[index_].context == this)
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

bool strand_context::has_input() const noexcept
{
    if (!inbox_.empty() || !posted_.empty())
        return true;
    for (const peer& other : peers_)
        if (other.in != nullptr && !other.in->empty_hint())
            return true;
    for (const chute* from : chutes_)
        if (!from->empty_hint())
            return true;
    for (const peer& other : peers_)
        if (!other.spill.empty() && !other.out->full())
            return true;
    return has_made_room();
}

bool strand_context::turn(bool is_clock_read)
{
    turn_guard guard(*this);
    std::uint64_t began = is_clock_read ? now_ : read_clock();
    const std::uint64_t end = began + turn_length_;
    for (;;) {
        drain();
        fire_timers();
        run_jobs();
        run_ready();
        flush();
        if (!has_ready() && !has_input() && now_ < wheel_due_)
            break;
        read_clock();
        measure_round(began);
        if (now_ >= end)
            break;
        began = now_;
    }
    arena_.get().flush();
    if (now_ - tended_at_ >= turn_length_)
        tend_queues();
    announce_timer();
    return has_work();
}

bool strand_context::step()
{
    turn_guard guard(*this);
    read_clock();
    drain();
    fire_timers();
    const bool node_ready = has_ready_node();
    const bool job_ready = !jobs_.empty();
    const bool did_something = node_ready || job_ready;
    if (job_ready && (!node_ready || (chooser_ != nullptr && chooser_->below(2) == 0)))
        run_job(*jobs_.pop());
    else
        run_single();
    if (ended_ != nullptr)
        reap();
    flush();
    arena_.get().flush();
    tend_queues();
    wheel_due_ = wheel_.next_due();
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
    arena_.get().flush();
    if (units_left_ <= units_per_round_ / 2) {
        read_clock();
        measure_round(began);
    }
    if (now_ - tended_at_ >= turn_length_)
        tend_queues();
    announce_timer();
    if (has_work())
        wake();
}

void strand_context::announce_timer()
{
    const std::uint64_t due = wheel_.next_due();
    wheel_due_ = due;
    if (due != announced_due_)
        driver_->timer_changed(announced_due_ = due);
}

/// Fits the next round into about half a turn, so that what comes meanwhile waits no longer. What a round
/// that had little to do has taken says nothing.
void strand_context::measure_round(std::uint64_t began) noexcept
{
    const std::uint64_t length = now_ - began;
    if (length > turn_length_ / 2)
        units_per_round_ = std::max(1, units_per_round_ / (length > 2 * turn_length_ ? 8 : 2));
    else if (units_left_ <= 0 && units_per_round_ < units_max && length < turn_length_ / 8)
        units_per_round_ = std::min(units_max, units_per_round_ * 2);
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
    if ((has_arrived_ || has_arrived_from_outside_) && posted_.empty())
        take_parcels();
    if (ended_ != nullptr)
        reap();
}

void strand_context::look()
{
    // Acquire: what was sent in earlier eras is visible from here on.
    era_ = current_era_.load(std::memory_order_acquire);
    for (peer& other : peers_)
        if (other.in != nullptr)
            has_arrived_ |= other.in->snapshot() != 0;
    for (chute* from : chutes_)
        has_arrived_from_outside_ |= from->snapshot() != 0;
    if (has_made_room()) {
        flooded_ = nullptr;
        if (parking_ != nullptr)
            parking_->end_pause();
    }
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
    inbox_.set_done(posted_done_);
    if (!has_long_inbox() && inbox_.take_asked()) [[unlikely]]
        for (peer& other : peers_)
            if (other.context != nullptr && other.context != this)
                other.context->wake();
}

/// How many parcels may be taken before this is asked again: each adds one at most to the backlog.
std::size_t strand_context::room_for_parcels(std::size_t taken) const noexcept
{
    const std::size_t share = parcels_per_round - taken;
    if (backlog_ >= backlog_max_)
        return has_ready_node() ? 0 : std::min<std::size_t>(share, 1);
    return std::min(share, static_cast<std::size_t>(backlog_max_ - backlog_));
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
        if (!is_own_kind(arrived->kind)) [[likely]] {
            receiver_->receive(*arrived);
            queue.pop();
        } else if (arrived->kind == job_parcel) {
            const job_body body = *std::launder(reinterpret_cast<job_body*>(arrived->body));
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
    if (!has_arrived_from_outside_) {
        take_from_rings();
        return;
    }
    if (!has_arrived_) {
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

/// Each round begins with another ring, so that the last one gets what room there is as often as the first.
void strand_context::take_from_rings()
{
    has_arrived_ = false;
    const std::size_t count = peers_.size();
    bool is_first = true;
    for (std::size_t i = 0, at = first_ring_; i < count; ++i, ++at) {
        if (at >= count)
            at = 0;
        peer& other = peers_[at];
        if (other.in == nullptr)
            continue;
        const std::size_t taken = take_from(*other.in, has_arrived_);
        if (taken == 0)
            continue;
        if (std::exchange(is_first, false))
            first_ring_ = at + 1;
        other.taken += taken;
        if (other.taken >= ring_slots_ / 4) {  // the peer may sleep until there is room
            other.taken = 0;
            other.context->wake();
        }
    }
}

/// The same among the chutes of one era; later ones wait until nothing of it is left.
void strand_context::take_from_chutes()
{
    has_arrived_from_outside_ = false;
    const std::size_t count = chutes_.size();
    std::size_t taken = 0;
    for (std::uint64_t era = oldest_era(); era <= era_ && taken < parcels_per_round; era = oldest_era()) {
        bool is_first = true;
        std::size_t taken_now = 0;
        for (std::size_t i = 0, at = first_chute_; i < count; ++i, ++at) {
            if (at >= count)
                at = 0;
            if (chutes_[at]->taken_era() != era)
                continue;
            const std::size_t taken_here = take_from(*chutes_[at], has_arrived_from_outside_);
            if (taken_here != 0 && std::exchange(is_first, false))
                first_chute_ = at + 1;
            taken_now += taken_here;
        }
        taken += taken_now;
        if (taken_now == 0)
            break;
    }
}

/// Passes the marks of eras that nothing of an earlier one lies before, and answers the earliest era of what
/// waits; UINT64_MAX where nothing does.
std::uint64_t strand_context::oldest_era() noexcept
{
    std::uint64_t oldest = UINT64_MAX;
    for (chute* from : chutes_) {
        parcel* next = from->front();
        for (; next != nullptr && next->kind == era_parcel; next = from->front()) {
            from->set_taken_era(next->to);
            from->pop();
        }
        // What lies beyond the snapshot of a chute is of the same era, or of a later one.
        if (next != nullptr || !from->empty_hint())
            oldest = std::min(oldest, from->taken_era());
    }
    return oldest;
}

void strand_context::note_deadlines()
{
    const auto arm_deadline = [this](parcel& waiting) {
        if (waiting.kind != job_parcel)
            return;
        auto* body = std::launder(reinterpret_cast<job_body*>(waiting.body));
        if (timer_node* deadline = std::exchange(body->deadline, nullptr)) {
            ++deadlines_seen_;
            arm(*deadline, deadline->due);
        }
    };
    for (peer& other : peers_)
        if (other.in != nullptr)
            other.in->visit_waiting(arm_deadline);
    for (chute* from : chutes_)
        from->visit_waiting(arm_deadline);
}

/// Lets deadlines of requests that wait in rings and chutes pass as those of others do, and lets go of
/// threads that have ended.
void strand_context::tend_queues()
{
    tended_at_ = now_;
    if (deadlines_seen_ != deadlines_sent_.load(std::memory_order_relaxed))
        note_deadlines();
    std::erase_if(chutes_, [](chute* from) {
        const bool finished = from->closed() && from->snapshot() == 0;
        if (finished)
            from->drop();
        return finished;
    });
}

void strand_context::run_jobs()
{
    for (int left = jobs_per_round; left > 0; --left) {
        job* work = jobs_.pop();
        if (work == nullptr)
            break;
        run_job(*work);
    }
    if (ended_ != nullptr)
        reap();
}

[[gnu::always_inline]] inline run_node* strand_context::pop_ready() noexcept
{
    if (has_birth() && (ready_ == nullptr || births_ran_ < births_per_other)) [[unlikely]] {
        ++births_ran_;
        return pop_birth();
    }
    run_node* node = ready_;
    if (node != nullptr) {
        births_ran_ = 0;
        ready_ = node->next;
        if (ready_ == nullptr)
            ready_tail_ = &ready_;
    }
    return node;
}

namespace {

/// Those that were born first are no longer in the cache. While one runs its first turn, the next one's
/// coroutine comes, and the head of the one behind it.
void prefetch_birth(const run_node& next) noexcept
{
    __builtin_prefetch(next.waiter);
    if (next.next == nullptr)
        return;
    constexpr std::size_t line = 64;
    __builtin_prefetch(next.next);
    __builtin_prefetch(reinterpret_cast<const char*>(next.next) + line);
}

}  // namespace

run_node* strand_context::pop_birth() noexcept
{
    run_node* node = young_births_;
    if (node != nullptr && young_ran_ < births_in_a_row) {
        young_births_ = node->next;
        ++young_ran_;
    } else {
        if (births_ == nullptr)
            age_births();
        young_ran_ = 0;
        node = births_;
        births_ = node->next;
        if (births_ == nullptr)
            births_tail_ = &births_;
        else
            prefetch_birth(*births_);
    }
    newborn_ = &node->waiter->scope().root();
    newborn_->set_receptive(false);
    return node;
}

/// Those that came first have done so for long enough.
void strand_context::age_births() noexcept
{
    births_ = std::exchange(young_births_, nullptr);
    while (*births_tail_ != nullptr)
        births_tail_ = &(*births_tail_)->next;
}

void strand_context::insert_behind(run_node& elder, run_node& node) noexcept
{
    node.next = elder.next;
    elder.next = &node;
    if (births_tail_ == &elder.next)
        births_tail_ = &node.next;
}

run_node* strand_context::pop_chosen() noexcept
{
    // Of the births only those that are first in their line: siblings begin in the order of their spawns.
    std::uint64_t count = (young_births_ != nullptr ? 1 : 0) + (births_ != nullptr ? 1 : 0);
    const std::uint64_t births = count;
    for (run_node* node = ready_; node != nullptr; node = node->next)
        ++count;
    if (count == 0)
        return nullptr;
    std::uint64_t chosen = chooser_->below(count);
    run_node* node = ready_;
    if (chosen < births) {
        node = chosen == 0 && young_births_ != nullptr ? young_births_ : births_;
        newborn_ = &node->waiter->scope().root();
        newborn_->set_receptive(false);
    } else {
        for (chosen -= births; chosen > 0; --chosen)
            node = node->next;
    }
    withdraw(*node);
    return node;
}

/// Must the node of a parked root wait?
bool strand_context::is_held_back(run_node& node, root_scope& root) noexcept
{
    return parking_->hold(node, receiver_->is_mailbox(node, root));
}

void strand_context::hold_or_make_ready(run_node& node) noexcept
{
    if (!parking_->hold(node, true))
        make_ready(node);
}

/// The messages of the root wait for something other than the processor, so they must not hold back the
/// rings: the reply it waits for may lie in one.
[[gnu::noinline]] void strand_context::stop_counting(root_scope& root) noexcept
{
    if (!root.counted_)
        return;
    root.set_counted(false);
    backlog_ -= root.borne_;
}

/// The root of a node that is about to run is parked, or its messages were not counted. False when it waits.
[[gnu::noinline]] bool strand_context::may_run(run_node& node, root_scope& root) noexcept
{
    if (root.parked_ && is_held_back(node, root)) {
        stop_counting(root);
        return false;
    }
    if (!root.counted_) {
        root.set_counted(true);
        backlog_ += root.borne_;
    }
    return true;
}

[[gnu::always_inline]] inline void strand_context::run_one(run_node& node, int slice)
{
    scope& within = node.waiter->scope();
    root_scope& root = within.root();
    if (root.needs_look_ && !may_run(node, root)) [[unlikely]]
        return;
    running_ = &within;
    slice_ = slice;
    node.waiter->handle().resume();
    units_left_ -= slice + 1 - slice_;
    if (ended_ != nullptr) [[unlikely]]
        reap();
    if (running_ != nullptr && root.borne_ != 0 && !root.is_runnable_for_any()) [[unlikely]]
        stop_counting(root);
}

void strand_context::run_watched(run_node& node)
{
    watch(receiver_->identify(node.waiter->scope().root()), [&] { run_one(node, 1); });
}

void strand_context::run_ready()
{
    units_left_ = units_per_round_;
    const int slice = std::min(throughput_, units_per_round_);
    run_node* node = nullptr;
    if (chooser_ != nullptr) [[unlikely]] {
        while (units_left_ > 0 && has_ready_node())
            run_single();
    } else if (hog_limit_ != 0) [[unlikely]] {
        while (units_left_ > 0 && (node = pop_ready()) != nullptr)
            run_watched(*node);
    } else {
        while (units_left_ > 0 && (node = pop_ready()) != nullptr)
            run_one(*node, slice);
    }
    running_ = nullptr;
}

/// One that is chosen, or the next.
void strand_context::run_single()
{
    run_node* node = chooser_ != nullptr ? pop_chosen() : pop_ready();
    if (node != nullptr && hog_limit_ != 0)
        run_watched(*node);
    else if (node != nullptr)
        run_one(*node, chooser_ != nullptr ? 1 + static_cast<int>(chooser_->below(4)) : throughput_);
    running_ = nullptr;
}

void strand_context::reap() noexcept
{
    while (ended_ != nullptr) {
        run_node* node = ended_;
        ended_ = node->next;
        receiver_->reap(*node);
    }
}

void strand_context::fire_timers()
{
    if (now_ < wheel_due_)
        return;
    run_node** const before = ready_tail_;
    wheel_.advance(now_, timers_per_round);
    if (parking_ != nullptr && !parking_->empty())
        parking_->note_due(*before);
    wheel_due_ = wheel_.next_due();
    if (ended_ != nullptr)
        reap();
}

void strand_context::flush()
{
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        if (peers_[i].out == nullptr)
            continue;
        if (!peers_[i].spill.empty())
            flush_spill(i);
        if (peers_[i].out->publish())
            peers_[i].context->wake();
    }
}

void strand_context::flush_spill(std::size_t index)
{
    peer& target = peers_[index];
    while (!target.spill.empty() && target.out->push(target.spill.front()))
        target.spill.pop();
    if (parking_ != nullptr)
        parking_->room_made(index, target.spill.popped());
}

void strand_context::discard_jobs() noexcept
{
    do {
        posted_.append(inbox_.take());
        posted_.append(std::move(jobs_));
        while (job* work = posted_.pop())
            work->run(work, true);
    } while (!jobs_.empty() || !inbox_.empty());  // what a job owned may post in its destructor
}

void strand_context::discard_input() noexcept
{
    discard_jobs();
    const auto discard = [this](parcel& left) {
        if (left.kind == job_parcel) {
            job* work = std::launder(reinterpret_cast<job_body*>(left.body))->work;
            work->run(work, true);
        } else if (left.kind != era_parcel) {
            receiver_->discard(left);
        }
    };
    for (peer& other : peers_) {
        while (!other.spill.empty()) {
            parcel copy = other.spill.front();
            other.spill.pop();
            discard(copy);
        }
        if (other.in == nullptr)
            continue;
        other.in->publish();  // the producer has ended, perhaps in the middle of a turn
        other.in->snapshot();
        while (parcel* left = other.in->front()) {
            parcel copy = *left;
            other.in->pop();
            discard(copy);
        }
    }
    for (chute* from : chutes_) {
        from->close();
        while (from->snapshot() != 0) {
            while (parcel* left = from->front()) {
                parcel copy = *left;
                from->pop();
                discard(copy);
            }
        }
        from->drop();
    }
    chutes_.clear();
    while (strays_ != nullptr)
        strays_->destroy_(*strays_);
    discard_jobs();
}

}  // namespace costar
