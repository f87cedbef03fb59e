// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace costar::machine {

class strand_context;
class scope;
class root_scope;
class cancel_hook;

/// What somebody waits for that only somebody else can bring about.
enum class awaited_kind : std::uint8_t {
    nothing,   ///< none of these
    answer,    ///< a request is answered
    end,       ///< the one who was asked has ended
    room,      ///< the one who was asked takes a message
    children,  ///< all that belong to the one who waits have ended
};

/// A request that somebody waits for: its token, and who was asked, in two numbers.
struct awaited_request {
    std::uint64_t token = 0;
    std::uint64_t place = 0;
    std::uint64_t key = 0;
    awaited_kind kind = awaited_kind::nothing;
};

/// What a waiting operation can do for the scope it waits in: be cancelled, and say what it waits for.
struct hook_actions {
    /// Ends the wait early. Called once; the hook is detached already.
    void (*cancel)(cancel_hook&) noexcept;

    /// One line for a dump of waiting coroutines, such as "reply from 1/$0-3-1".
    std::string (*describe)(const cancel_hook&);

    /// The request it waits for; null for an operation that is none.
    awaited_request (*request)(const cancel_hook&) noexcept = nullptr;

    /// The scope that the hook stands for; null for a wait.
    const scope* (*inside)(const cancel_hook&) noexcept = nullptr;

    /// A cancellation leaves the hook in its scope, where it goes on to wait.
    bool stays = false;
    /// False where `cancel` only asks for the end, and the wait may end otherwise: then whoever waits calls
    /// `scope::cut_short` if it was the end.
    bool is_certain = true;
};

/// Link between a waiting operation and the scope that may cancel it.
///
/// It lies inside the awaiter, so waiting allocates nothing. Used from the scope's strand only.
class cancel_hook {
public:
    explicit cancel_hook(const hook_actions& actions) noexcept : actions_(&actions) {}
    cancel_hook(const cancel_hook&) = delete;
    cancel_hook& operator=(const cancel_hook&) = delete;
    ~cancel_hook() { detach(); }

    /// True while a scope knows this hook.
    bool is_attached() const noexcept { return place_ != nullptr; }

    /// Leaves the scope; harmless when not attached.
    void detach() noexcept
    {
        if (place_ == nullptr)
            return;
        *place_ = next_;
        if (next_ != nullptr)
            next_->place_ = place_;
        place_ = nullptr;
    }

    std::string describe() const { return actions_->describe(*this); }
    const scope* inside() const noexcept
    {
        return actions_->inside != nullptr ? actions_->inside(*this) : nullptr;
    }
    awaited_request request() const noexcept
    {
        return actions_->request != nullptr ? actions_->request(*this) : awaited_request();
    }

private:
    friend class scope;

    const hook_actions* actions_;
    cancel_hook* next_ = nullptr;
    cancel_hook** place_ = nullptr;  // the pointer that points here
};

/// Cancellation scope: what is cancelled together.
///
/// An actor's body, each branch of `when_any` and each spawned task has one. A scope that was cancelled stays
/// so; operations that begin to wait in it end at once with `errc::cancelled`.
///
/// Thread safety: used from its strand only, no atomics.
class scope {
public:
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

    /// The strand on which everything in this scope runs.
    strand_context& home() const noexcept { return *home_; }

    bool is_cancelled() const noexcept { return cancelled_; }

    /// Cancels what waits in this scope, newest first, and all that will.
    void cancel() noexcept
    {
        cancelled_ = true;
        if (first_ == nullptr)
            return;
        // Those that stay move to the list of the scope; whatever a cancellation ends leaves either list.
        cancel_hook* left = std::exchange(first_, nullptr);
        left->place_ = &left;
        while (cancel_hook* hook = left) {
            hook->detach();
            if (hook->actions_->stays)
                attach(*hook);
            if (hook->actions_->is_certain)
                cut_short();
            hook->actions_->cancel(*hook);
        }
    }

    /// Notes that a wait in this scope was ended by its cancellation.
    void cut_short() noexcept;

    /// False as long as the cancellation has changed nothing: what was waited for had come, or nothing was.
    bool was_cut_short() const noexcept { return cut_short_; }

