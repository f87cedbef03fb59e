// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/address.hpp>
#include <costar/actor/context.hpp>
#include <costar/ground/hash.hpp>
#include <costar/kernel/spawn_options.hpp>
#include <costar/post/envelope.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar {

/// To whom a router gives a message.
enum class routing : std::uint8_t {
    /// To one after the other.
    round_robin,

    /// To any, each as likely as the others.
    random,

    /// To the one that has let go of most of what it got: with the fewest messages of this router in flight.
    ///
    /// A message is in flight from when the router hands it over until its handle is destroyed at the routee,
    /// or at whoever that has forwarded it to. What others send to the routee is not counted.
    least_loaded,

    /// To the one that the message's key leads to: always the same, while others come and go.
    ///
    /// Routees get numbers in the order in which they come, a new one that of the one that left last, and a
    /// `costar::machine::consistent_hash` leads from a key to a number. It is even without tuning and spreads
    /// the keys of a routee that leaves over all others, which a ring does not, and is logarithmic in the
    /// routees, which rendezvous hashing is not. Two routers lead a key to the same routee when theirs have
    /// come and gone in the same order.
    ///
    /// No routee gets more than `load_bound` times its even share of what is in flight; the key's next
    /// choices get the rest (Mirrokni, Thorup and Zadimoghaddam, Consistent Hashing with Bounded Loads,
    /// 2018). Cost: with a bound b at most b / (b - 1) choices on average, five with 1.25; with a bound of 1
    /// all routees may have to be asked.
    consistent_hash,

    /// To all, in copies. A request is answered when all have answered it, with the last answer; with the
    /// first error as soon as there is one.
    broadcast,

    /// To all, in copies. A request is answered with the first answer; with the last error when all have
    /// failed. The other answers are dropped, and are not counted as late.
    scatter_gather_first,
};

/// The keys of messages that declare none: `hash_keys([](const order& o) { return o.customer; }, ...)`.
///
/// Each function takes a message by constant reference and gives a number or a text. They are called on the
/// router's strand. A message's own `hash_key() const` comes second.
class hash_keys {
public:
    hash_keys() = default;

    template <class... Keys>
        requires(sizeof...(Keys) > 0)
    explicit hash_keys(Keys... keys)
    {
        (add(std::move(keys)), ...);
    }

    /// The hash of a message's key; nothing when it has none.
    std::optional<std::uint64_t> hash_of(machine::envelope& sent) const;

private:
    struct entry {
        const machine::message_type* type;
        std::function<std::uint64_t(const void*)> hash;
    };

    template <class Key>
    void add(Key key)
    {
        using message = typename machine::handler_signature<Key>::message;
        static_assert(any_message<message>, "a key is of one message type");
        entries_.push_back({&machine::type_of<message>, [key = std::move(key)](const void* body) {
                                return stable_hash(key(*static_cast<const message*>(body)));
                            }});
    }

    std::vector<entry> entries_;
};

/// What can be chosen for a router.
struct router_options {
    routing strategy = routing::round_robin;

    /// How the router itself is spawned; its name is the router's.
    spawn_options actor = {};

    /// How the routees of a pool are spawned. They get automatic names.
    spawn_options routee = {};

    /// For `consistent_hash`, see there. 0 for no bound: then nothing is counted.
    double load_bound = 1.25;

    /// For `consistent_hash`, the keys of messages.
    hash_keys keys = {};

    /// For `random`; drawn when it is not given.
    std::optional<std::uint64_t> seed = {};
};

/// To a router: gives it one more routee. Nothing happens when it is one.
struct add_routee {
    using reply = void;
    pid who;
};

/// To a router: takes a routee away. One that the router has spawned is poisoned: it ends behind the messages
/// it has.
struct remove_routee {
    using reply = void;
    pid who;
};

/// To a router: who are its routees?
struct get_routees {
    using reply = std::vector<pid>;
};

/// To the router of a pool: spawns routees, or takes the youngest away, until there are `size`.
struct resize_pool {
    using reply = void;
    std::size_t size;
};

/// To a router: gives the message in it to all routees, whatever the strategy. Nobody is answered. One whose
/// message was taken out, as when it was moved from or handled before, becomes a dead letter.
class broadcast {
public:
    template <class Message>
        requires(!std::same_as<std::remove_cvref_t<Message>, broadcast>)
    explicit broadcast(Message&& message) : sent_(machine::envelope::make(std::forward<Message>(message)))
    {
        static_assert(
            is_copyable<std::remove_cvref_t<Message>>, "what is sent to several actors must be copyable");
        static_assert(!is_strand_bound<std::remove_cvref_t<Message>>,
            "what belongs to a strand cannot be sent to actors of others");
    }

    /// Gives the message away.
    machine::held_envelope release() noexcept { return std::move(sent_); }

private:
    machine::held_envelope sent_;
};

}  // namespace costar

namespace costar::machine {

/// What a router begins with.
struct router_setup {
    router_options options;
    std::vector<pid> members;
    std::size_t size = 0;

    /// Spawns a routee; empty for a group.
    std::function<pid(context&, const spawn_options&)> spawn;

