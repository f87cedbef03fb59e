// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>
#include <costar/kernel/cell_table.hpp>
#include <costar/kernel/commons.hpp>
#include <costar/kernel/extras.hpp>
#include <costar/kernel/figures.hpp>
#include <costar/kernel/reply_table.hpp>
#include <costar/post/parcel.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace costar::machine {

class station;
struct outbound_signal;

/// The post of one strand: what its actors send and are sent, and the answers that are awaited here.
///
/// Used inside the strand's turn only.
class post_office : public parcel_receiver {
public:
    post_office(const post_office&) = delete;
    post_office& operator=(const post_office&) = delete;

    strand_context& home() const noexcept { return home_; }
    commons& shared() const noexcept { return shared_; }

    /// The living actor with this pid, null when it is stale.
    cell* find(pid id) noexcept
    {
        return id.place() == place_ ? cells_.find(id.slot(), id.generation()) : nullptr;
    }

    /// Messages are about to come for actors of this strand in no order that the processor could know.
    void prefetch(pid id) noexcept
    {
        if (id.place() == place_)
            cells_.prefetch(id.slot());
    }

    /// As `prefetch`, some time after it: brings the coroutine that waits too.
    void prefetch_waiter(pid id) noexcept
    {
        if (const cell* known = find(id))
            __builtin_prefetch(known->waiter);
    }

    pid pid_of(const cell& self) const noexcept
    {
        return {place_, std::uint64_t{self.generation} << 32 | self.slot};
    }

    // Messages
    // --------------------------------------------------------------------------------------------------

    /// Sends a message from this strand to wherever `to` lives.
    template <class Message>
    void send(pid to, Message&& message, pid sender);

    /// Sends an envelope from this strand to wherever `to` lives.
    void send(pid to, envelope* sent)
    {
        if (cell* receiver = find(to)) [[likely]]
            deliver(*receiver, sent);
        else
            send_away(to, sent);
    }

    /// Sends an envelope on whose message nobody has looked at: one that belongs to this strand becomes a
    /// dead letter when it is for another one.
    void pass(pid to, envelope* sent)
    {
        if (cell* receiver = find(to)) [[likely]]
            deliver(*receiver, sent);
        else
            pass_away(to, sent);
    }

    /// Puts an envelope into a mailbox of this strand. That it is no request can be known before.
    template <bool MayAsk = true>
    [[gnu::always_inline]] void deliver(cell& to, envelope* sent) noexcept
    {
        if (to.has_extras) [[unlikely]] {
            deliver_specially(to, sent);
            return;
        }
        sent->next = nullptr;
        (to.first == nullptr ? to.first : to.last->next) = sent;
        to.last = sent;
        home_.message_queued(to);
        has_arrived<MayAsk>(to, *sent);
    }

    /// As `deliver`, of what has come from another strand or thread and is marked so.
    [[gnu::always_inline]] void deliver_borne(cell& to, envelope* sent) noexcept
    {
        if (to.has_extras) [[unlikely]] {
            sent->unmark_borne();
            deliver_specially(to, sent, true);
            return;
        }
        home_.message_borne(to);  // first: a request that closes a circle is taken back on delivery
        deliver(to, sent);
    }

    /// Puts a message into a mailbox that has a limit or an order, whose actor has middleware or is told
    /// something.
    void deliver_specially(cell& to, envelope* sent, bool is_borne = false) noexcept;

    /// Tells an actor of this strand something that overtakes messages and is never refused.
    template <class Control>
    void tell(cell& to, Control news)
    {
        to.extras_made();
        deliver_specially(to, envelope::make(std::move(news)));
    }

    /// Sends what an actor with middleware sends, a message with headers, or one for which `token` is
    /// answered when it has found room. Gives whom it went to; when middleware throws, a request of `from`
    /// has not begun.
    pid send_specially(
        cell& from, pid to, envelope* sent, std::unique_ptr<headers> with = nullptr, std::uint64_t token = 0);

    /// Sends an envelope, and answers `token`, if it is not 0, when it has found room. `is_borne` says that
    /// it came here through a ring or a chute.
    void admit(pid to, envelope* sent, std::uint64_t token, std::unique_ptr<headers> with = nullptr,
        bool is_borne = false);

    /// Answers `token` with the `mailbox_state` of an actor anywhere, or with `errc::no_such_actor`.
    void look_at_mailbox(pid target, std::uint64_t token);

    /// Whoever holds `token` does not wait for room any more.
    void withdraw(pid to, std::uint64_t token);

    /// A message was taken out of a mailbox that is not a plain one.
    void has_taken(cell& self, envelope* taken) noexcept;

    /// Passes a message that an actor has received through its middleware.
    void pass_through(cell& self, message& taken, bool is_selective);

    static const headers& headers_of(const envelope& received) noexcept;

