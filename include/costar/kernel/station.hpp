// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>
#include <costar/kernel/cell.hpp>
#include <costar/kernel/event_stream.hpp>
#include <costar/kernel/extras.hpp>
#include <costar/post/dead_letter_log.hpp>
#include <costar/post/interceptor.hpp>
#include <costar/post/registry.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace costar {

class station;
class context;
class engine;
class message;

/// A search along the actors that wait for each other's answers.
struct circle_chase;
class offload_pool;

/// What the floor above lays over the cells of an engine, so that actors see themselves.
///
/// Thread safety: on the strand of the cell.
class cell_faces {
public:
    /// The face of a cell, for middleware.
    virtual context& face_of(cell& self) const noexcept = 0;

    /// Destroys what was made in the place of a cell.
    virtual void destroy(cell& ended) const noexcept = 0;

protected:
    ~cell_faces() = default;
};

/// What the stations of one engine share.
struct commons {
    std::uint32_t node = 0;
    std::string node_name;
    registry names;
    event_stream events;
    std::vector<station*> stations;
    std::chrono::nanoseconds ask_timeout = std::chrono::seconds(5);
    std::shared_ptr<const supervisor> guardian;      // of actors without parent
    std::vector<std::shared_ptr<middleware>> chain;  // of all actors
    dead_letter_log letters;
    std::uint32_t last_generation = (UINT32_C(1) << 31) - 1;  // a slot that has had it is not used again
    std::atomic<std::uint32_t> next_strand{0};
    std::atomic<bool> closing{false};
    const cell_faces* faces = nullptr;  // set before the first actor is born
    message_interceptor* interceptor = nullptr;
    engine* owner = nullptr;
    offload_pool* offload = nullptr;

    /// Throws the `std::logic_error` of a message that belongs to a strand and is for an actor of another
    /// one. Thread safety: from any thread.
    template <class Message>
    void check_way(pid to, const Message& sent) const
    {
        if constexpr (may_be_strand_bound<Message>)
            if (const strand_context* home = home_strand(sent))
                check_way(to, *home);
    }
    void check_way(pid to, const strand_context& home) const;
};

/// The name of a spawn is in use; says by whom.
class name_in_use : public error {
public:
    name_in_use(std::string_view name, pid holder);

    pid holder() const noexcept { return holder_; }

private:
    pid holder_;
};

/// Whoever waits for an answer; called once, on the strand where it asked for the token.
class reply_waiter {
public:
    using function = void (*)(
        reply_waiter& self, const message_type* type, void* value, errc failure) noexcept;

    explicit reply_waiter(function take) noexcept : take_(take) {}

    void take(const message_type* type, void* value) noexcept { take_(*this, type, value, errc{}); }
    void fail(errc reason) noexcept { take_(*this, nullptr, nullptr, reason); }

private:
    function take_;
};

/// A count that one strand writes and any thread may read.
class counter {
public:
    void add(std::uint64_t more) noexcept { count_.store(value() + more, std::memory_order_relaxed); }
    void subtract(std::uint64_t less) noexcept { count_.store(value() - less, std::memory_order_relaxed); }
    std::uint64_t value() const noexcept { return count_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> count_{0};  // written by its strand, read by any thread; no order needed
};

/// The text of an exception.
std::string text_of(const std::exception_ptr& failure);

/// Counts of one station, or of a whole engine.
struct station_figures {
    std::uint64_t live = 0;          ///< actors
    std::uint64_t spawned = 0;       ///< since the beginning
    std::uint64_t restarts = 0;      ///< since the beginning
    std::uint64_t dead_letters = 0;  ///< since the beginning
    std::uint64_t late_replies = 0;  ///< answers that nobody waited for any more
    std::uint64_t dropped = 0;       ///< messages for full mailboxes, where that is the policy
};

/// The actors of one strand: their cells, their post, and the answers that are awaited here.
///
/// Thread safety: all inside the strand's turn, unless said otherwise.
class station final : public parcel_receiver, public task_owner {
public:
    station(commons& shared, strand_context& home);
    station(const station&) = delete;
    station& operator=(const station&) = delete;
    ~station();

