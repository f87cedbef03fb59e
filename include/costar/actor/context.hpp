// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/receive.hpp>
#include <costar/actor/schedule.hpp>
#include <costar/actor/spawner.hpp>
#include <costar/kernel/ask.hpp>
#include <costar/kernel/message.hpp>
#include <costar/kernel/send_async.hpp>
#include <costar/kernel/spawn_options.hpp>
#include <costar/kernel/station.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar {

class engine;

/// What an actor may do: receive, send, ask, spawn, stop. Each actor gets its own as its first argument.
///
/// Everything here runs on the actor's strand, and awaiting coroutines resume there.
///
/// Thread safety: used from the actor's strand only.
/// Lifetime: lives as long as the actor, across restarts.
class context final : private machine::cell,
                      public machine::spawner<context>,
                      public machine::scheduling<context> {
public:
    context(machine::strand_context& home, std::uint32_t slot, std::uint32_t generation) noexcept
        : machine::cell(home, slot, generation)
    {}

    costar::pid pid() const noexcept { return post().pid_of(*this); }

    /// The name it was spawned with, else an automatic one.
    std::string name() const { return post().name_of(*this); }

    /// Who spawned it; nobody for an actor of the engine.
    costar::pid parent() const noexcept { return post().parent_of(const_cast<context&>(*this)); }

    /// Who sent the message received last, while it lives.
    costar::pid sender() const noexcept { return current != nullptr ? current->sender : costar::pid(); }

    /// The executor of the actor's strand.
    strand get_executor() const noexcept { return home().get_executor(); }
    costar::engine& engine() const noexcept { return *post().shared().owner; }

    /// Was it told to stop?
    bool stopping() const noexcept { return stop_requested; }

    /// How often it was begun anew.
    std::uint32_t restart_count() const noexcept { return cold != nullptr ? cold->restart_count : 0; }

    /// How many messages wait in the mailbox.
    std::size_t mailbox_size() const noexcept { return queued(); }

    /// The time of the turn, nanoseconds by the engine's clock.
    std::chrono::nanoseconds now() const noexcept
    {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(home().now()));
    }

    // Receiving
    // -------------------------------------------------------------------------------------------------

    /// The next message. Empty when it is time to stop: the actor was stopped, or a poison pill had its turn.
    /// This is said once; a receive that comes after it throws `errc::cancelled`, which ends the actor as a
    /// stop does. A combination of waits that is cut short by the end throws `errc::cancelled` as well, and
    /// leaves the empty message to the next receive.
    ///
    /// Only one coroutine of an actor receives at a time. Errors: throws `std::logic_error` while another one
    /// waits, whatever form of `receive` it is; that one goes on waiting.
    /// Cancellation: in a branch that is cancelled, ends with `errc::cancelled` and takes no message. As a
    /// branch of `when_any` it takes one only when nothing else that ended would be lost for it.
    auto receive() noexcept
    {
        return machine::receiving([this] { return machine::receive_awaiter(*this); });
    }

    /// The next message, or one for which `timed_out()` is true when none came in time.
    template <class Rep, class Period>
    auto receive(std::chrono::duration<Rep, Period> timeout) noexcept
    {
        return machine::receiving([this, limit = machine::as_nanoseconds(timeout)] {
            return machine::timed_awaiter<machine::receive_awaiter>(limit, *this);
        });
    }

    /// The next message of type `Message`; the others wait in their order. Cost: it passes those that wait in
    /// front of it, about 3 ns each, since a mailbox is one list; whoever lets many wait stashes them.
    template <any_message Message>
    auto receive() noexcept
    {
        return machine::receiving(
            [this] { return machine::selective_awaiter(*this, machine::type_of<Message>); });
    }

    /// The next message of type `Message`, or one for which `timed_out()` is true when none came in time.
    template <any_message Message, class Rep, class Period>
    auto receive(std::chrono::duration<Rep, Period> timeout) noexcept
    {
        return machine::receiving([this, limit = machine::as_nanoseconds(timeout)] {
            return machine::timed_awaiter<machine::selective_awaiter>(
                limit, *this, machine::type_of<Message>);
        });
    }

    /// The next message if one waits, else empty. Does not wait, and so gives nobody else a turn; what it
    /// takes counts for the share of the turn that the next wait ends. Errors: as `receive`.
    [[nodiscard("the message is let go of, unhandled")]] message try_receive();

    /// Waits for a message and takes those behind it too, `most` at most; empty when it is time to stop.
    task<std::vector<message>> receive_batch(std::size_t most);

    /// Puts a received message aside, to be handled later, with its sender and its request. What is aside
    /// comes back before a restart; at the end it becomes dead letters.
    ///
    /// Errors: throws `errc::mailbox_full` beyond `mailbox_options::stash_limit`; the message is still the
    /// caller's then. An empty one throws as `message` says. Cost: the first time, once for each message that
    /// waits.
    void stash(message&& aside) { post().stash(*this, std::move(aside)); }

    /// Puts what is aside back in front of the messages that wait; the first `count` of them. Gives how many
    /// these were.
    ///
    /// Order: that in which they were put aside, each in front of what waits at its level. So news of ends
    /// come before all others, and in a mailbox by priority the levels stay. What this call puts back comes
    /// in front of what an earlier one did.
    std::size_t unstash(std::size_t count = SIZE_MAX) noexcept { return post().unstash(*this, count); }

    /// Sends the actor a `receive_timeout` when no message has come for `length`: again and again when it
    /// `repeats`, else once; zero ends that. A message type with `static constexpr bool leaves_idle = true`
    /// (in a class within a function `using leaves_idle = std::true_type`) does not begin the time anew. It
    /// ends with the body. In a loop of one's own `receive(length)` is simpler.
    void set_receive_timeout(std::chrono::nanoseconds length, bool repeats = true)
    {
        post().watch_idleness(*this, length, repeats, false);
    }

    /// Stops the actor when no message has come for `length`; zero ends that.
    void stop_when_idle(std::chrono::nanoseconds length)
    {
        post().watch_idleness(*this, length, false, true);
    }

    /// What came beside the message received last; empty for most.
    const costar::headers& headers() const noexcept;

    // Sending
    // ---------------------------------------------------------------------------------------------------

    /// Sends a message, and goes on. What cannot be delivered becomes a dead letter.
    ///
    /// Order: as sent, for each receiver. Cost: about 40 ns on the same strand with receiving it, nothing
    /// allocated in steady state.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    void send(const Destination& to, Message&& message);

    /// Asks `to`, and gives what it answers: `co_await self.ask(to, greet{"you"}, 200ms)` is a
    /// `greet::reply`.
    ///
    /// The deadline counts from the sending, and ends no later than the deadline of the request that is being
    /// handled. Errors: throws `costar::error` with `timed_out`, `no_such_actor`, `unanswered`,
    /// `actor_failed`, `actor_stopped`, `not_understood`, `wrong_reply`, `mailbox_full`, `request_circle`,
    /// `not_local`, `cancelled`; `as_result` gives them as a value. Cost: about 90 ns on the same strand with
    /// the answer, nothing allocated in steady state. One that comes to an actor which itself waits looks
    /// whether that closes a circle: some ten nanoseconds for each actor on the way, 512 at most, and a post
    /// for each change of strand; neither mailboxes nor what else lives count.
    template <class Destination, class Message>
        requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
    auto ask(const Destination& to, Message&& message, std::chrono::nanoseconds timeout = default_timeout);

    /// As above, with headers.
    template <class Destination, class Message>
        requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
    auto ask(const Destination& to, Message&& message, costar::headers with,
        std::chrono::nanoseconds timeout = default_timeout);

    /// Sends a message with headers.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    void send(const Destination& to, Message&& message, costar::headers with);

    /// Sends in the name of another actor, which is the one that answers go to.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    void send_as(costar::pid sender, const Destination& to, Message&& message);

    /// Sends a message and waits until it has found room in the receiver's mailbox: `co_await
    /// self.send_async(to, message)`.
    ///
    /// Only a mailbox with a limit makes it wait; see `overflow` for what happens when it is full: one that
    /// drops the newest lets the send end well, though the message is gone. Errors: throws `mailbox_full`,
    /// `no_such_actor`, `actor_stopped`, `not_local`, `request_circle`, `cancelled`; a send that is cancelled
    /// may have taken place when the receiver is on another strand. Cost: as `send` on the same strand, as an
    /// answer from the receiver's strand elsewhere.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    machine::send_request send_async(const Destination& to, Message&& message);

    /// How full the mailbox of an actor is, anywhere in the engine, and what its limit is: `const auto box =
    /// co_await self.mailbox_of(pid)`. It overtakes the messages that wait there.
    ///
    /// Errors: throws `no_such_actor`, `cancelled`.
    machine::mailbox_request mailbox_of(costar::pid target) noexcept
    {
        return machine::mailbox_request(*this, target);
    }

    /// Asks `to` at once and gives the answer that is under way as a value: a `costar::future`, to be awaited
    /// later, more than once, by others, to be piped, combined, cancelled. Deadline and errors: as `ask`;
    /// with `std::chrono::nanoseconds::max()` there is no deadline, not even an inherited one.
    template <class Destination, class Message>
        requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
    auto ask_future(
        const Destination& to, Message&& message, std::chrono::nanoseconds timeout = default_timeout);
    template <class Destination, class Message>
        requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
    auto ask_future(const Destination& to, Message&& message, costar::headers with,
        std::chrono::nanoseconds timeout = default_timeout);

    /// Asks many at once, each with a copy of `message`; awaiting it gives a vector of `result<M::reply>`, in
    /// the order of the pids. Deadline: as `ask`, for all of them.
    template <std::ranges::input_range Destinations, class Message>
        requires request<Message> && accepts<std::ranges::range_value_t<Destinations>, Message>
    auto ask_all(
        const Destinations& to, const Message& message, std::chrono::nanoseconds timeout = default_timeout);
    template <class Message>
        requires request<Message>
    auto ask_all(std::initializer_list<costar::pid> to, const Message& message,
        std::chrono::nanoseconds timeout = default_timeout);

    /// Hands a received message on as it is: the first sender stays its sender, and gets the answer.
    ///
    /// Errors: an empty one throws as `message` says. One that belongs to this strand, see `is_strand_bound`,
    /// becomes a dead letter with `errc::not_understood` when `to` lives on another one.
    void forward(costar::pid to, message&& received)
    {
        if (!received) [[unlikely]]
            received.refuse_nothing();
        if (!has_extras)
            post().pass(to, received.release());
        else
            forward_specially(to, std::move(received));
    }

    /// Answers the request received last. Nothing happens when nobody waits for it.
    template <class Reply>
    void respond(Reply&& value)
    {
        machine::check_reply<Reply>();
        if (current == nullptr)
            return;
        current->mark_handled();
        if (current->reply == 0)
            return;
        post().answer(current->reply, std::forward<Reply>(value));
        current->reply = 0;
    }

    // `send_after`, `send_every` and `send_at_cron` send later; they are described at `scheduling`.

    // Family
    // ----------------------------------------------------------------------------------------------------

    // `spawn` makes children, which end before their parent does, but outlive the variables of its body; its
    // forms are described at `spawner`.

    /// Stops an actor: it receives no further message, and what it awaits is cancelled. As a statement by
    /// itself this goes on at once; `co_await self.stop(target)` waits for the end. An actor that is gone has
    /// ended already.
    machine::stop_request stop(costar::pid target);

    /// Stops an actor behind the messages it has now. To be awaited or not, as `stop`.
    machine::stop_request poison(costar::pid target);

    /// Waits until an actor has ended, for whatever reason; not at all for one that is gone.
    ///
    /// Nobody can wait for their own end: that wait is over at once. Errors: throws `errc::cancelled`, and
    /// `errc::request_circle` when that actor waits for this one, so that neither could end.
    [[nodiscard("co_await it: nothing waits before")]] machine::stop_request wait(costar::pid target) noexcept
    {
        return machine::stop_request(*this, target);
    }

    /// Stops this actor.
    void stop() noexcept { post().request_stop(*this); }

    /// Begins an actor anew as if it had crashed, without counting it; one that has no recipe, because its
    /// `restart_policy` allows none, is stopped.
    void restart(costar::pid target) { post().restart(target); }

    /// Stops all children and tasks, and waits until they have ended: `co_await self.end_children()`. The
    /// body cannot wait for anything else afterwards; what is left to do is cleaning up. Without it that
    /// happens behind the body. Errors: throws `std::logic_error` in a task, which would wait for itself.
    machine::family_end end_children() noexcept { return machine::family_end(*this); }

    /// The children, the oldest first, those on other strands last. Cost: linear in the children.
    std::vector<costar::pid> children() { return post().children_of(*this); }

    /// Says how crashes of the children that are spawned from now on are dealt with, unless they say it
    /// themselves.
    void supervise(supervisor rules) { post().supervise(*this, std::move(rules)); }

    /// Asks to be told of an actor's end, whoever spawned it and wherever it lives: a `terminated` comes,
    /// once, before all messages that wait; at once for an actor that is gone. Watching twice is watching
    /// once. Those who watch one actor are told in the order in which they began to. Cost: constant, however
    /// many are watched or watch.
    void watch(costar::pid target) { post().watch(*this, target); }

    /// No `terminated` of that actor comes any more. Cost: constant, unless the news wait in the mailbox
    /// already: then it passes those in front of them.
    void unwatch(costar::pid target) { post().unwatch(*this, target); }

    /// Ties this actor and another one: when one of them has crashed for good, or was gone already, the other
    /// one crashes too, and its supervisor decides. An end without a crash unties them.
    void link(costar::pid target) { post().link(*this, target); }
    void unlink(costar::pid target) { post().unlink(*this, target); }

    /// Runs a task beside the body, interleaved with it at their suspensions. It is cancelled and awaited
    /// when the body has ended; an exception that leaves it is a crash of the actor.
    ///
    /// Lifetime: it outlives the body's variables, as children do. Give it values, or a `std::shared_ptr`, or
    /// end it first: `co_await self.end_children()`.
    void spawn_task(task<> work);

    /// Runs a blocking function on a helper thread and gives what it returns, or throws what it throws:
    /// `auto bytes = co_await self.offload([&] { return file.read(); })`.
    ///
    /// The engine's helper threads (`engine_options::offload_threads`) are started by the first use and serve
    /// nothing else. In a simulation the function runs in a later step of the strand. It may use what lives
    /// in the coroutine's frame; it must neither await nor, in a simulation, wait for an actor.
    ///
    /// Cancellation: a function that has not begun never does, `errc::cancelled`; one that has is waited for,
    /// and its value is given.
    ///
    /// Errors: throws `errc::offload_full` when `engine_options::offload_queue` functions wait already, and
    /// `errc::engine_stopped` when the engine is being destroyed.
    ///
    /// Lifetime: the engine's destructor waits for functions that run. A borrowed engine runs no actors
    /// meanwhile, so no function may wait for one of them then.
    template <class Function>
    auto offload(Function&& function);

    /// What `ask` waits when nothing is said.
    static constexpr std::chrono::nanoseconds default_timeout{-1};

private:
    friend class machine::station;  // makes it in the place of a cell
    friend class engine;
    friend class machine::birth_place;
    friend context& machine::context_of(machine::cell& born) noexcept;
    friend class machine::spawner<context>;
    friend class machine::scheduling<context>;
    template <class>
    friend class machine::class_actor;

    machine::station& post() const noexcept { return machine::station::of(*this); }
    std::chrono::nanoseconds or_default(std::chrono::nanoseconds timeout) const noexcept
    {
        return timeout < std::chrono::nanoseconds(0) ? post().shared().ask_timeout : timeout;
    }
    machine::commons& spawn_shared() const noexcept { return post().shared(); }
    machine::cell* spawn_parent() noexcept { return this; }
    class faces;
    static const machine::cell_faces& all_faces() noexcept;
    void forward_specially(costar::pid to, message&& received);

    /// Kept out of the way of what takes the short one.
    template <class Message>
    [[gnu::noinline]] void send_long_way(costar::pid to, Message&& message);
};

static_assert(sizeof(context) == sizeof(machine::cell));

}  // namespace costar

namespace costar::machine {

inline context& context_of(cell& born) noexcept
{
    return static_cast<context&>(born);
}

}  // namespace costar::machine
