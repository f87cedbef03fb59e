// SPDX-License-Identifier: MIT

#include <costar/kernel/spawned_child.hpp>

#include <exception>
#include <utility>

namespace costar::machine {

/// Clears the task away when its frame is no longer in use.
class spawned_child::ending {
public:
    explicit ending(spawned_child& ended) noexcept : ended_(&ended) {}
    ending(ending&& other) noexcept : ended_(std::exchange(other.ended_, nullptr)) {}
    ~ending()
    {
        if (ended_ != nullptr)
            ended_->destroy();
    }
    void operator()() { std::exchange(ended_, nullptr)->end(); }

private:
    spawned_child* ended_;
};

void spawned_child::start(cell& owner, task<> work)
{
    if (!work)
        refuse_empty_task();
    auto* made = new spawned_child(owner, std::move(work));
    made->home().make_ready(*made);
}

spawned_child::spawned_child(cell& owner, task<> work)
    : child_scope(owner),
      owner_(owner),
      work_(std::move(work)),
      next_(owner.cold_part_made().tasks),
      place_(&owner.cold->tasks)
{
    set_apart(true);
    if (next_ != nullptr)
        next_->place_ = &next_;
    *place_ = this;
    work_.promise().start_under(*this, *this);
    waiter = &work_.promise();
}

void spawned_child::destroy() noexcept
{
    *place_ = next_;
    if (next_ != nullptr)
        next_->place_ = place_;
    delete this;
}

void spawned_child::task_ended(promise_base& ended) noexcept
{
    if (ended.failure())
        station::task_fails(owner_);
    home().post(ending(*this));
}

void spawned_child::end() noexcept
{
    station& post = station::of(owner_);
    cell& owner = owner_;
    std::exception_ptr failure = work_.promise().failure();
    post.end_frame(failure != nullptr, [this] { destroy(); });
    post.task_done(owner, std::move(failure));
}

}  // namespace costar::machine