    /// Puts a message aside; throws `errc::mailbox_full` when no more may be.
    void stash(cell& self, message&& aside);

    /// Puts messages that were put aside back, in front of all others and in their order.
    std::size_t unstash(cell& self, std::size_t count) noexcept;

    /// Tells the actor, or ends it, when it has received no message for so long; zero ends that.
    void watch_idleness(cell& self, std::chrono::nanoseconds length, bool repeats, bool stops);

    /// Makes a dead letter of an envelope; its asker is told.
    void bury(envelope* lost, pid to, errc reason) noexcept;

    /// A received message is let go of.
    static void finish(envelope* done) noexcept
    {
        if (!done->is_plainly_handled() || done->reply != 0) [[unlikely]] {
            finish_long_way(done);
            return;
        }
        cell& self = done->plain_receiver();
        if (self.current == done)
            self.current = nullptr;
        done->discard();
    }

    static void finish_long_way(envelope* done) noexcept;

    /// As above, for one that is a request, that nobody handled or that somebody wants to know of.
    void finish_specially(envelope& done, bool failed) noexcept;

    /// Lets go of one after a failure that the actor survives.
    void give_again(envelope& failed) noexcept;

    /// An actor waits for a message: what failed in its hands it has survived.
    void has_survived(cell& self) noexcept;

    /// It is not let go of, but handed on.
    static void forget_attempt(const envelope& gone) noexcept;

    // Answers
    // ---------------------------------------------------------------------------------------------------

    /// Are the actors of the strand being destroyed where they stand?
    bool is_being_destroyed() const noexcept { return destroying_; }

    /// A token under which `waiter` is answered once.
    std::uint64_t expect(reply_waiter& waiter) { return replies_.expect(waiter); }

    /// Whoever holds `token` waits no more; an answer that still comes is counted and dropped.
    void forget(std::uint64_t token) noexcept { static_cast<void>(replies_.claim(token)); }

    /// Answers a request from this strand, wherever it was asked.
    template <class Reply>
    void answer(std::uint64_t token, Reply&& value);

    /// Answers a request from this strand with a value of any type, which is moved.
    void pass_on(std::uint64_t token, const message_type& type, void* value) noexcept;

    /// Ends a request with an error, wherever it was asked.
    void fail(std::uint64_t token, errc reason) noexcept;

    void receive(parcel& arrived) override;
    void discard(parcel& left) noexcept override;

protected:
    post_office(commons& shared, strand_context& home) noexcept;
    ~post_office();

    reply_waiter* claim(std::uint64_t token) noexcept
    {
        reply_waiter* const found = replies_.claim(token);
        if (found == nullptr) [[unlikely]]
            figures_.late_replies.add(1);
        return found;
    }

    /// May it be that others have to do something before this actor goes on?
    static bool is_stuck(const cell& self) noexcept
    {
        return self.is_waiting() || self.state != life::running;
    }

    /// Has somebody who waits for an actor which is itself waiting closed a circle?
    void suspect_circle(cell& to, const envelope& request) noexcept;
    void suspect_circle(cell& to, std::uint64_t token, awaited_kind kind, pid asker) noexcept;

    void drop_mailbox(cell& self, errc reason) noexcept;
    void settle_failed(cell& self, extras_part& more, bool is_given_again) noexcept;
    void give_back_failed(cell& self, extras_part& more) noexcept;
    void drop_failed(cell& self, extras_part& more, errc reason) noexcept;

    /// Goes on at the strand where an actor lives; false when that is this one, or none of this engine.
    template <class Continue>
    bool goes_on_at(pid where, Continue go_on);

    /// Has another node been told? False for an actor of this one, and where no node is known.
    bool goes_abroad(const outbound_signal& news);

    /// Is it a pid of another engine?
    bool is_elsewhere(pid who) const noexcept { return who && who.node() != node_; }

    bool is_known(std::uint32_t strand) const noexcept { return strand < shared_.stations.size(); }

    context& face_of(cell& self) const noexcept { return shared_.faces->face_of(self); }

    commons& shared_;
    strand_context& home_;
    const std::uint64_t place_;
    const std::uint32_t node_;
    const std::uint16_t strand_;
    cell_table cells_;
    reply_table replies_;
    struct {
        counter live, spawned, restarts, dead_letters, late_replies, dropped;
    } figures_;
    bool destroying_ = false;
    bool frame_has_failed_ = false;

private:
    station& whole() noexcept;

    /// Wakes the actor when it waits for the message that has come.
    template <bool MayAsk = true>
    [[gnu::always_inline]] void has_arrived(cell& to, const envelope& sent) noexcept
    {
        if (to.wanted != nullptr) {
            if (to.wanted == &any_type || to.wanted == sent.type || sent.type == &type_of<poison_pill>) {
                to.wanted = nullptr;
                home_.make_ready(to);
            }
        } else if constexpr (MayAsk) {
            if (sent.reply != 0 && is_stuck(to)) [[unlikely]]
                suspect_circle(to, sent);
        }
    }

