// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/engine.hpp>
#include <costar/remote/figures.hpp>
#include <costar/remote/kinds.hpp>
#include <costar/remote/peers.hpp>
#include <costar/remote/refusal.hpp>
#include <costar/remote/senders.hpp>
#include <costar/remote/spawn.hpp>
#include <costar/wire/dictionary.hpp>

#include <boost/asio/append.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <capnp/capability.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace costar::remote {

class transport;

/// What can be chosen for a node.
struct node_options {
    /// Two living nodes that meet must not have one name; empty for one without. It has at most 255 bytes, no
    /// '/' and no control characters, and is no address: it stands before the names of actors, as in
    /// "node/name".
    std::string name{};

    /// Where it listens: "127.0.0.1:4711", "[::1]:0", "unix:/run/x.sock"; port 0 picks one. Empty for a node
    /// that only dials, and can be asked and answered all the same.
    std::string listen{};

    /// Where others dial it, if that is not where it listens: behind a container's or a router's port.
    std::string advertised{};

    /// Bytes of a message. The smaller one of both sides holds for both.
    std::uint32_t message_max = 4 * 1024 * 1024;

    /// How long a peer may take to connect and to greet, and a client until its first call.
    std::chrono::nanoseconds greeting_timeout = std::chrono::seconds(5);

    /// How often a peer is asked whether it is there, and how long nothing may come from it until it is lost.
    std::chrono::nanoseconds heartbeat = std::chrono::seconds(2);
    std::chrono::nanoseconds silence_max = std::chrono::seconds(10);

    /// How long an address is left alone when it could not be dialled; doubled each time, up to the second,
    /// which is not less than the first, and a quarter of it left to chance.
    std::chrono::nanoseconds pause_min = std::chrono::milliseconds(100);
    std::chrono::nanoseconds pause_max = std::chrono::seconds(30);

    /// Which nodes may stop, poison and restart actors of this one: `true` for all. Those that were spawned
    /// for a node, that node may always. Where an actor has ended already a stop is harmless, whoever wanted
    /// it: that is what is answered.
    peers lets_stop{};

    /// Which nodes, and programs that are none, may send which messages: all of them what is in the
    /// dictionary, unless this says otherwise. What another one sends is not decoded; it is answered with
    /// `errc::not_permitted` where somebody asks, and else is a dead letter with that reason. Answers to this
    /// node's own requests are always taken.
    senders sent_by{};

    /// What other nodes may have this one spawn, as far as they are permitted to; more come by `node::kind`.
    remote::kinds kinds{};

    /// Actors that live here and were spawned for one node, in all its lives. Nodes without a name count as
    /// one. A name that somebody has is `errc::name_in_use` also where there is no room.
    std::size_t spawned_max = 10'000;

    /// Messages that may wait for one peer, and their bytes; what is above becomes a dead letter with
    /// `errc::mailbox_full`, and `send_async` waits. Of answers four times these bytes may wait, 64 MiB at
    /// least, beside those that are on their way from other strands: whoever has asked for more gets
    /// `errc::mailbox_full`.
    std::uint32_t queue_max = 100'000;
    std::uint64_t queue_bytes_max = 64 * 1024 * 1024;

    /// Lives of other nodes that may be known.
    std::size_t lives_max = 65'536;

    /// Connections that others have dialled. Where there are as many, whoever comes takes the place of the
    /// one that has been there longest and has not said who it is; where all have, it is closed at once.
    /// Programs that are no nodes have three quarters of the places at most: the first call of one more fails
    /// as overloaded. There should be more descriptors (`ulimit -n`); where they run out, room is made
    /// likewise.
    std::size_t connections_max = 16'384;

    /// Names of the nodes with which this one has links, whoever dials; empty for all. And a function that
    /// says so of a name, called on any strand; empty for all. One that throws lets nobody in, and the log
    /// has a line of it. Over TLS a name is proven, else it is what a node says.
    std::vector<std::string> allowed{};
    std::function<bool(const std::string& name)> allows{};

    /// How it reaches others; null for TCP and Unix sockets. See `tls_transport`.
    std::shared_ptr<transport> network{};
};

/// A link to another node has been made.
struct peer_connected {
    std::string name;
    std::string address;
};

/// A link has ended, or could not be made.
struct peer_lost {
    std::string name;
    std::string address;
    std::string reason;
};

/// Two living nodes say that they can be dialled at one address, so that whoever dials it reaches one of
/// them: see `node_options::advertised`. Their links stay. It is told by a node that both have greeted, and
/// to the one that greets later; by both where they greet each other. Nodes without a name are left out, as
/// one may be the other begun anew.
struct address_shared {
    std::string address;
    std::string name;
    std::string other;  // empty where the node that has said so to this one is not among them
};