    /// The routees that it had spawned when it was begun anew; all its lives know the same list.
    std::shared_ptr<std::vector<pid>> kept = std::make_shared<std::vector<pid>>();
};

/// The body of a router; `spawn_pool` and `spawn_group` spawn it.
///
/// A router is an actor: it has a mailbox, runs on its own strand, and is stopped, named and restarted as any
/// other. What it does not know it hands on, with sender, deadline and the way of the answer as they are.
///
/// Order: messages of one sender that go to the same routee arrive in their order.
/// Errors: without a routee a message becomes a dead letter with `errc::no_such_actor`, and its asker is told
/// at once. One that must be copied and cannot be, or has no key, becomes one with `errc::not_understood`,
/// and a line of the log. A routee that ends leaves; one that is restarted stays.
/// Lifetime: the routees of a pool are children of its router, and are stopped with it; to have them finish
/// what they hold, send `broadcast(poison_pill())`. A router that is restarted begins with the routees it was
/// spawned with; with `restart_policy::keep_children` it goes on with those of its pool that live, and spawns
/// as many as its first size is short of.
/// Cost: a receive and a forward, about 50 ns; 30 ns more for a message that is counted or whose answer
/// passes the router, which those of the first two strategies do not. The number of routees counts where all
/// of them get the message; the least loaded and that of a key are found in logarithmic time, and one routee
/// more or less costs no more among many.
struct router {
    task<> operator()(context& self, router_setup setup) const;
};

/// Names the router of a pool of `Actor` in an `address`: it takes what its routees take, and what routers
/// do.
template <class Actor>
struct router_of {};

template <class Message>
inline constexpr bool understood_by_routers = std::same_as<Message, add_routee> ||
    std::same_as<Message, remove_routee> || std::same_as<Message, get_routees> ||
    std::same_as<Message, resize_pool> || std::same_as<Message, broadcast>;

template <class Message, class Actor>
inline constexpr bool understood_by<Message, router_of<Actor>> =
    handles<Actor, Message> || understood_by_routers<Message> || std::same_as<Message, Actor>;

/// Can `Where` spawn actors? An engine, or the context of the actor whose child the router is to be.
template <class Where>
concept spawns_actors = std::derived_from<Where, spawner<Where>>;

}  // namespace costar::machine

namespace costar {

/// Spawns a router and its pool: `size` actors with one body each, on copies of `args`. An empty `name` is
/// replaced by an automatic one.
///
/// `spawn_pool(self, "workers", 5, worker, database)`, or with options:
/// `spawn_pool(self, "workers", 5, {.strategy = routing::least_loaded}, worker, database)`. Each routee
/// handles one message at a time, also while it awaits, so a pool limits how much is done at once.
///
/// Errors: as `spawn`.
template <machine::spawns_actors Where, class Function, class... Args>
    requires machine::actor_function<Function, Args...>
pid spawn_pool(Where& where, std::string_view name, std::size_t size, router_options options, Function body,
    Args&&... args)
{
    static_assert((std::is_copy_constructible_v<std::decay_t<Args>> && ...),
        "every routee gets a copy of the arguments");
    options.actor.name = name;
    const spawn_options actor = options.actor;
    return where.spawn(actor, machine::router(),
        machine::router_setup{std::move(options), {}, size,
            [body, ... args = std::decay_t<Args>(std::forward<Args>(args))](
                context& self, const spawn_options& routee) { return self.spawn(routee, body, args...); }});
}

template <machine::spawns_actors Where, class Function, class... Args>
    requires machine::actor_function<Function, Args...>
pid spawn_pool(Where& where, std::string_view name, std::size_t size, Function body, Args&&... args)
{
    return spawn_pool(where, name, size, router_options(), std::move(body), std::forward<Args>(args)...);
}

/// Spawns a router and a pool of actors of a class: `spawn_pool<worker>(self, "workers", 5)`.
template <class Actor, machine::spawns_actors Where, class... Args>
address<machine::router_of<Actor>> spawn_pool(
    Where& where, std::string_view name, std::size_t size, router_options options = {}, Args&&... args)
{
    static_assert((std::is_copy_constructible_v<std::decay_t<Args>> && ...),
        "every routee gets a copy of the arguments");
    options.actor.name = name;
    const spawn_options actor = options.actor;
    return address<machine::router_of<Actor>>(where.spawn(actor, machine::router(),
        machine::router_setup{std::move(options), {}, size,
            [... args = std::decay_t<Args>(std::forward<Args>(args))](
                context& self, const spawn_options& routee) -> pid {
                return self.template spawn<Actor>(routee, args...);
            }}));
}

/// Spawns a router in front of actors that exist: `spawn_group(self, "mirrors", {a, b, c})`. They go on
/// without it.
///
/// Errors: as `spawn`.
template <machine::spawns_actors Where>
pid spawn_group(Where& where, std::string_view name, std::vector<pid> members, router_options options = {})
{
    options.actor.name = name;
    const spawn_options actor = options.actor;
    return where.spawn(
        actor, machine::router(), machine::router_setup{std::move(options), std::move(members), 0, {}});
}

}  // namespace costar
