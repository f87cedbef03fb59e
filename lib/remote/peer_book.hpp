// SPDX-License-Identifier: MIT

#pragma once

#include "election.hpp"
#include "letter.hpp"

#include <costar/kernel/cell.hpp>
#include <costar/post/pid.hpp>
#include <costar/remote/node.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace costar::remote {

/// What has gone over the links to a node.
///
/// Thread safety: any thread.
struct link_counters {
    std::atomic<std::uint64_t> links{0};
    std::atomic<std::uint64_t> links_now{0};
    std::atomic<std::int64_t> changed_at{0};  // nanoseconds of the system's clock
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> bytes_sent{0};
    std::atomic<std::uint64_t> bytes_received{0};
    std::atomic<std::int64_t> round_trip{0};  // nanoseconds

    // Of a request, on average (nanoseconds).
    std::atomic<std::int64_t> until_taken{0};
    std::atomic<std::int64_t> until_written{0};
    std::atomic<std::int64_t> until_answered{0};
    std::atomic<std::uint64_t> overdue{0};
};

/// A node in one of its lives, as this process knows it.
struct peer {
    std::uint32_t number = 0;
    std::uint64_t life = 0;

    /// Where it can be dialled; empty for one that does not listen.
    std::string address;

    std::string name{};

    /// Has it greeted this node?
    bool is_met = false;

    /// Of its greeting.
    std::size_t unknown_features = 0;

    std::shared_ptr<waiting_letters> waiting = std::make_shared<waiting_letters>();
    std::shared_ptr<link_counters> counters = std::make_shared<link_counters>();
};

/// Somebody who watches across a link.
struct watch_across {
    pid target;
    machine::end_watcher watcher;
    friend bool operator==(const watch_across&, const watch_across&) = default;

    struct hash {
        std::size_t operator()(const watch_across& each) const noexcept
        {
            return std::hash<pid>()(each.target) * 31 + machine::end_watcher::hash()(each.watcher);
        }
    };
};

/// The lives that were heard of, each with the number that its pids have here, the links, and what they
/// carry.
///
/// Of lives that have not been met, only the last that each node has told of are kept; where there are too
/// many that were met, those without a link are forgotten, the first ones first. Pids of a life that is
/// forgotten lead nowhere.
///
/// Thread safety: any thread.
class peer_book {
public:
    explicit peer_book(std::size_t lives_max) : lives_max_(lives_max) {}

    /// The node with this life, entered when it is new; null when there are too many links. What others say
    /// of its address counts until it has spoken itself; `teller` is the number of the node that does.
    std::shared_ptr<const peer> enter(
        std::uint64_t life, const std::string& address, std::uint32_t teller = 0);

    /// The node with this life, null where it is not known.
    std::shared_ptr<const peer> find_life(std::uint64_t life) const;
    std::shared_ptr<const peer> enter_greeted(std::uint64_t life, const std::string& address,
        const std::string& name, std::size_t unknown_features = 0);

    /// May a node of this name greet with this life? One that is known keeps its name: lives are no secret,
    /// and who has another one's would be taken for it.
    bool may_be(std::uint64_t life, const std::string& name) const;

    /// A node and who has the link to it: null where it is unknown, nobody when there is no link.
    struct way {
        std::shared_ptr<const peer> to;
        pid link;
    };
    way find(std::uint32_t number) const;

    /// Grows whenever another way may be found to a node.
    std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

    /// The same for the node that has greeted last by this name.
    way find_name(const std::string& name) const;

    /// Who has the link to an address, nobody when there is none. For a node with this number, if it is known
    /// to be there, it is used from now on.
    pid join(const std::string& address, std::uint32_t number);

    /// Has an actor that dials be the link to an address, unless there is one: gives whose it is. To the node
    /// with this number, if it is known to be there, it is used from now on.
    pid claim(const std::string& address, std::uint32_t number, pid dialling);

    /// A link has been greeted by a node. It is used unless there is one, so that what was sent before stays
    /// in front. But where the peer dials again its former connection is dead: gives whose that was. For
    /// peers that do not elect.
    std::vector<pid> greeted(std::uint32_t number, pid link, bool has_dialled);

    /// A link hears from whom it is, which elects.
    void meet(std::uint32_t number, candidate one);

    /// What it tells of other connections with this node.
    std::vector<std::uint64_t> told_to(std::uint32_t number, pid link) const;