/// A request to another node has not been answered by its deadline. It is told when that is found: when the
/// answer comes after all, when the request is dropped before it is written, else by the next heartbeat.
struct request_overdue {
    std::string name;  // of the node
    std::string address;
    pid to;
    std::string type;

    /// Where the time went; until now where it has not come so far.
    request_times times;

    bool is_written = false;
    bool is_answered = false;
};

/// Another node wanted what it is not permitted to do; told once for each node and thing.
struct peer_denied {
    std::string name;
    std::string address;
    std::string what;
};

/// Makes an object of the program's own for a connection; see `node::offer`.
using service_factory = std::function<capnp::Capability::Client()>;

}  // namespace costar::remote

namespace costar::machine {

/// A link's mailbox has lost what was for another node: why, for those who know nothing of links.
constexpr errc reason_of_loss(errc lost) noexcept
{
    return lost == errc::mailbox_full ? lost : errc::unreachable;
}

/// Asks a link for an actor of its peer.
struct look_up {
    using reply = pid;
    std::string name;

    /// Who it is, where that is known.
    pid known{};

    /// There is no link, and so no dead letter either.
    errc bury(post_office& where, errc reason) noexcept;
};

}  // namespace costar::machine

namespace costar::remote {

/// Makes an engine a node: its actors send to, ask, watch and link actors of other nodes by their pids, as
/// their own.
///
///     engine actors;
///     remote::node node(actors, words, {.name = "a", .listen = "127.0.0.1:4711"});
///     const pid bob = node.find("127.0.0.1:4712/bob", use_future).get();
///     self.send(bob, greeting{"hello"});
///
/// There is a link to each peer, dialled when it is first needed, over which messages go in batches; one
/// actor's messages to another one arrive in order. A message arrives once or not at all. When a link is
/// lost, requests end with `errc::link_lost`, those that had not been sent with `errc::unreachable`, and who
/// watches is told `terminated` with `errc::unreachable`; what is sent afterwards dials anew, with longer and
/// longer pauses where nobody answers. A node that was started again is another one: addresses of its former
/// life are `errc::no_such_actor`.
///
/// Thread safety: any thread. Lifetime: made before its engine's actors need it, and destroyed before the
/// engine; an engine is one node at most, for good. What waits for peers is lost when it is destroyed;
/// `leave` comes first.
class node {
public:
    /// `words` are the messages that are sent and taken, nothing else is decoded.
    ///
    /// Errors: throws `std::invalid_argument` for options that make no sense, and for an address that is none
    /// or that nobody could dial,
    /// `std::logic_error` where the engine is a node already, `boost::system::system_error` where it cannot
    /// listen.
    node(engine& owner, wire::dictionary words, node_options options = {});
    node(const node&) = delete;
    node& operator=(const node&) = delete;
    ~node();

    /// Where it can be dialled; empty for one that does not listen.
    std::string address() const;

    const node_counters& counters() const noexcept;

    /// The nodes to which a link of this one has begun, in each of their lives, the newest last: also such as
    /// this one has let in and that have refused it then.
    std::vector<peer_figures> peers() const;

    /// The actor with a text form: "host:port/name", "unix:/run/x.sock:/name", or "node/name" by the name of
    /// a node that has been met, with any completion token; the signature is `void(error_code, pid)`. The
    /// node is dialled if there is no link yet.
    ///
    /// What was found is remembered until the actor or the link ends, so that asking again costs nothing on
    /// the wire.
    ///
    /// A text with the place of an actor, as "host:port/$0-3-1-LIFE", is read and nothing else: whether there
    /// is such an actor shows when it is asked.
    ///
    /// Errors: throws `std::invalid_argument` for a text of another form; `errc::unreachable`, also for a
    /// node that has not been met, `no_such_actor`, `timed_out`, `link_lost`, `too_large` for a name above
    /// `message_max`, `engine_stopped` after a shutdown of this node's engine.
    template <class Token>
    auto find(std::string_view where, Token&& token)
    {
        auto [link, wanted] = way_to(where);
        return owner_.ask(link, std::move(wanted), std::forward<Token>(token));
    }

    /// The same by the address of a node and the name of an actor.
    template <class Token>
    auto find(const std::string& address, std::string name, Token&& token)
    {
        return owner_.ask(link_at(address), machine::look_up{std::move(name)}, std::forward<Token>(token));
    }

    /// The text form of an actor of this node or another one: "host:port/name", with the name of the node
    /// where it does not listen. One whose name is not known here, or looks so itself, has
    /// "$strand-slot-generation-life" in its place, the life being that of its node. `find` reads it.
    ///
    /// A node that does not listen and has no name, or one that no text can hold, leaves the pid as it is
    /// here, which `find` does not read.
    std::string text_of(pid who) const;

