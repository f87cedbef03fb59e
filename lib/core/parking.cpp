// SPDX-License-Identifier: MIT

#include "parking.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace costar::machine {

/// A node that waits for room, behind those of its root that began to wait before; a cancellation of its
/// scope lets it run.
class parking::held final : public cancel_hook {
public:
    held(record& by, run_node& node) noexcept : cancel_hook(actions), node_(node), by_(by), previous_(by.last)
    {
        (previous_ != nullptr ? previous_->next_ : by.first) = this;
        by.last = this;
        node.waiter->scope().attach(*this);
    }
    held(const held&) = delete;
    held& operator=(const held&) = delete;
    ~held()
    {
        (previous_ != nullptr ? previous_->next_ : by_.first) = next_;
        (next_ != nullptr ? next_->previous_ : by_.last) = previous_;
    }

    run_node& node() const noexcept { return node_; }
    held* next() const noexcept { return next_; }

    /// Ends the wait.
    static void release(held* ended) noexcept
    {
        run_node& node = ended->node_;
        delete ended;
        node.waiter->scope().home().make_ready(node);
    }

private:
    static const hook_actions actions;

    run_node& node_;
    record& by_;
    held* previous_;
    held* next_ = nullptr;
};

const hook_actions parking::held::actions{
    .cancel = [](cancel_hook& hook) noexcept { release(&static_cast<held&>(hook)); },
    .describe = [](const cancel_hook&) { return std::string("room in a queue that it has filled"); }};

parking::parking(strand_context& home, std::size_t rings) : home_(home), rings_(rings), queues_(2 * rings + 2)
{
    floods_.reserve(rings);
    pause_.whose = this;
    pause_.fire = [](timer_node* fired) { static_cast<pause_timer*>(fired)->whose->pause_is_over(); };
}

void parking::pause_is_over() noexcept
{
    room_made(for_pause(), pauses_++);
    if (home_.awaits_inboxes_still())
        arm_pause();
}

void parking::arm_pause() noexcept
{
    if (!pause_.armed())
        home_.arm(pause_, home_.now() + pause_length);
}

parking::~parking()
{
    home_.disarm(pause_);
    for (const auto& [root, each] : records_)  // the roots may be gone
        while (each->first != nullptr)
            delete each->first;
    for (block_queue<entry>& queue : queues_)
        for (; !queue.empty(); queue.pop())
            if (record* who = queue.front().who; --who->rings == 0)
                delete who;
}

parking::record* parking::find(const root_scope& root) noexcept
{
    const auto found = records_.find(&root);
    return found != records_.end() ? found->second : nullptr;
}

parking::record& parking::find_or_make(root_scope& root)
{
    if (record* known = find(root))
        return *known;
    auto made = std::make_unique<record>(record{&root});
    records_.emplace(&root, made.get());
    return *made.release();
}

void parking::park(root_scope& root, std::size_t ring, std::uint64_t until) noexcept
{
    block_queue<entry>& queue = queues_[ring];
    if (record* known = root.parked_ ? find(root) : nullptr; known != nullptr && known->has_run_due) {
        known->has_run_due = false;
        known->due_left -= known->due_left != 0 ? 1 : 0;
    }
    if (!queue.empty() && queue.back().who->root == &root) {
        queue.back().until = until;
        return;
    }
    record* who = nullptr;
    try {
        who = &find_or_make(root);
        queue.push({who, until});
        ++who->rings;
        root.set_parked(true);
    } catch (const std::bad_alloc&) {
        // It goes on; what it has sent waits in the spill as it does anyway.
        if (who != nullptr && who->rings == 0) {
            let_go(*who);
            delete who;
        }
    }
}

void parking::pause(root_scope& root) noexcept
{
    park(root, for_pause(), pauses_);
    arm_pause();
}

std::uint64_t* parking::wait_for_work(root_scope& root, std::uint64_t until) noexcept
{
    park(root, for_work(), until);
    block_queue<entry>& queue = queues_[for_work()];
    return !queue.empty() && queue.back().who->root == &root ? &queue.back().until : nullptr;
}

void parking::wait_for_inbox(root_scope& root, std::size_t sibling, inbox& flooded) noexcept
{
    const std::uint64_t pushed = flooded.pushed();
    const std::uint64_t until = pushed > inbox_rest ? pushed - inbox_rest : 0;
    if (std::none_of(
            floods_.begin(), floods_.end(), [&](const flood& known) { return known.sibling == sibling; }))
        floods_.push_back({sibling, &flooded});  // there is room for all siblings
    flooded.ask_to_be_told(until);
    park(root, for_inbox(sibling), until);
    arm_pause();
}

bool parking::has_inbox_done_enough() noexcept
{
    return std::any_of(floods_.begin(), floods_.end(), [this](const flood& each) {
        block_queue<entry>& queue = queues_[for_inbox(each.sibling)];
        return queue.empty() || queue.front().until <= each.flooded->done();
    });
}

bool parking::look_at_inboxes() noexcept
{
    std::erase_if(floods_, [this](const flood& each) {
        block_queue<entry>& queue = queues_[for_inbox(each.sibling)];
        room_made(for_inbox(each.sibling), each.flooded->done());
        if (!queue.empty())
            each.flooded->ask_to_be_told(queue.front().until);
        return queue.empty();
    });
    return !floods_.empty();
}

bool parking::hold(run_node& node, bool is_message_or_yield) noexcept
{
    const scope& within = node.waiter->scope();
    record* who = find(node.waiter->scope().root());
    const bool is_due = due_.erase(&node) != 0;
    if (within.is_cancelled() || who == nullptr)
        return false;
    if (is_due && who->due_left != 0) {
        who->has_run_due = true;
        return false;
    }
    is_message_or_yield |= is_due;
    if (!is_message_or_yield && who->runs_left != 0) {
        --who->runs_left;
        return false;
    }
    return new (std::nothrow) held(*who, node) != nullptr;
}

void parking::room_made(std::size_t ring, std::uint64_t popped) noexcept
{
    block_queue<entry>& queue = queues_[ring];
    while (!queue.empty() && queue.front().until <= popped) {
        record& who = *queue.front().who;
        queue.pop();
        if (--who.rings == 0)
            release(who);
    }
}

void parking::release(record& ended) noexcept
{
    const std::unique_ptr<record> last(&ended);
    if (ended.root == nullptr)
        return;
    records_.erase(ended.root);
    ended.root->set_parked(false);
    while (ended.first != nullptr)
        held::release(ended.first);
    if (records_.empty())
        due_.clear();
}

/// Forgets all of a root that it knows, except that rings may still know the record.
void parking::let_go(record& ended) noexcept
{
    while (ended.first != nullptr)
        delete ended.first;
    records_.erase(ended.root);
    ended.root->set_parked(false);
    ended.root = nullptr;
}

void parking::note_due(run_node* first) noexcept
{
    for (; first != nullptr; first = first->next) {
        if (!first->waiter->scope().root().parked_)
            continue;
        try {
            due_.insert(first);
        } catch (const std::bad_alloc&) {
            // Held back like any other, until there is room.
        }
    }
}

void parking::forget(root_scope& root) noexcept
{
    if (record* who = find(root))
        let_go(*who);
}

bool parking::withdraw(run_node& node) noexcept
{
    record* who = node.waiter != nullptr ? find(node.waiter->scope().root()) : nullptr;
    if (who == nullptr)
        return false;
    for (held* each = who->first; each != nullptr; each = each->next())
        if (&each->node() == &node) {
            delete each;
            return true;
        }
    return false;
}

}  // namespace costar::machine
