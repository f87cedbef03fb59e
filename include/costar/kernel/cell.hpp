// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>
#include <costar/core/task.hpp>
#include <costar/ground/ordered_set.hpp>
#include <costar/kernel/spawn_options.hpp>
#include <costar/post/envelope.hpp>
#include <costar/post/registry.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace costar::machine {

class cell;
class station;
class spawned_child;

/// How a restarted actor begins anew.
class recipe {
public:
    recipe() = default;
    recipe(const recipe&) = delete;
    recipe& operator=(const recipe&) = delete;
    virtual ~recipe() = default;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    virtual task<> begin(cell& self) const = 0;
};

/// What is known of all actors that are spawned in one way.
struct actor_kind {
    const std::type_info* info;
};

/// Pause before a restart.
struct restart_timer : timer_node {
    station* owner = nullptr;
    cell* target = nullptr;
};

/// How the crashes of an actor are dealt with, where that takes more than a limit and a pause.
struct supervision_part {
    restart_policy restart;
    decider decide;
    costar::strategy strategy = costar::strategy::one_for_one;
    std::uint32_t doublings = 0;  // of the pause, since the actor was healthy
    std::uint64_t began = 0;      // strand time of the last beginning
};

/// Who hears of an actor's end.
struct end_watcher {
    pid who;
    bool is_linked;  // crashes with it
    friend bool operator==(const end_watcher&, const end_watcher&) = default;

    struct hash {
        std::size_t operator()(const end_watcher& each) const noexcept
        {
            return std::hash<pid>()(each.who) * 2 + each.is_linked;
        }
    };
};

/// What somebody above keeps for an actor and wants to know of its end; see `rare_part::companion`.
class body_companion {
public:
    virtual ~body_companion() = default;

    /// The body of the actor has ended.
    virtual void body_ended() noexcept = 0;
};

struct extras_part;

/// What hardly any actor needs, allocated on first use.
struct rare_part {
    rare_part();
    ~rare_part();

    std::vector<std::uint64_t> restarts;     // when, within the window
    ordered_set<pid> distant_children;       // on other strands
    ordered_set<std::uint64_t> end_waiters;  // reply tokens
    std::unique_ptr<restart_timer> pause;
    std::exception_ptr failure;  // of a spawned task, a child or a linked actor
    bool restart_asked = false;  // by somebody else
    bool is_decided = false;     // about the crash that is under way
    bool is_settled = false;     // the restart it takes is counted
    bool ends_children = false;  // they were told to end, and this life keeps none of them
    directive decided = directive::stop;
    run_node* childless = nullptr;  // resumed when no child and no task is left
    std::unique_ptr<supervision_part> supervision;
    std::shared_ptr<const supervisor> of_children;
    ordered_set<pid> births;  // children in the order of their births, where the strategy asks for it
    ordered_set<end_watcher, std::identity, end_watcher::hash> watchers;
    ordered_set<pid> watched;
    std::unique_ptr<extras_part> extras;
    std::unique_ptr<body_companion> companion;
};

/// Lets a branch that waits for a message be cancelled alone.
class receive_hook final : public cancel_hook {
public:
    /// In a branch, or in a task itself, which is told that it is time to stop as the body is.
    receive_hook(cell& self, bool is_in_task) noexcept;

    bool is_in_task() const noexcept { return is_in_task_; }

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

private:
    static const hook_actions actions;

    cell& self_;
    bool is_in_task_;
};

/// What most actors never need, allocated on first use. Actors with a name and a recipe have it.
struct cold_part {
    cold_part() = default;
    ~cold_part();

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    registry::entry* name = nullptr;
    std::unique_ptr<recipe> again;
    std::uint32_t restart_limit = 0;
    std::chrono::nanoseconds restart_within{0};
    std::chrono::nanoseconds restart_delay{0};
    std::uint32_t restart_count = 0;
    std::uint32_t parent_generation = 0;  // of a parent on another strand
    spawned_child* tasks = nullptr;
    receive_hook* receiving = nullptr;  // of a receive in a scope that can be cancelled alone
    std::unique_ptr<rare_part> rare;
};

/// Where an actor is in its life.
enum class life : std::uint8_t {
    running,     ///< the body was begun and has not ended
    closing,     ///< the body has ended; its tasks and children are ending
    restarting,  ///< waits for the pause before the body is begun anew
};

/// What a station keeps for one actor: its scope, its mailbox, its place in the family, its counters.
///
/// Written by its own strand only. There may be millions, so what few need lies in the cold part.
class cell : public run_node, public root_scope {
public:
    static constexpr std::uint32_t nobody = UINT32_MAX;

    cell(strand_context& home, std::uint32_t slot, std::uint32_t generation) noexcept
        : root_scope(home, true), slot(slot), generation(generation)
    {}
    ~cell() { delete cold; }

    cold_part& cold_part_made();
    rare_part& rare_part_made();

    /// Null when it was never needed.
    rare_part* rare() const noexcept { return cold != nullptr ? cold->rare.get() : nullptr; }
    supervision_part* supervision() const noexcept
    {
        return rare() != nullptr ? rare()->supervision.get() : nullptr;
    }
    extras_part* extras() const noexcept { return rare() != nullptr ? rare()->extras.get() : nullptr; }

    /// Those of the actor, made where there are none; from now on its messages take the long way.
    extras_part& extras_made();

    using root_scope::reset_cancelled;

    /// Takes a message out of the mailbox that lies behind `before`, or first.
    void unlink(envelope* taken, envelope* before) noexcept
    {
        (before == nullptr ? first : before->next) = taken->next;
        if (last == taken)
            last = before;
    }

    /// Accounts for a message that was taken out of the mailbox.
    void count_taken(envelope& taken) noexcept
    {
        strand_context::message_taken(*this);
        if (taken.is_borne()) {
            taken.unmark_borne();
            home().borne_message_taken(*this);
        }
    }

    bool stop_requested : 1 = false;
    bool failed : 1 = false;  // the last end of the body was a crash
    bool begin_again : 1 = false;
    bool receive_cancelled : 1 = false;
    bool receives_in_branch : 1 = false;  // the cold part has a hook for it
    bool reap_queued : 1 = false;
    bool from_afar : 1 = false;     // born for another strand or thread
    bool has_extras : 1 = false;    // messages take the long way
    bool was_told_end : 1 = false;  // a receive has given nothing for a stop
    life state : 7 = life::running;
    std::uint16_t parent_strand = 0;
    std::uint32_t slot;
    std::uint32_t generation;
    std::uint32_t parent = nobody;
    std::uint32_t first_child = nobody;
    std::uint32_t next_sibling = nobody;
    std::uint32_t previous_sibling = nobody;
    envelope* first = nullptr;
    envelope* last = nullptr;
    const message_type* wanted = nullptr;  // what a waiting receive takes; null when none waits
    envelope* current = nullptr;           // the message received last, while it lives
    std::coroutine_handle<promise_base> body;
    cold_part* cold = nullptr;
    const actor_kind* kind = nullptr;
};

static_assert(sizeof(void*) != 8 || sizeof(cell) == 128, "a cell fills two cache lines");

}  // namespace costar::machine