    /// Adds a waiting operation. Unless it stays, the scope must not be cancelled.
    void attach(cancel_hook& hook) noexcept
    {
        hook.next_ = first_;
        hook.place_ = &first_;
        if (first_ != nullptr)
            first_->place_ = &hook.next_;
        first_ = &hook;
    }

    /// Does anything wait in it?
    bool is_waiting() const noexcept { return first_ != nullptr; }

    /// Calls `visit` with each request that is waited for here and in the scopes inside, until it gives
    /// false. True when these are all, so that nothing here goes on before one of them ends.
    template <class Visitor>
    bool waits_only_for_requests(Visitor&& visit) const
    {
        bool waits = false;
        for (const cancel_hook* hook = first_; hook != nullptr; hook = hook->next_) {
            if (const scope* inner = hook->inside()) {
                if (inner->ended_)
                    continue;
                if (!inner->waits_only_for_requests(visit))
                    return false;
                waits = waits || inner->apart_ == apart_;  // a task beside the body is no wait of the body's
            } else {
                const awaited_request wanted = hook->request();
                if (wanted.kind == awaited_kind::nothing || !visit(wanted))
                    return false;
                waits = true;
            }
        }
        return waits;
    }

    /// Notes that the coroutine that this scope is for has ended.
    void mark_ended() noexcept { ended_ = true; }
    bool has_ended() const noexcept { return ended_; }

    /// The outermost scope around this one.
    root_scope& root() noexcept;

    /// True in work that runs beside an actor's body, not for the message that the body handles.
    bool is_apart() const noexcept { return apart_; }

    /// Is it the scope of such work itself, and none inside of it?
    bool begins_apart() const noexcept;

    /// Calls `visit` with each operation that waits here, newest first.
    template <class Visitor>
    void for_each_waiting(Visitor&& visit) const
    {
        for (const cancel_hook* hook = first_; hook != nullptr; hook = hook->next_)
            visit(*hook);
    }

protected:
    scope(strand_context& home, bool is_root) noexcept : home_(&home), is_root_(is_root) {}
    ~scope()
    {
        while (first_ != nullptr)
            first_->detach();
    }

    void reset_cancelled() noexcept
    {
        cancelled_ = false;
        cut_short_ = false;
    }
    void set_apart(bool apart) noexcept { apart_ = apart; }

private:
    cancel_hook* first_ = nullptr;
    strand_context* home_;
    bool cancelled_ : 1 = false;
    bool is_root_ : 1;
    bool apart_ : 1 = false;
    bool ended_ : 1 = false;
    bool cut_short_ : 1 = false;
};

/// Outermost scope of a tree of coroutines: an actor or a task spawned on its own.
///
/// The strand keeps its flow control here: how many messages wait in the mailbox, how many of them came from
/// other strands and threads, and whether it is parked because a ring it sent into is full.
class root_scope : public scope {
public:
    explicit root_scope(strand_context& home, bool is_actor = false) noexcept
        : scope(home, true), is_actor_(is_actor)
    {}

    /// Is it that of an actor, and not of a task that was spawned on its own?
    bool is_actor() const noexcept { return is_actor_; }

    /// True while the root waits for its mailbox, so that each further message makes it runnable.
    bool is_receptive() const noexcept { return receptive_ == for_any || receptive_ == for_some; }
    void set_receptive(bool receptive) noexcept { receptive_ = receptive ? for_any : 0; }

    /// As `set_receptive(true)`, for some messages only: the others in its mailbox do not make it runnable.
    void set_receptive_for_some() noexcept { receptive_ = for_some; }

    /// True while a receive that no longer waits has not yet taken its message, or left it.
    bool is_settled() const noexcept { return receptive_ == settled; }
    void set_settled() noexcept { receptive_ = settled; }

    /// True from the beginning of a receive that waits to its end: nobody else may receive.
    bool has_receiver() const noexcept { return is_receptive() || is_settled(); }

    /// True from `strand_context::make_fresh` to its first run.
    bool is_unborn() const noexcept { return (receptive_ & unborn_mask) == unborn; }

