// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/post_office.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace costar::machine {

/// A search along the actors that wait for each other's answers.
struct circle_chase;

/// The actors of one strand: their births, families and ends, and their post.
///
/// Thread safety: all inside the strand's turn, unless said otherwise.
class station final : public post_office, public task_owner {
public:
    station(commons& shared, strand_context& home);
    ~station();

    /// The station of a cell.
    static station& of(const cell& self) noexcept;

    // Births
    // -----------------------------------------------------------------------------------------------------

    /// A new cell for an actor of this strand, with the face `Face`, which is made of a cell and has nothing
    /// to destroy besides.
    template <class Face>
    cell& open()
    {
        return make<Face>(cells_.occupy_free());
    }

    /// A pid for an actor that another thread or strand will have born here. Thread safety: from any thread.
    pid reserve() noexcept { return cells_.reserve(); }

    /// Gives a reserved pid back of which nothing came. Thread safety: from any thread.
    void give_back(pid reserved) noexcept { cells_.give_back(reserved); }

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

    /// The parts of the above that are done where the other actor lives, be it that of another node.
    void add_watcher(pid target, end_watcher added);
    void remove_watcher(pid target, end_watcher removed);
    void tell_watcher(end_watcher told, pid ended, errc reason);

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

    /// Says that the strand is busy; and with whom, where `turn_options::hog_limit` lets it know. Thread
    /// safety: from any thread.
    std::string busy_line() const;

    /// One line for each actor that lives: who it is, what it waits for, from where.
    std::vector<std::string> dump() const;

    /// Destroys all actors where they stand. After the last turn.
    void destroy_all() noexcept;

    /// The circle that a request was refused for; once.
    std::string take_circle(const reply_waiter& refused);

    void reap(run_node& ended) noexcept override;
    run_identity identify(root_scope& root) noexcept override;
    bool is_mailbox(const run_node& node, const root_scope& root) const noexcept override;
    void report_hog(run_identity who, std::chrono::nanoseconds spent) noexcept override;
    void task_ended(promise_base& promise) noexcept override;

private:
    friend class post_office;

    static std::string automatic_name(pid id);

    using place = cell_table::place;

    place occupy_or_give_up(pid reserved, pid parent, registry::entry* name) noexcept;

    template <class Face>
    cell& make(place where) noexcept
    {
        static_assert(sizeof(Face) == sizeof(cell));
        return *::new (where.memory) Face(home_, where.slot, where.generation);
    }

    directive decision_for(cell& self, const std::exception_ptr& failure) noexcept;
    void fail_from_afar(cell& self, std::exception_ptr failure, bool matters_in_pause) noexcept;
    void request_restart(cell& target) noexcept;
    void treat_siblings(cell& self, directive what) noexcept;
    void treat_siblings(std::uint32_t parent_slot, pid failed, strategy how, directive what) noexcept;
    bool may_restart(cell& self, const std::exception_ptr& failure) noexcept;
    void end_wait(cell& self) noexcept;
    void stop_here(cell& target) noexcept;
    void stop_between_lives(cell& target) noexcept;
    static bool has_family(const cell& self) noexcept;
    bool is_looked_at() const noexcept;
    void begin_specially(cell& born, pid parent, task<> body, const actor_kind& kind);
    bool begin_body(cell& self, task<> body) noexcept;
    void start_body(cell& self, task<> body) noexcept;
    void could_not_begin(cell& self, const std::exception_ptr& failure) noexcept;
    void escalate(cell& self, const std::exception_ptr& failure) noexcept;
    std::chrono::nanoseconds pause_before(cell& self) noexcept;
    static bool keeps_children_at_all(const cell& self) noexcept;
    static bool keeps_children(const cell& self) noexcept
    {
        return self.begin_again && keeps_children_at_all(self) && !self.rare()->ends_children;
    }

    void follow_circle(circle_chase chase) noexcept;
    bool follow_waits(cell& at, circle_chase& chase);
    bool is_descendant(cell& ancestor, pid who) const noexcept;
    void refuse(circle_chase chase);
    void take_back(pid from, std::uint64_t token) noexcept;

    void tell_watchers(cell& self, pid id, errc reason);

    void release(cell& ended) noexcept;
    cell* find_or_answer(pid target, std::uint64_t token);
    void queue_reap(cell& self) noexcept;
    cell* join_family(cell& born, pid parent) noexcept;
    cell* become_sibling(cell& born, std::uint32_t& first) noexcept;
    void queue_birth(cell& born, cell* elder) noexcept
    {
        if (elder != nullptr && elder->is_unborn())
            home_.make_fresh_behind(*elder, *elder, born, born);
        else
            home_.make_fresh(born, born);
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
    std::string family_of(cell& self) const;

    std::uint32_t first_root_ = cell::nobody;
    std::function<void()> all_stopped_;
    std::string watched_name_;  // of who is running, where somebody wants to know who keeps the strand
    std::unordered_map<const reply_waiter*, std::string> circles_;  // why their requests are refused
};

inline station& station::of(const cell& self) noexcept
{
    return static_cast<station&>(self.home().receiver());
}

inline station& post_office::whole() noexcept
{
    return static_cast<station&>(*this);
}

template <class Continue>
bool post_office::goes_on_at(pid where, Continue go_on)
{
    if (where.node() != node_ || !is_known(where.strand()))
        return false;
    if (where.strand() == strand_)
        return is_to_be_born(where) && goes_on_after_birth([this, go_on] { go_on(whole()); });
    station& theirs = *shared_.stations[where.strand()];
    theirs.home().post([&theirs, go_on] { go_on(theirs); });
    return true;
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

}  // namespace costar::machine
