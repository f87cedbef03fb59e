// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/spawn_options.hpp>
#include <costar/post/pid.hpp>

#include <string_view>

namespace costar {

class context;
class message;
class outgoing;

/// What stands between actors and their messages: log, measure, check, persist, in one place for many actors.
///
/// Derive, override what you need, and name it in `spawn_options::middleware` of an actor or in
/// `engine_options::middleware` for all. Several are asked in the order they are named, the engine's first;
/// `handled` and `stopped` in the opposite order. One that is `inherited` goes from a parent to its children.
///
/// Thread safety: called on the strand of the actor concerned. One object that serves actors of several
/// strands, as those of an engine do, is called from several threads at once. Errors: what `receiving`,
/// `started` and `sending` throw is a crash of the actor; the others must not throw. Cost: none for actors
/// that have none; a virtual call each, and the long way through the mailbox, for those that have.
class middleware {
public:
    virtual ~middleware() = default;

    /// The actor's body is about to begin, for the first time or anew.
    virtual void started(context& self);

    /// The actor takes a message. False keeps the message from it: it counts as handled, and no handler
    /// matches it, as for one that it stashes or forwards. A message that was received by its type,
    /// `receive<T>()`, cannot be kept away: false is ignored, and taking it away crashes the actor.
    virtual bool receiving(context& self, message& taken);

    /// The actor has let go of a message; `failed` when an exception is under way.
    virtual void handled(context& self, message& done, bool failed) noexcept;

    /// The actor sends, forwards or asks; a poison pill passes unseen. False drops the message, as a dead
    /// letter with `errc::cancelled`.
    virtual bool sending(context& self, outgoing& sent);

    /// The actor spawns a child; the options may be changed, and an exception refuses it.
    virtual void spawning(context& self, spawn_options& child);

    /// A message was put into the actor's mailbox, which now holds `size`.
    virtual void posted(context& self, std::string_view type, std::size_t size) noexcept;

    /// The last message was taken out of the actor's mailbox.
    virtual void emptied(context& self) noexcept;

    /// The actor's body has ended and is not begun anew; its children have ended too.
    virtual void stopped(context& self) noexcept;

    /// Is it for the children too?
    virtual bool inherited() const noexcept { return false; }
};

}  // namespace costar