    std::uint32_t queued() const noexcept { return queued_; }

    /// True once there was a scope inside this one.
    bool had_branches() const noexcept { return had_branches_; }

    /// As if there had been one: what depends on it is looked at more closely.
    void set_had_branches() noexcept { had_branches_ = true; }

private:
    friend class run_queue;
    friend class parking;
    friend class child_scope;

    static constexpr std::uint8_t for_any = 1;
    static constexpr std::uint8_t for_some = 2;
    static constexpr std::uint8_t unborn = 3;
    static constexpr std::uint8_t settled = 4;
    static constexpr std::uint8_t unborn_mask = 7;  // above it the line in which it waits to be born
    static constexpr int line_shift = 3;

    /// Waits for any message, or for its first run: what is in its mailbox can run.
    bool is_runnable_for_any() const noexcept { return (receptive_ & 1) != 0; }
    void set_counted(bool counted) noexcept
    {
        counted_ = counted;
        needs_look_ = parked_ || !counted_;
    }
    void set_parked(bool parked) noexcept
    {
        parked_ = parked;
        needs_look_ = parked_ || !counted_;
    }

    // Both change or are added for every message, so they have a byte each.
    std::uint8_t receptive_ = 0;
    bool counted_ = true;  // borne_ is part of the strand's backlog

    bool needs_look_ : 1 = false;  // before it runs: it is parked, or not counted
    bool parked_ : 1 = false;      // sent into a full ring; handles messages again when there is room
    bool had_branches_ : 1 = false;
    bool is_actor_ : 1;
    std::uint32_t queued_ = 0;  // messages in the mailbox
    std::uint32_t borne_ = 0;   // that many of them came from other strands and threads
};

/// Scope inside another one: a branch that can be cancelled alone and is cancelled with its parent.
class child_scope : public scope, private cancel_hook {
public:
    /// Begins a branch of `parent`; a shielded one is not cancelled with it.
    explicit child_scope(scope& parent, bool shielded = false) noexcept
        : scope(parent.home(), false),
          cancel_hook(shielded ? shield_actions : actions),
          root_(&parent.root()),
          parent_(&parent)
    {
        root_->had_branches_ = true;
        set_apart(parent.is_apart());
        parent.attach(*this);
        if (!shielded && parent.is_cancelled())
            cancel();
    }

private:
    friend class scope;

    static const hook_actions actions;
    static const hook_actions shield_actions;

    /// What waits inside, in a line.
    static std::string describe(const cancel_hook& hook)
    {
        std::string all;
        static_cast<const child_scope&>(hook).for_each_waiting([&](const cancel_hook& inner) {
            if (const scope* branch = inner.inside(); branch != nullptr && branch->has_ended())
                return;
            all += (all.empty() ? "" : ", ") + inner.describe();
        });
        return all.empty() ? std::string("its branch to go on") : all;
    }
    static const scope* inside(const cancel_hook& hook) noexcept
    {
        return &static_cast<const child_scope&>(hook);
    }

    root_scope* root_;
    scope* parent_;
};

inline const hook_actions child_scope::actions{
    .cancel = [](cancel_hook& hook) noexcept { static_cast<child_scope&>(hook).cancel(); },
    .describe = &child_scope::describe,
    .inside = &child_scope::inside,
    .stays = true,
    .is_certain = false};

inline const hook_actions child_scope::shield_actions{.cancel = [](cancel_hook&) noexcept {},
    .describe = &child_scope::describe,
    .inside = &child_scope::inside,
    .stays = true,
    .is_certain = false};

inline void scope::cut_short() noexcept
{
    scope* each = this;
    while (each->cancelled_ && !each->cut_short_) {
        each->cut_short_ = true;
        if (each->is_root_)
            break;
        each = static_cast<child_scope&>(*each).parent_;
    }
}

inline bool scope::begins_apart() const noexcept
{
    return apart_ && !static_cast<const child_scope&>(*this).parent_->is_apart();
}

inline root_scope& scope::root() noexcept
{
    return is_root_ ? static_cast<root_scope&>(*this) : *static_cast<child_scope&>(*this).root_;
}

}  // namespace costar::machine
