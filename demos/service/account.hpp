// SPDX-License-Identifier: MIT

#pragma once

#include "figures.hpp"
#include "ledger.hpp"
#include "options.hpp"

#include <costar/actor/context.hpp>
#include <costar/core/task.hpp>
#include <costar/post/pid.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace service {

// What an account understands. Steps have an identity, so that one whose answer was lost in a crash is asked
// for again.

struct credit {
    using reply = receipt;
    order asked;
};

struct hold {
    using reply = receipt;
    order asked;
};

struct settle {
    using reply = void;
    step_id step;
};

struct release {
    using reply = receipt;
    step_id step;
};

/// Sent when the outcome of a step has been heard.
struct forget {
    step_id step;
};

/// Sent when it has not been heard in time; the client has a key, and may ask again.
struct keep {
    step_id step;
};

struct read_balance {
    using reply = std::int64_t;
};

/// From now on the sender gets `balance_changed`, first with the balance of now, until it sends `unwatch`.
/// Where changes come faster than all can be told of them, some are left out, never the newest.
struct watch {};
struct unwatch {};

struct balance_changed {
    std::int64_t balance;
};

/// Makes the account crash: at once, or later, when it has written its next step down and not yet answered.
struct crash {
    using reply = void;
    bool after_next_step;
};

/// Lets the account see what nobody needs any more.
struct look_for_use {};

/// Waits behind a crash: what the last life had begun goes on.
struct go_on {};

/// Those who watch an account, and the changes that not all of them have been told.
///
/// A change goes to a batch of watchers at a time, for each of them costs a system call or two: what else the
/// strand has to do comes in between. So many watchers and fast changes are more than can be told; then each
/// gets the newest balance whenever its turn comes.
class audience {
public:
    bool empty() const noexcept { return watchers_.empty(); }
    void add(costar::pid who) { watchers_.push_back({who, end()}); }
    void remove(costar::pid who);

    /// A change that is going to be told. Who is more than `behind_max` changes behind misses all but the
    /// newest.
    void note(std::int64_t balance);

    /// Tells a batch. True when everybody has been told everything.
    bool tell_some(costar::context& self);

    bool is_being_told = false;

    static constexpr std::size_t batch = 64;
    static constexpr std::size_t behind_max = 64;

private:
    struct watcher {
        costar::pid who;
        std::uint64_t next;  ///< the number of the change that it is told next
    };

    std::uint64_t end() const noexcept { return first_ + changes_.size(); }

    std::vector<watcher> watchers_;
    std::deque<std::int64_t> changes_;
    std::uint64_t first_ = 0;  // the number of the first of changes_
    std::size_t turn_ = 0;
};

/// What lasts of an account when its actor crashes.
struct committed {
    ledger book;
    std::unique_ptr<audience> watchers;  ///< since the first one came: most accounts never have one

    bool is_watched() const noexcept { return watchers != nullptr && !watchers->empty(); }
};

/// What all accounts share.
struct bank_rules {
    const service::options* options;
    std::vector<tally>* tallies;  ///< one for each strand
};

/// One account: an actor that begins anew after a crash, with what it had committed.
///
/// What would be on a disk elsewhere lies in `committed`: the actor is spawned with a pointer to it, and a
/// restarted actor gets the arguments it was spawned with again. An account that nobody needs, without money,
/// watchers and keys, ends after a while.
class account {
public:
    account(std::shared_ptr<committed> kept, bank_rules rules) : kept_(std::move(kept)), rules_(rules)
    {
        if (kept_->watchers != nullptr)
            kept_->watchers->is_being_told = false;  // whoever did has ended with the last life
    }

    receipt operator()(costar::context& self, const credit& asked);
    receipt operator()(costar::context& self, const hold& asked);
    void operator()(costar::context& self, const settle& asked);
    receipt operator()(costar::context& self, const release& asked);
    void operator()(const forget& asked) { kept_->book.forget(asked.step); }
    void operator()(costar::context& self, const keep& asked);
    std::int64_t operator()(read_balance) const { return kept_->book.balance(); }
    void operator()(costar::context& self, watch);
    void operator()(costar::context& self, unwatch);
    void operator()(costar::context& self, crash asked);
    void operator()(costar::context& self, look_for_use);
    void operator()(costar::context& self, go_on);

private:
    /// Tells the watchers if the balance is no longer `before`, and crashes when it was told to.
    void written_down(costar::context& self, std::int64_t before);
    void crash_if_due(costar::context& self);
    void tell_watchers(costar::context& self);

    /// Looks later, if there is something to be thrown away then: keys, or the account itself.
    void look_again(costar::context& self);

    /// Is there room for another key, in all accounts together?
    bool has_room(const order& asked) const noexcept;

    /// Counts the keys after a change; there were `before`.
    void count_keys(costar::context& self, std::size_t before);
    tally& counts(const costar::context& self) const { return (*rules_.tallies)[self.pid().strand()]; }

    std::shared_ptr<committed> kept_;
    bank_rules rules_;
    bool crashes_after_next_step_ = false;
    bool looks_again_ = false;
};

}  // namespace service