    /// Now, for who says hello.
    std::uint64_t turn();

    /// What comes of a link: to whom it yields, with all that leads to it, nobody where it is used; and then
    /// those that were before it, which are dead, and those that still dial the same node, which may yield.
    struct verdict {
        pid yields_to{};
        std::vector<pid> former{};
        std::vector<pid> dialling{};
    };

    /// It has dialled, and is welcome.
    verdict elect(std::uint32_t number, pid link, const election::ballot& cast);

    /// The peer has dialled it, and uses it.
    verdict use(std::uint32_t number, pid link);

    /// A link that dials yields to the one that is used to the same node: gives which, nobody where none is.
    pid yield(pid link);

    std::vector<pid> links() const;

    /// Of those to which there has been a link.
    std::vector<peer_figures> figures() const;

    /// A link that takes messages of a node.
    struct taker {
        pid link;
        std::uint64_t number = 0;  // of the link, as the peer counts
    };

    /// It takes them from now on, unless another one has that is not `ended`: gives which that is.
    taker take_over(std::uint32_t number, pid ended, taker link);

    /// A link has the node that is called so, until it is forgotten. False where another node that has a link
    /// is called so: but one at the same address has begun anew there, and the former one is gone.
    bool take_name(const std::string& name, std::uint64_t life, const std::string& address, pid link);

    /// The name of another node with a link that says of itself that it can be dialled there; empty for none.
    std::string other_at(const std::string& address, const std::string& name) const;

    /// News of an end take the way on which the watch came.
    void route(const watch_across& watch, pid link);
    pid route_of(const watch_across& watch) const;

    /// False where another link has the watch by now.
    bool unroute(const watch_across& watch, pid link);

    /// An address could not be dialled, or was: it is left alone for longer and longer, and not any more. A
    /// quarter of the pause is left to chance, so that those who lost a node do not come back together.
    void rest(const std::string& address, std::uint64_t now, std::uint64_t pause_min, std::uint64_t pause_max,
        std::uint64_t chance = 0);
    void reached(const std::string& address);

    /// Is it left alone at this time?
    bool rests(const std::string& address, std::uint64_t now) const;

    /// Forgets a link; and one that has dialled by its address too, when its actor ends, which may be before
    /// it has been claimed. `number` is that of its node. What leads to it leads to another one
    /// to the same node, if there is one.
    void forget(pid link, std::uint32_t number = 0);
    void forget_dialling(pid link);

private:
    struct entry {
        pid link;
        bool has_dialled = false;
    };
    struct pause {
        std::uint64_t length = 0;  // nanoseconds
        std::uint64_t until = 0;
    };

    struct holder {
        std::uint64_t life = 0;
        std::string address;
        std::set<pid> links;
    };

    void change() noexcept { version_.fetch_add(1, std::memory_order_release); }
    void lead(std::uint32_t number, pid dialling);
    verdict take(std::uint32_t number, pid link);
    pid dialling_to(std::uint32_t number) const;
    void hand_over(pid link, const candidate& to);
    void forget_use(pid link);
    void forget_name(pid link);
    std::shared_ptr<const peer> add(std::uint64_t life, const std::string& address);
    bool make_room();
    void erase(std::uint64_t life);

    const std::size_t lives_max_;
    mutable std::shared_mutex mutex_;
    std::atomic<std::uint64_t> version_{1};
    std::unordered_map<std::uint64_t, std::shared_ptr<const peer>> by_life_;
    std::unordered_map<std::uint32_t, std::shared_ptr<const peer>> by_number_;
    std::map<std::string, std::uint32_t> by_name_;
    std::unordered_map<std::uint32_t, std::deque<std::uint64_t>> told_by_;  // lives, by who has told of them
    std::deque<std::uint64_t> met_;                                         // lives
    std::unordered_map<std::uint32_t, taker> taken_by_;
    std::unordered_map<std::uint32_t, entry> links_;
    std::unordered_map<std::uint32_t, election> elections_;
    std::uint64_t turns_ = 0;
    std::map<std::string, pid> dialled_;
    std::map<std::string, pid> yielded_;  // to whom those have that had dialled
    std::set<pid> yielding_;              // those that have
    std::set<pid> ended_;                 // before they were claimed
    std::map<std::string, holder> names_;
    std::map<std::string, pause> pauses_;
    std::unordered_map<watch_across, pid, watch_across::hash> routes_;
};

}  // namespace costar::remote
