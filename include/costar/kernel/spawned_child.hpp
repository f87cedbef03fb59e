// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/kernel/cell.hpp>
#include <costar/kernel/station.hpp>

namespace costar::machine {

/// A task that runs beside an actor's body; it ends before the actor does.
class spawned_child final : private run_node, private child_scope, private task_owner {
public:
    /// Lets `work` run under `owner`.
    static void start(cell& owner, task<> work);

    spawned_child* next() const noexcept { return next_; }
    void cancel() noexcept { child_scope::cancel(); }

    /// Destroys the task where it stands.
    void destroy() noexcept;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

private:
    class ending;

    spawned_child(cell& owner, task<> work);
    ~spawned_child() = default;

    void task_ended(promise_base& promise) noexcept override;
    void end() noexcept;

    cell& owner_;
    task<> work_;
    spawned_child* next_;
    spawned_child** place_;
};

}  // namespace costar::machine