    strand_context& home() const noexcept { return home_; }
    commons& shared() const noexcept { return shared_; }

    /// The station of a cell.
    static station& of(const cell& self) noexcept;

    // Cells
    // -----------------------------------------------------------------------------------------------------

    /// The living actor with this pid, null when it is stale.
    cell* find(pid id) noexcept { return id.place() == place_ ? find(id.slot(), id.generation()) : nullptr; }

    cell* find(std::uint32_t slot, std::uint32_t generation) noexcept
    {
        if (slot >= slots_)
            return nullptr;
        chunk& part = *chunks_[slot / chunk::cells];
        if (part.generations[slot % chunk::cells] != generation || generation % 2 == 0)
            return nullptr;
        return part.at(slot % chunk::cells);
    }

    pid pid_of(const cell& self) const noexcept
    {
        return {place_, std::uint64_t{self.generation} << 32 | self.slot};
    }

    /// A new cell for an actor of this strand, with the face `Face`.
    template <class Face>
    cell& open()
    {
        return make<Face>(occupy_free());
    }

    /// A pid for an actor that another thread or strand will have born here. Thread safety: from any thread.
    pid reserve() noexcept;

    /// Gives a reserved pid back of which nothing came. Thread safety: from any thread.
    void give_back(pid reserved) noexcept;

    /// The cell of a reserved pid; null where there is no memory for it. Then the actor has ended before it
    /// was born, its name is free, and its parent and all others are told so.
    template <class Face>
    cell* open_or_give_up(pid reserved, pid parent, registry::entry* name) noexcept
    {
        const place where = occupy_or_give_up(reserved, parent, name);
        if (where.memory == nullptr)
            return nullptr;
        cell& made = make<Face>(where);
        made.from_afar = true;
        return &made;
    }

    /// Gives a cell back that was opened and never begun.
    void close(cell& unborn) noexcept;

    /// Lets an actor live: its body, its place in the family, its options.
    void begin(cell& born, pid parent, task<> body, const actor_kind& kind);

    /// The body of a newly opened cell could not even be made. The actor ends as after a crash.
    void begin_failed(cell& born, pid parent, const actor_kind& kind, std::exception_ptr failure) noexcept;

    /// The middleware of a newly born actor.
    void set_middleware(cell& born, const std::vector<std::shared_ptr<middleware>>& chain);
    void set_mailbox(cell& born, const mailbox_options& box, const failing_message& failing);
    /// From now on the name is the cell's; where there is no memory for that, it is free again.
    void set_name(cell& born, registry::entry* name);

    /// Enters a name, as `registry::insert`; throws `name_in_use`. Thread safety: from any thread.
    registry::entry* claim_name(
        std::string_view name, pid owner, const std::function<void(registry::entry&)>& first = {});

    /// An actor of this strand has a child on another one.
    void add_distant_child(cell& parent, pid child);

    /// Nothing came of that child.
    void remove_distant_child(cell& parent, pid child) noexcept;

    std::string name_of(const cell& self) const;
    pid parent_of(const cell& self) noexcept;

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