    void put(cell& to, extras_part& more, envelope* sent, bool is_borne) noexcept;
    void has_come(cell& to, extras_part& more, const envelope* sent) noexcept;
    bool let_in(cell& to, const admission& arrived) noexcept;
    void overflow_with(cell& to, extras_part& more, const admission& arrived) noexcept;
    void admit_here(pid to, const admission& arrived, std::unique_ptr<headers> with) noexcept;
    void withdraw_here(pid to, std::uint64_t token) noexcept;
    void receive_message(parcel& arrived);
    void deliver_borne(std::uint64_t key, envelope* sent) noexcept;
    void receive_answer(parcel& arrived);
    void receive_unclaimed(parcel& arrived);
    void bury_borne(envelope* sent, std::uint64_t key) noexcept;
    void bury_stash(cell& self, extras_part& more, errc reason) noexcept;
    void end_message(cell& self, envelope& done, errc reason) noexcept;
    void look_for_survivor(pid who) noexcept;
    void arm_idle(const std::unique_ptr<idle_timer>& timer);
    void tell_of_dead_letter(envelope& lost, pid to, errc reason);
    void drop_unhandled(envelope* left, pid id, errc reason) noexcept;

    void send_away(pid to, envelope* sent);
    void send_abroad(pid to, envelope* sent, std::uint64_t token, std::unique_ptr<headers> with);
    void pass_away(pid to, envelope* sent);
    bool must_stay(pid to, const envelope& sent) const noexcept;
    void refuse_to_pass(pid to, envelope* sent) noexcept;
    void send_parcel(std::uint32_t strand, const parcel& packed);

    /// Sends a message in every other case. Kept out of the way of what stays on the strand.
    template <class Message>
    [[gnu::noinline]] void send_away(pid to, Message&& message, pid sender);

    /// Has the pid been given away, and does the birth lie in the inbox? Of a pid whose birth has failed that
    /// is thought once.
    bool is_to_be_born(pid where) const noexcept { return !are_births_over_ && cells_.is_reserved(where); }

    /// Goes on when the births that lie in the inbox have taken place.
    template <class Continue>
    bool goes_on_after_birth(Continue go_on)
    {
        home_.post_behind_inbox([this, go_on = std::move(go_on)]() mutable {
            struct births_over {
                bool& flag;
                explicit births_over(bool& what) noexcept : flag(what) { flag = true; }
                ~births_over() { flag = false; }
            } const over(are_births_over_);
            go_on();
        });
        return true;
    }

    bool are_births_over_ = false;  // that lay in the inbox, for what goes on now
};

template <class Message>
void post_office::send(pid to, Message&& message, pid sender)
{
    using value = std::remove_cvref_t<Message>;
    shared_.check_way(to, message);
    home_.spend();
    // The common way calls nothing, so that it keeps all it needs in registers.
    if constexpr (std::is_nothrow_constructible_v<value, Message>) {
        if (cell* receiver = find(to)) [[likely]] {
            if (void* memory = home_.arena().allocate_if_ready(sizeof(envelope) + sizeof(value))) [[likely]] {
                deliver<false>(
                    *receiver, envelope::make_at(memory, std::forward<Message>(message), sender, 0, 0));
                return;
            }
        }
    }
    send_away(to, std::forward<Message>(message), sender);
}

template <class Message>
void post_office::send_away(pid to, Message&& message, pid sender)
{
    using value = std::remove_cvref_t<Message>;
    if constexpr (type_of<value>.is_inline) {
        if (to.node() == node_ && to.strand() != strand_ && is_known(to.strand())) {
            home_.send_filled(to.strand(),
                [&](parcel& slot) { pack_inline<value>(slot, to.key(), message, sender, 0, 0); });
            return;
        }
    }
    send(to, envelope::make(std::forward<Message>(message), sender));
}

template <class Reply>
void post_office::answer(std::uint64_t token, Reply&& value)
{
    using stored = std::remove_cvref_t<Reply>;
    if (replies_.is_own(token)) [[likely]] {
        stored local(std::forward<Reply>(value));  // may throw, and then it is no answer
        if (reply_waiter* waiter = claim(token))
            waiter->take(&type_of<stored>, &local);
        return;
    }
    if constexpr (may_be_strand_bound<stored>)
        if (home_strand(value) != nullptr)
            refuse_to_leave_strand();
    if constexpr (type_of<stored>.is_inline)
        home_.send_filled(reply_table::strand_of(token),
            [&](parcel& slot) { pack_inline<stored>(slot, token, value, {}, 0, 0); });
    else
        send_parcel(reply_table::strand_of(token), pack(token, envelope::make(std::forward<Reply>(value))));
}

}  // namespace costar::machine
