// SPDX-License-Identifier: MIT

#include <costar/core/run_queue.hpp>

#include "parking.hpp"

#include <algorithm>

namespace costar::machine {

hog_watch::hog_watch(const turn_options& options, costar::clock& clock) noexcept
    : limit_(static_cast<std::uint64_t>(std::max<std::int64_t>(options.hog_limit.count(), 0))), clock_(&clock)
{}

run_queue::run_queue(const turn_options& options, costar::clock& clock) noexcept
    : throughput_(std::max(options.throughput, 1)), hogs_(options, clock)
{}

run_queue::~run_queue() = default;

void run_queue::withdraw(run_node& node) noexcept
{
    if (node.waiter != nullptr && node.waiter->scope().root().is_unborn()) {
        --births_waiting_;
        work_has_begun();
    }
    if (!ready_.withdraw(node) && parking_ != nullptr)
        parking_->withdraw(node);
}

void run_queue::forget(root_scope& root) noexcept
{
    if (root.borne_ != 0 && root.counted_)
        backlog_ -= root.borne_;
    root.queued_ = 0;
    root.borne_ = 0;
    if (root.parked_) [[unlikely]]
        parking_->forget(root);
    if (&root == held_maker_) [[unlikely]]
        held_maker_ = nullptr;  // its place in memory may be another one's soon
    if (&root == newborn_)
        newborn_ = nullptr;
    if (running_ != nullptr && &running_->root() == &root)
        running_ = nullptr;
}

[[gnu::always_inline]] inline run_node* run_queue::pop_ready() noexcept
{
    if (ready_.is_birth_next()) [[unlikely]]
        return pop_birth();
    return ready_.pop();
}

[[gnu::noinline]] run_node* run_queue::pop_birth() noexcept
{
    run_node& node = ready_.pop_birth();
    begin(node);
    return &node;
}

run_node* run_queue::pop_chosen() noexcept
{
    const auto [node, is_birth] = ready_.pop_chosen(*chooser_);
    if (is_birth)
        begin(*node);
    return node;
}

void run_queue::begin(run_node& newborn) noexcept
{
    --births_waiting_;
    work_has_begun();
    newborn_ = &newborn.waiter->scope().root();
    newborn_->set_receptive(false);
}

/// Must the node of a parked root wait?
bool run_queue::is_held_back(run_node& node, root_scope& root) noexcept
{
    return parking_->hold(node, receiver_->is_mailbox(node, root));
}

void run_queue::hold_or_make_ready(run_node& node) noexcept
{
    if (!parking_->hold(node, true))
        make_ready(node);
}

/// The messages of the root wait for something other than the processor, so they must not hold back the
/// rings: the reply it waits for may lie in one.
[[gnu::noinline]] void run_queue::stop_counting(root_scope& root) noexcept
{
    if (!root.counted_)
        return;
    root.set_counted(false);
    backlog_ -= root.borne_;
}

/// The root of a node that is about to run is parked, or its messages were not counted. False when it waits.
[[gnu::noinline]] bool run_queue::may_run(run_node& node, root_scope& root) noexcept
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

[[gnu::always_inline]] inline void run_queue::run_one(run_node& node, int slice)
{
    scope& within = node.waiter->scope();
    root_scope& root = within.root();
    if (root.needs_look_ && !may_run(node, root)) [[unlikely]]
        return;
    running_ = &within;
    slice_ = slice;
    const std::uint32_t borne = root.borne_;
    node.waiter->handle().resume();
    const int spent = slice + 1 - slice_;
    units_left_ -= spent;
    if (ended_ != nullptr) [[unlikely]]
        reap();
    if (running_ == nullptr || root.borne_ == 0) [[likely]]
        return;
    if (!root.is_runnable_for_any())
        stop_counting(root);
    else if (root.borne_ == borne)
        units_past_borne_ += spent;
}

void run_queue::run_watched(run_node& node)
{
    hogs_.watch(*receiver_, receiver_->identify(node.waiter->scope().root()), [&] { run_one(node, 1); });
}

void run_queue::run_ready()
{
    units_left_ = units_per_round_;
    const int slice = std::min(throughput_, units_per_round_);
    run_node* node = nullptr;
    if (chooser_ != nullptr) [[unlikely]] {
        while (units_left_ > 0 && !ready_.empty())
            run_single();
    } else if (!hogs_.is_off()) [[unlikely]] {
        while (units_left_ > 0 && (node = pop_ready()) != nullptr)
            run_watched(*node);
    } else {
        while (units_left_ > 0 && (node = pop_ready()) != nullptr)
            run_one(*node, slice);
    }
    running_ = nullptr;
}

void run_queue::run_single()
{
    run_node* node = chooser_ != nullptr ? pop_chosen() : pop_ready();
    if (node != nullptr && !hogs_.is_off())
        run_watched(*node);
    else if (node != nullptr)
        run_one(*node, chooser_ != nullptr ? 1 + static_cast<int>(chooser_->below(4)) : throughput_);
    running_ = nullptr;
}

}  // namespace costar::machine