    /// As `deliver`, of what has come from another strand or thread.
    [[gnu::always_inline]] void deliver_borne(cell& to, envelope* sent) noexcept
    {
        if (to.has_extras) [[unlikely]] {
            deliver_specially(to, sent, true);
            return;
        }
        sent->mark_borne();
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

    /// Sends an envelope, and answers `token`, if it is not 0, when it has found room.
    void admit(pid to, envelope* sent, std::uint64_t token, std::unique_ptr<headers> with = nullptr);

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

    /// A token under which `waiter` is answered once.
    std::uint64_t expect(reply_waiter& waiter)
    {
        const std::uint32_t slot = free_reply_;
        if (slot == cell::nobody) [[unlikely]]
            return expect_in_new_place(waiter);
        awaited_reply& entry = replies_[slot];
        free_reply_ = entry.next_free;
        entry.waiter = &waiter;
        return reply_place_ | std::uint64_t{slot} << reply_generation_bits | entry.generation;
    }

    /// Whoever holds `token` waits no more; an answer that still comes is counted and dropped.
    void forget(std::uint64_t token) noexcept { static_cast<void>(claim(token, false)); }

    /// Answers a request from this strand, wherever it was asked.
    template <class Reply>
    void answer(std::uint64_t token, Reply&& value);

    /// Answers a request from this strand with a value of any type, which is moved.
    void pass_on(std::uint64_t token, const message_type& type, void* value) noexcept;

    /// Ends a request with an error, wherever it was asked.
    void fail(std::uint64_t token, errc reason) noexcept;

    // Ends
    // ------------------------------------------------------------------------------------------------------

    /// Stops an actor anywhere; `token` is answered when it has ended, 0 for nobody.
    void stop(pid target, std::uint64_t token);

    /// Answers `token`, for which `asker` waits, when an actor anywhere has ended, at once when it is gone.
    void await_end(pid target, std::uint64_t token, pid asker);

    /// Whoever holds `token` does not wait for that end any more.
    void forget_end(pid target, std::uint64_t token);

    void request_stop(cell& target) noexcept;

    /// Begins an actor anew as if it had crashed, wherever it lives. Nothing happens when it cannot be.
    void restart(pid target);

    // Supervision
    // ------------------------------------------------------------------------------------------------

    /// What a newly born actor says about its crashes, and what is said for it.
    void set_supervision(cell& born, const spawn_options& options,
        const std::shared_ptr<const supervisor>& from_above, std::unique_ptr<recipe> again);

    /// May an actor class whose handler threw go on with its next message?
    bool resumes(cell& self, const std::exception_ptr& failure) noexcept;

    /// Decides about a crash before the body has ended; true when the actor is begun anew.
    bool decide(cell& self, const std::exception_ptr& failure) noexcept;

    /// A body has come to its end, by `failure` if there is one: true when it is begun anew.
    bool is_begun_anew(cell& self, const std::exception_ptr& failure) noexcept;

    /// From now on these are the rules for the children that are spawned.
    void supervise(cell& parent, supervisor rules);

    /// Stops the children and tasks of an actor whose body goes on, and has `node` resumed when they have
    /// ended; false when there are none.
    bool end_family(cell& self, run_node& node);

    /// Looks whether the actor, which waits for its family, would keep those waiting whose requests it has.
    void suspect_requests(cell& self) noexcept;

    /// Forgets `node`.
    static void forget_family(cell& self) noexcept { self.rare()->childless = nullptr; }

    std::vector<pid> children_of(cell& self) const;

    // Watching
    // ---------------------------------------------------------------------------------------------------

    /// Tells an actor of this strand with `terminated` when another one has ended, wherever that one lives.
    void watch(cell& self, pid target);
    void unwatch(cell& self, pid target);

    /// Ties two actors: when one has crashed for good the other crashes too.
    void link(cell& self, pid target);
    void unlink(cell& self, pid target);

    /// Stops all actors without parent, the youngest first, and calls `done` when no actor is left.
    void stop_all(std::function<void()> done);

    /// The names of the actors that live now.
    std::vector<std::string> living_names() const;

    /// A task of an actor has ended.
    void task_done(cell& owner, std::exception_ptr failure) noexcept;

    /// Calls `end`, which destroys the frame of a coroutine that has failed, or not: messages among its
    /// parameters are let go of as those among its variables were.
    template <class Function>
    void end_frame(bool has_failed, Function&& end)
    {
        const bool outer = std::exchange(frame_has_failed_, has_failed);
        std::forward<Function>(end)();
        frame_has_failed_ = outer;
    }

    /// A task has failed; `task_done` follows when its frame is gone.
    static void task_fails(cell& owner) noexcept;

    /// Thread safety: from any thread.
    station_figures figures() const noexcept;

    /// One line for each actor that lives: who it is, what it waits for, from where.
    std::vector<std::string> dump() const;

    /// Destroys all actors where they stand. After the last turn.
    void destroy_all() noexcept;

    /// The circle that a request was refused for; once.
    std::string take_circle(const reply_waiter& refused);

    void receive(parcel& arrived) override;
    void discard(parcel& left) noexcept override;
    void reap(run_node& ended) noexcept override;
    run_identity identify(root_scope& root) noexcept override;
    bool is_mailbox(const run_node& node, const root_scope& root) const noexcept override;
    void report_hog(run_identity who, std::chrono::nanoseconds spent) noexcept override;
    void task_ended(promise_base& promise) noexcept override;

private:
    /// Cells side by side; they stay where they are.
    struct chunk {
        static constexpr std::size_t cells = 256;

        chunk() = default;
        cell* at(std::size_t index) noexcept
        {
            return std::launder(reinterpret_cast<cell*>(memory + index * sizeof(cell)));
        }

        std::uint32_t generations[cells] = {};  // odd while the cell lives
        alignas(128) std::byte memory[cells * sizeof(cell)];
    };

    struct awaited_reply {
        reply_waiter* waiter = nullptr;
        std::uint32_t generation = 1;
        std::uint32_t next_free = 0;
    };

    // A parcel is for an actor, whose key has no such bit, or for a reply token.
    static constexpr std::uint64_t reply_flag = std::uint64_t{1} << 63;
    static constexpr unsigned reply_generation_bits = 27;
    static constexpr unsigned reply_slot_bits = 24;
    static constexpr std::uint64_t nobodys_answer =
        reply_flag | std::uint64_t{(1U << reply_slot_bits) - 1} << reply_generation_bits;

    static std::uint32_t strand_of(std::uint64_t token) noexcept
    {
        return static_cast<std::uint32_t>((token & ~reply_flag) >> (reply_generation_bits + reply_slot_bits));
    }
    bool is_awaited_here(std::uint64_t token) const noexcept
    {
        return (token ^ reply_place_) >> (reply_generation_bits + reply_slot_bits) == 0;
    }
    reply_waiter* claim(std::uint64_t token, bool count_late = true) noexcept
    {
        constexpr std::uint32_t generation_mask = (1U << reply_generation_bits) - 1;
        constexpr std::uint32_t slot_mask = (1U << reply_slot_bits) - 1;
        const auto slot = static_cast<std::uint32_t>(token >> reply_generation_bits) & slot_mask;
        const auto generation = static_cast<std::uint32_t>(token) & generation_mask;
        if (slot >= replies_.size() || replies_[slot].generation != generation) [[unlikely]] {
            if (count_late)
                figures_.late_replies.add(1);
            return nullptr;
        }
        awaited_reply& entry = replies_[slot];
        entry.generation = (generation + 1) & generation_mask;
        entry.next_free = free_reply_;
        free_reply_ = slot;
        return std::exchange(entry.waiter, nullptr);
    }
    std::uint64_t expect_in_new_place(reply_waiter& waiter);
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
    void receive_unclaimed(parcel& arrived);
    void bury_stash(cell& self, extras_part& more, errc reason) noexcept;
    void end_message(cell& self, envelope& done, errc reason) noexcept;
    void settle_failed(cell& self, extras_part& more, bool is_given_again) noexcept;
    void give_back_failed(cell& self, extras_part& more) noexcept;
    void drop_failed(cell& self, extras_part& more, errc reason) noexcept;
    void look_for_survivor(pid who) noexcept;
    void arm_idle(const std::unique_ptr<idle_timer>& timer);

    /// May it be that others have to do something before this actor goes on?
    static bool is_stuck(const cell& self) noexcept
    {
        return self.is_waiting() || self.state != life::running;
    }

    /// Has somebody who waits for an actor which is itself waiting closed a circle?
    void suspect_circle(cell& to, const envelope& request) noexcept;
    void suspect_circle(cell& to, std::uint64_t token, awaited_kind kind, pid asker) noexcept;
    void follow_circle(circle_chase chase) noexcept;
    bool follow_waits(cell& at, circle_chase& chase);
    bool is_descendant(cell& ancestor, pid who) const noexcept;
    void refuse(circle_chase chase);
    void take_back(pid from, std::uint64_t token) noexcept;

    directive decision_for(cell& self, const std::exception_ptr& failure) noexcept;
    void fail_from_afar(cell& self, std::exception_ptr failure, bool matters_in_pause) noexcept;
    void request_restart(cell& target) noexcept;
    void treat_siblings(cell& self, directive what) noexcept;
    void treat_siblings(std::uint32_t parent_slot, pid failed, strategy how, directive what) noexcept;
    bool may_restart(cell& self, const std::exception_ptr& failure) noexcept;
    void end_wait(cell& self) noexcept;
    static bool has_family(const cell& self) noexcept;
    bool is_looked_at() const noexcept;
    void begin_specially(cell& born, pid parent, task<> body, const actor_kind& kind);
    bool begin_body(cell& self, task<> body) noexcept;
    void start_body(cell& self, task<> body) noexcept;
    void could_not_begin(cell& self, const std::exception_ptr& failure) noexcept;
    void escalate(cell& self, const std::exception_ptr& failure) noexcept;
    std::chrono::nanoseconds pause_before(cell& self) noexcept;
    static bool keeps_children_at_all(const cell& self) noexcept;
    bool keeps_children(const cell& self) const noexcept;

    void add_watcher(pid target, end_watcher added);
    void remove_watcher(pid target, end_watcher removed);
    void tell_watcher(end_watcher told, pid ended, errc reason);
    void tell_watchers(cell& self, pid id, errc reason);

    void send_away(pid to, envelope* sent);
    void pass_away(pid to, envelope* sent);
    bool must_stay(pid to, const envelope& sent) const noexcept;
    void refuse_to_pass(pid to, envelope* sent) noexcept;

    /// Sends a message in every other case. Kept out of the way of what stays on the strand.
    template <class Message>
    [[gnu::noinline]] void send_away(pid to, Message&& message, pid sender);
    bool is_known(std::uint32_t strand) const noexcept { return strand < shared_.stations.size(); }

    void withdraw_here(pid to, std::uint64_t token) noexcept;

    /// Goes on at the strand where an actor lives; false when that is this one, or none of this engine.
    template <class Continue>
    bool goes_on_at(pid where, Continue go_on)
    {
        if (where.node() != node_ || !is_known(where.strand()))
            return false;
        if (where.strand() == strand_)
            return is_to_be_born(where) && goes_on_after_birth([this, go_on] { go_on(*this); });
        station& theirs = *shared_.stations[where.strand()];
        theirs.home_.post([&theirs, go_on] { go_on(theirs); });
        return true;
    }

    /// Has the pid been given away, and does the birth lie in the inbox? Of a pid whose birth has failed that
    /// is thought once.
    bool is_to_be_born(pid where) const noexcept;

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
    void send_parcel(std::uint32_t strand, const parcel& packed);

    /// Where a cell is about to be made.
    struct place {
        void* memory;
        std::uint32_t slot;
        std::uint32_t generation;
    };
    place occupy(std::uint32_t slot);
    place occupy_free();
    place occupy_or_give_up(pid reserved, pid parent, registry::entry* name) noexcept;

    template <class Face>
    cell& make(place where) noexcept
    {
        return *::new (where.memory) Face(home_, where.slot, where.generation);
    }

    context& face_of(cell& self) const noexcept { return shared_.faces->face_of(self); }
    void retire(cell& ending) noexcept;
    void release(cell& ended) noexcept;
    cell* find_or_answer(pid target, std::uint64_t token);
    void queue_reap(cell& self) noexcept;
    cell* join_family(cell& born, pid parent) noexcept;
    cell* become_sibling(cell& born, std::uint32_t& first) noexcept;
    void queue_birth(cell& born, cell* elder) noexcept
    {
        home_.make_fresh(born, born, elder != nullptr && elder->is_unborn() ? elder : nullptr);
    }
    void leave_family(cell& ended) noexcept;
    static void tell_companion(cell& self) noexcept;
    void body_ended(cell& self) noexcept;
    void crashed(cell& self, const std::exception_ptr& failure) noexcept;
    void close_family(cell& self) noexcept;
    void advance(cell& self) noexcept;
    void restart(cell& self) noexcept;
    void terminate(cell& self) noexcept;
    void tell_of_end(cell& self, pid id) noexcept;
    void child_ended(std::uint32_t parent_slot, pid child) noexcept;
    void family_changed(cell& parent) noexcept;
    void drop_mailbox(cell& self, errc reason) noexcept;
    void tell_of_dead_letter(envelope& lost, pid to, errc reason);
    void drop_unhandled(envelope* left, pid id, errc reason) noexcept;
    std::string family_of(cell& self) const;
    template <class Visitor>
    void for_each_cell(Visitor&& visit) const;

    commons& shared_;
    strand_context& home_;
    const std::uint64_t place_;
    const std::uint32_t node_;
    const std::uint16_t strand_;
    const std::uint64_t reply_place_;  // what all reply tokens of this strand have in common
    std::vector<std::unique_ptr<chunk>> chunks_;
    std::uint32_t slots_ = 0;  // that the chunks have
    std::vector<std::uint32_t> free_slots_;
    std::uint32_t fresh_slot_ = 0;
    std::uint32_t fresh_end_ = 0;
    std::uint32_t first_root_ = cell::nobody;
    std::vector<awaited_reply> replies_;
    std::uint32_t free_reply_ = cell::nobody;
    struct {
        counter live, spawned, restarts, dead_letters, late_replies, dropped;
    } figures_;
    std::function<void()> all_stopped_;
    std::unordered_map<const reply_waiter*, std::string> circles_;  // why their requests are refused
    bool destroying_ = false;
    bool are_births_over_ = false;  // that lay in the inbox, for what goes on now
    bool frame_has_failed_ = false;
    std::mutex vacancies_mutex_;
    std::vector<pid> vacancies_;  // for the next who are born for another strand or thread
    alignas(128) std::atomic<std::uint32_t> next_slot_{0};  // any thread takes blocks
};

inline station& station::of(const cell& self) noexcept
{
    return static_cast<station&>(self.home().receiver());
}

template <class Message>
void station::send(pid to, Message&& message, pid sender)
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
void station::send_away(pid to, Message&& message, pid sender)
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
void station::answer(std::uint64_t token, Reply&& value)
{
    using stored = std::remove_cvref_t<Reply>;
    if (is_awaited_here(token)) [[likely]] {
        stored local(std::forward<Reply>(value));  // may throw, and then it is no answer
        if (reply_waiter* waiter = claim(token))
            waiter->take(&type_of<stored>, &local);
        return;
    }
    if constexpr (may_be_strand_bound<stored>)
        if (home_strand(value) != nullptr)
            refuse_to_leave_strand();
    if constexpr (type_of<stored>.is_inline)
        home_.send_filled(
            strand_of(token), [&](parcel& slot) { pack_inline<stored>(slot, token, value, {}, 0, 0); });
    else
        send_parcel(strand_of(token), pack(token, envelope::make(std::forward<Reply>(value))));
}

template <class Message>
void answer_alone(station& post, std::uint64_t token, pid receiver, void* body)
{
    auto& asked = *static_cast<Message*>(body);
    if constexpr (requires { asked.auto_reply(receiver); })
        post.answer(token, stored_reply<typename Message::reply>(asked.auto_reply(receiver)));
    else
        post.answer(token, stored_reply<typename Message::reply>(asked.auto_reply()));
}

}  // namespace costar
