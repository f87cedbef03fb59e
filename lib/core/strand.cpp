// SPDX-License-Identifier: MIT

#include <costar/core/strand.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <random>
#include <thread>

namespace costar {

namespace {

/// Rounds in which a turn alternates between taking in, running and sending out.
constexpr int nodes_per_round = 64;
constexpr int jobs_per_round = 64;

/// Marks a parcel that carries a job instead of a message.
const char job_parcel = 0;

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

class outside_sender;

/// The calling thread's. Destructors of thread-local and static objects may send when it is gone.
constinit thread_local outside_sender* thread_sender = nullptr;
constinit thread_local bool thread_sender_is_gone = false;

/// The queues through which a thread that belongs to no strand sends, one for each strand it has sent to.
class outside_sender {
public:
    outside_sender() noexcept { thread_sender = this; }
    outside_sender(const outside_sender&) = delete;
    ~outside_sender()
    {
        thread_sender = nullptr;
        thread_sender_is_gone = true;
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

    chute& add(const strand_context& target)
    {
        std::erase_if(entries_, [](entry& known) {
            const bool gone = known.queue->closed();
            if (gone)
                leave(*known.queue);
            return gone;
        });
        entries_.reserve(entries_.size() + 1);
        chute* made = chute::make();
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
    adoption(std::vector<chute*>& known, chute& queue) noexcept : known_(&known), queue_(&queue) {}
    adoption(adoption&& other) noexcept : known_(other.known_), queue_(std::exchange(other.queue_, nullptr))
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

    void operator()() { known_->push_back(std::exchange(queue_, nullptr)); }

private:
    std::vector<chute*>* known_;
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
    for (run_node** link = &fresh_; *link != nullptr; link = &(*link)->next) {
        if (*link == &node) {
            *link = node.next;
            return;
        }
    }
    std::erase(waiting_room_, &node);
}

void strand_context::forget(root_scope& root) noexcept
{
    if (root.counted_)
        backlog_ -= root.queued_;
    root.queued_ = 0;
    if (root.parked_) {
        std::erase(parked_, &root);
        root.parked_ = false;
    }
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

void strand_context::send_over(peer& target, const parcel& message)
{
    target.overflow.push_back(message);
    ++overflowed_;
    if (running_ == nullptr)
        return;
    root_scope& root = running_->root();
    if (!root.parked_) {
        root.parked_ = true;
        parked_.push_back(&root);
    }
}

bool strand_context::send_from_outside(const parcel& message)
{
    return send_filled_from_outside([&](parcel& slot) { std::memcpy(&slot, &message, sizeof(parcel)); });
}

/// The calling thread's queue to this strand; waits a little for room in it.
chute* strand_context::way_from_outside()
{
    outside_sender* sender = this_thread_sender();
    if (sender == nullptr) [[unlikely]]
        return nullptr;
    chute* known = sender->find(*this);
    if (known == nullptr) [[unlikely]] {
        chute& made = sender->add(*this);
        post(adoption(chutes_, made));
        return &made;
    }
    if (known->full() && known->is_largest() && driver_->may_hold_back())
        hold_back(*known);
    return known;
}

strand_context::late_way::late_way(strand_context& target) : queue_(chute::make())
{
    target.post(adoption(target.chutes_, *queue_));
}

strand_context::late_way::~late_way()
{
    leave(*queue_);
}

void strand_context::post_in_line(job& work)
{
    parcel message{};
    message.kind = &job_parcel;
    job* pointer = &work;
    std::memcpy(message.body, &pointer, sizeof pointer);
    if (current_ == this)
        jobs_.push(&work);
    else if (current_ != nullptr && index_ < current_->peers_.size() &&
        current_->peers_[index_].context == this)
        current_->send(*this, message);
    else if (!send_from_outside(message))
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
        if (other.overflow.size() != other.overflow_begin && !other.out->full())
            return true;
    return false;
}

bool strand_context::turn(bool is_clock_read)
{
    turn_guard guard(*this);
    const std::uint64_t end = (is_clock_read ? now_ : read_clock()) + turn_length_;
    for (;;) {
        drain();
        fire_timers();
        run_jobs(jobs_per_round);
        run_ready(nodes_per_round);
        flush();
        if (!has_ready() && !has_input())
            break;
        if (read_clock() >= end)
            break;
    }
    arena_.get().flush();
    const std::uint64_t due = wheel_.next_due();
    wheel_due_ = due;
    if (due != announced_due_)
        driver_->timer_changed(announced_due_ = due);
    return has_work();
}

bool strand_context::step()
{
    turn_guard guard(*this);
    read_clock();
    drain();
    fire_timers();
    const bool node_ready = ready_ != nullptr || fresh_ != nullptr;
    const bool job_ready = !jobs_.empty();
    const bool did_something = node_ready || job_ready;
    if (job_ready && (!node_ready || (chooser_ != nullptr && chooser_->below(2) == 0)))
        run_jobs(1);
    else
        run_ready(1);
    flush();
    arena_.get().flush();
    wheel_due_ = wheel_.next_due();
    return did_something;
}

void strand_context::leave_turn()
{
    fire_timers();
    run_jobs(jobs_per_round);
    run_ready(nodes_per_round);
    flush();
    arena_.get().flush();
    const std::uint64_t due = wheel_.next_due();
    wheel_due_ = due;
    if (due != announced_due_)
        driver_->timer_changed(announced_due_ = due);
    if (has_work())
        wake();
}

void strand_context::drain()
{
    // What is visible in the rings now was sent after whatever its sender had posted to the inbox before; so
    // the inbox is emptied between the look at the rings and the taking.
    for (peer& other : peers_)
        if (other.in != nullptr)
            other.in->snapshot();
    for (chute* from : chutes_)
        from->snapshot();
    if (!inbox_.empty())
        posted_.append(inbox_.take());
    while (job* work = posted_.pop())  // a handler that throws leaves the rest for the next turn
        run_job(*work);
    take_parcels();
    if (ended_ != nullptr)
        reap();
}

template <class Queue>
void strand_context::take_from(Queue& queue, std::size_t& taken)
{
    while (backlog_ < backlog_max_ || (ready_ == nullptr && fresh_ == nullptr)) {
        parcel* arrived = queue.front();
        if (arrived == nullptr)
            break;
        ++taken;
        if (arrived->kind == &job_parcel) {
            job* work = nullptr;
            std::memcpy(&work, arrived->body, sizeof work);
            queue.pop();
            run_job(*work);
        } else {
            receiver_->receive(*arrived);
            queue.pop();
        }
    }
    queue.release();
}

void strand_context::take_parcels()
{
    for (peer& other : peers_) {
        if (other.in == nullptr)
            continue;
        take_from(*other.in, other.taken);
        if (other.taken != 0 && other.taken >= ring_slots_ / 4) {  // the peer may sleep until there is room
            other.taken = 0;
            other.context->wake();
        }
    }
    bool ended = false;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < chutes_.size(); ++i) {
        take_from(*chutes_[i], taken);
        ended = ended || chutes_[i]->closed();
    }
    if (ended) {
        std::erase_if(chutes_, [](chute* from) {
            const bool finished = from->closed() && from->snapshot() == 0;
            if (finished)
                from->drop();
            return finished;
        });
    }
}

void strand_context::run_jobs(int limit)
{
    while (limit-- > 0) {
        job* work = jobs_.pop();
        if (work == nullptr)
            break;
        run_job(*work);
    }
    if (ended_ != nullptr)
        reap();
}

run_node* strand_context::pop_ready() noexcept
{
    run_node* node = fresh_;
    if (node != nullptr && (ready_ == nullptr || !fresh_ran_)) {
        fresh_ran_ = true;
        fresh_ = node->next;
        return node;
    }
    fresh_ran_ = false;
    node = ready_;
    if (node != nullptr) {
        ready_ = node->next;
        if (ready_ == nullptr)
            ready_tail_ = &ready_;
    }
    return node;
}

run_node* strand_context::pop_chosen() noexcept
{
    std::uint64_t count = 0;
    for (run_node* node = fresh_; node != nullptr; node = node->next)
        ++count;
    for (run_node* node = ready_; node != nullptr; node = node->next)
        ++count;
    if (count == 0)
        return nullptr;
    std::uint64_t chosen = chooser_->below(count);
    run_node* node = fresh_;
    while (node != nullptr && chosen > 0) {
        node = node->next;
        --chosen;
    }
    if (node == nullptr) {
        node = ready_;
        while (chosen-- > 0)
            node = node->next;
    }
    withdraw(*node);
    return node;
}

void strand_context::run_one(run_node& node, int slice)
{
    scope& within = node.waiter->scope();
    root_scope& root = within.root();
    if (root.parked_ || !root.counted_) [[unlikely]] {
        if (root.parked_) {
            waiting_room_.push_back(&node);
            return;
        }
        root.counted_ = true;
        backlog_ += root.queued_;
    }
    running_ = &within;
    slice_ = slice;
    node.waiter->handle().resume();
    if (ended_ != nullptr) [[unlikely]]
        reap();
    if (running_ != nullptr && !root.receptive_) {
        // Its messages wait for something other than the processor, so they must not hold back the rings: the
        // reply it waits for may lie in one.
        root.counted_ = false;
        backlog_ -= root.queued_;
    }
}

void strand_context::run_watched(run_node& node)
{
    watch(receiver_->identify(node.waiter->scope().root()), [&] { run_one(node, 1); });
}

void strand_context::run_ready(int limit)
{
    if (chooser_ != nullptr) [[unlikely]] {
        for (run_node* node = nullptr; limit > 0 && (node = pop_chosen()) != nullptr; --limit)
            if (hog_limit_ != 0)
                run_watched(*node);
            else
                run_one(*node, 1 + static_cast<int>(chooser_->below(4)));
    } else if (hog_limit_ != 0) [[unlikely]] {
        for (run_node* node = nullptr; limit > 0 && (node = pop_ready()) != nullptr; --limit)
            run_watched(*node);
    } else {
        for (run_node* node = nullptr; limit > 0 && (node = pop_ready()) != nullptr; --limit)
            run_one(*node, throughput_);
    }
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
    wheel_.advance(now_);
    wheel_due_ = wheel_.next_due();
    if (ended_ != nullptr)
        reap();
}

void strand_context::flush()
{
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        if (peers_[i].out == nullptr)
            continue;
        if (peers_[i].overflow.size() != peers_[i].overflow_begin)
            flush_overflow(i);
        if (peers_[i].out->publish())
            peers_[i].context->wake();
    }
    if (overflowed_ == 0 && (!parked_.empty() || !waiting_room_.empty()))
        release_parked();
}

void strand_context::flush_overflow(std::size_t index)
{
    peer& target = peers_[index];
    while (target.overflow_begin < target.overflow.size() &&
        target.out->push(target.overflow[target.overflow_begin])) {
        ++target.overflow_begin;
        --overflowed_;
    }
    if (target.overflow_begin == target.overflow.size()) {
        target.overflow.clear();
        target.overflow_begin = 0;
    }
}

void strand_context::release_parked() noexcept
{
    for (root_scope* root : parked_)
        root->parked_ = false;
    parked_.clear();
    for (run_node* node : waiting_room_)
        make_ready(*node);
    waiting_room_.clear();
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
        if (left.kind == &job_parcel) {
            job* work = nullptr;
            std::memcpy(&work, left.body, sizeof work);
            work->run(work, true);
        } else {
            receiver_->discard(left);
        }
    };
    for (peer& other : peers_) {
        for (; other.overflow_begin < other.overflow.size(); ++other.overflow_begin)
            discard(other.overflow[other.overflow_begin]);
        other.overflow.clear();
        other.overflow_begin = 0;
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
