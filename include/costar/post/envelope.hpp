// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/ground/pool.hpp>
#include <costar/post/message_type.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace costar::machine {

class cell;

}  // namespace costar::machine

namespace costar {

/// Tells the receiver to stop when its turn comes.
struct poison_pill {
    using reply = void;
};

/// Who it was that answered `touch`.
struct touched {
    pid who;
    friend bool operator==(const touched&, const touched&) = default;
};

/// Is the actor there, and has it let go of all messages before this one? Answered by itself.
struct touch {
    using reply = touched;
    touched auto_reply(pid receiver) const noexcept { return {receiver}; }
    static constexpr bool leaves_idle = true;
};

/// An actor that is watched has ended.
struct terminated {
    static constexpr bool is_control = true;
    static constexpr bool leaves_idle = true;

    pid who;

    /// `actor_stopped` when it was stopped or returned, `actor_failed` after its last crash, `no_such_actor`
    /// when it was gone before it was watched.
    errc reason = errc::actor_stopped;

    friend bool operator==(const terminated&, const terminated&) = default;
};

/// No message came for as long as `context::set_receive_timeout` says.
struct receive_timeout {
    static constexpr bool leaves_idle = true;
};

}  // namespace costar

namespace costar::machine {

/// A message under way on one strand: a header and, right behind it, the message itself.
struct alignas(16) envelope {
    /// The envelope behind it in its mailbox. Once received: its receiver, and whether it is handled.
    envelope* next;
    const message_type* type;
    pid sender;

    /// Where the answer goes, 0 when none is awaited.
    std::uint64_t reply;

    /// When the asker stops waiting (strand time), 0 for never. It has a mark in the mailbox of an actor that
    /// got it from another strand or thread.
    std::uint64_t deadline;

    void* body() noexcept { return this + 1; }

    template <class Message>
    Message& as() noexcept
    {
        return *static_cast<Message*>(body());
    }

    /// From now on it is with its receiver.
    void hold(cell& receiver) noexcept { next = reinterpret_cast<envelope*>(&receiver); }
    cell& receiver() const noexcept
    {
        return *reinterpret_cast<cell*>(marked_receiver() & ~(handled_mark | kept_mark | moved_mark));
    }

    /// It counts as one that has come from another strand or thread, until it is taken.
    void mark_borne() noexcept { deadline |= borne_mark; }
    bool is_borne() const noexcept { return (deadline & borne_mark) != 0; }
    void unmark_borne() noexcept { deadline &= ~borne_mark; }

    void mark_handled() noexcept { add_mark(handled_mark); }
    bool is_handled() const noexcept { return (marked_receiver() & handled_mark) != 0; }

    /// Somebody wants to know when it is let go of.
    void mark_kept() noexcept { add_mark(kept_mark); }
    bool is_plainly_handled() const noexcept
    {
        return (marked_receiver() & (handled_mark | kept_mark | moved_mark)) == handled_mark;
    }

    /// Of one that is plainly handled.
    cell& plain_receiver() const noexcept
    {
        return *reinterpret_cast<cell*>(marked_receiver() - handled_mark);
    }

    /// A handler takes it by value, so it may be empty; only asked for what is kept.
    void mark_moved() noexcept
    {
        if ((marked_receiver() & kept_mark) != 0)
            add_mark(moved_mark);
    }
    bool is_moved() const noexcept { return (marked_receiver() & moved_mark) != 0; }
    bool is_kept() const noexcept { return (marked_receiver() & kept_mark) != 0; }

    static envelope* allocate(std::size_t body_bytes)
    {
        return static_cast<envelope*>(arena::current().allocate(sizeof(envelope) + body_bytes));
    }

    /// Moves a message into a new envelope.
    template <class Message>
    static envelope* make(
        Message&& message, pid sender = {}, std::uint64_t reply = 0, std::uint64_t deadline = 0)
    {
        using value = std::remove_cvref_t<Message>;
        check_message<value>();
        void* memory = arena::current().allocate(sizeof(envelope) + sizeof(value));
        if constexpr (std::is_nothrow_constructible_v<value, Message>) {
            return make_at(memory, std::forward<Message>(message), sender, reply, deadline);
        } else {
            try {
                return make_at(memory, std::forward<Message>(message), sender, reply, deadline);
            } catch (...) {
                arena::deallocate(memory, sizeof(envelope) + sizeof(value));
                throw;
            }
        }
    }

    /// Moves a message into an envelope in memory of the right size.
    template <class Message>
    static envelope* make_at(
        void* memory, Message&& message, pid sender, std::uint64_t reply, std::uint64_t deadline)
    {
        using value = std::remove_cvref_t<Message>;
        auto* made = static_cast<envelope*>(memory);
        ::new (made->body()) value(std::forward<Message>(message));
        made->type = &type_of<value>;
        made->sender = sender;
        made->reply = reply;
        made->deadline = deadline;
        return made;
    }

    /// Destroys the message and frees the envelope.
    void discard() noexcept
    {
        if (type->destroy != nullptr)
            type->destroy(body());
        arena::deallocate_class(this, type->block_class, sizeof(envelope) + type->bytes);
    }

    static constexpr std::uint64_t borne_mark = std::uint64_t{1} << 63;  // no `deadline_after` is that late

private:
    static constexpr std::uintptr_t handled_mark = 1;
    static constexpr std::uintptr_t kept_mark = 2;
    static constexpr std::uintptr_t moved_mark = 4;

    void add_mark(std::uintptr_t mark) noexcept
    {
        next = reinterpret_cast<envelope*>(marked_receiver() | mark);
    }

    std::uintptr_t marked_receiver() const noexcept { return reinterpret_cast<std::uintptr_t>(next); }
};

static_assert(sizeof(envelope) == envelope_header_bytes);

/// Owns an envelope that is on no way.
struct envelope_discarder {
    void operator()(envelope* held) const noexcept { held->discard(); }
};
using held_envelope = std::unique_ptr<envelope, envelope_discarder>;

/// A copy of a message, with its sender but without a request; null when it cannot be copied.
held_envelope copy_of(envelope& original);

/// Moves a value of a type that is only known now into a new envelope.
held_envelope move_into_envelope(const message_type& type, void* value);

}  // namespace costar::machine