    /// Offers a kind of actors to other nodes, as `kinds::add`.
    template <class Arguments, class Body>
        requires machine::actor_function<Body, Arguments>
    void kind(std::string name, Body body, kind_options options = {})
    {
        offer_kind(name, remote::kinds().add<Arguments>(name, std::move(body), std::move(options)));
    }
    template <class Body>
        requires machine::actor_function<Body>
    void kind(std::string name, Body body, kind_options options = {})
    {
        offer_kind(name, remote::kinds().add(name, std::move(body), std::move(options)));
    }

    /// Has another node spawn an actor of a kind that it offers, with any completion token; the signature is
    /// `void(error_code, pid)`.
    ///
    ///     node.spawn("10.0.0.2:4711", "worker", order{"tea"}, use_future);
    ///     node.spawn("10.0.0.2:4711", {.kind = "worker", .name = "anna"}, order{"tea"}, use_future);
    ///
    /// It is an actor of that node as any other: without a parent, it ends when its body does, and goes on
    /// when this node is lost. This one may stop, poison and restart it.
    ///
    /// Errors: throws what writing the arguments does. `errc::unknown_kind`, `not_permitted`,
    /// `not_understood` for arguments of another type, `malformed`, `too_large`, `name_in_use` with the pid
    /// of who has the name, `engine_stopped` by the engine there or this one, `too_many_actors`,
    /// `actor_failed` where the spawn threw: nothing was spawned; `unreachable` likewise. `timed_out` and
    /// `link_lost`: it may have been.
    template <wire::mapped Arguments, class Token>
    auto spawn(const destination& where, newcomer what, const Arguments& arguments, Token&& token)
    {
        return spawn_at(
            where, std::move(what), &wire::codec_of<Arguments>, &arguments, std::forward<Token>(token));
    }
    template <wire::mapped Arguments, class Token>
    auto spawn(const destination& where, std::string_view kind, const Arguments& arguments, Token&& token)
    {
        return spawn(where, newcomer{std::string(kind)}, arguments, std::forward<Token>(token));
    }
    template <class Token>
    auto spawn(const destination& where, newcomer what, Token&& token)
    {
        return spawn_at(where, std::move(what), nullptr, nullptr, std::forward<Token>(token));
    }
    template <class Token>
    auto spawn(const destination& where, std::string_view kind, Token&& token)
    {
        return spawn(where, newcomer{std::string(kind)}, std::forward<Token>(token));
    }

    /// Offers an object of an interface of one's own to the peers of this node, programs that are no nodes
    /// too, which find it by its name.
    ///
    ///     node.offer("bank", [&engine] { return kj::heap<bank>(engine); });
    ///
    /// Each connection gets one, made on its strand when it is first asked for; what `made` throws is logged,
    /// and the peer is told `errc::actor_failed`. Offering a name anew holds for the connections that have
    /// not asked for it, and an empty function ends the offer for them. Thread safety: any thread; `made` is
    /// called on all strands, several times at once.
    void offer(std::string name, service_factory made);

    /// Ends all links when what waits for their peers has arrived there, after `deadline` at the latest;
    /// completes with `void(error_code)`. New links are not accepted any more. What is sent afterwards dials
    /// anew. A link that its peer ends before, as it leaves too, is waited for no more, though not all may
    /// have arrived. Errors: `errc::engine_stopped` after a shutdown of the engine, which has ended the
    /// links.
    template <class Token>
    auto leave(std::chrono::nanoseconds deadline, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [&owner = owner_](auto handler, pid leaving) {
                if (leaving)
                    owner.wait(leaving, std::move(handler));
                else
                    asio::post(owner.get_executor(0),
                        asio::append(std::move(handler), make_error_code(errc::engine_stopped)));
            },
            token, spawn_leaving(deadline));
    }

private:
    template <class Token>
    auto spawn_at(const destination& where, newcomer what, const wire::codec* known, const void* arguments,
        Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, pid)>(
            [&owner = owner_](
                auto handler, pid link, machine::spawn_there wanted, std::chrono::nanoseconds timeout) {
                owner.ask(link, std::move(wanted), timeout,
                    machine::spawn_handler<decltype(handler)>(std::move(handler)));
            },
            token, node_at(where), machine::spawn_there_with(*board_, where, what, known, arguments),
            timeout_of(what));
    }

    std::pair<pid, machine::look_up> way_to(std::string_view where);
    pid node_at(const destination& where);
    std::chrono::nanoseconds timeout_of(const newcomer& what) const;
    void offer_kind(const std::string& name, const remote::kinds& one);
    pid link_at(const std::string& address);
    pid spawn_leaving(std::chrono::nanoseconds deadline);

    engine& owner_;
    std::shared_ptr<switchboard> board_;
    pid listener_;
    pid caretaker_;
};

}  // namespace costar::remote
