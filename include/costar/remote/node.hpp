// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/engine.hpp>
#include <costar/wire/dictionary.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace costar::remote {

class transport;

/// What can be chosen for a node.
struct node_options {
    /// Two living nodes that meet must not have one name; empty for one without.
    std::string name{};

    /// Where it listens: "127.0.0.1:4711", "[::1]:0"; port 0 picks one. Empty for a node that only dials, and
    /// can be asked and answered all the same.
    std::string listen{};

    /// Where others dial it, if that is not where it listens: behind a container's or a router's port.
    std::string advertised{};

    /// Bytes of a message. The smaller one of both sides holds for both.
    std::uint32_t message_max = 4 * 1024 * 1024;

    /// How long a peer may take to connect and to greet.
    std::chrono::nanoseconds greeting_timeout = std::chrono::seconds(5);

    /// How often a peer is asked whether it is there, and how long nothing may come from it until it is lost.
    std::chrono::nanoseconds heartbeat = std::chrono::seconds(2);
    std::chrono::nanoseconds silence_max = std::chrono::seconds(10);

    /// How long an address is left alone when it could not be dialled; doubled each time, up to the second.
    std::chrono::nanoseconds pause_min = std::chrono::milliseconds(100);
    std::chrono::nanoseconds pause_max = std::chrono::seconds(30);

    /// May other nodes stop and restart actors of this one?
    bool lets_stop = false;

    /// Messages that may wait for one peer, and their bytes; what is above becomes a dead letter with
    /// `errc::mailbox_full`, and `send_async` waits.
    std::uint32_t queue_max = 100'000;
    std::uint64_t queue_bytes_max = 64 * 1024 * 1024;

    /// Lives of other nodes that may be known.
    std::size_t lives_max = 65'536;

    /// How it reaches others; null for TCP.
    std::shared_ptr<transport> network{};
};

/// What has come and gone since the node began: envelopes, and the batches in which they went; those that
/// were lost on the way, or could not be delivered.
struct node_counters {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> lost{0};
};

/// What is known of another node, and what has gone over the links to it.
struct peer_figures {
    std::string name;
    std::string address;

    /// Is there a link? And since when there is one, or none.
    bool is_connected = false;
    std::chrono::system_clock::time_point since{};

    /// Links that were made; messages, requests and answers, the batches in which they went, and bytes of all
    /// that was said.
    std::uint64_t links = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t batches = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;

    /// What waits for it.
    std::uint32_t waiting = 0;
    std::uint64_t bytes_waiting = 0;

    /// How long the last heartbeat took, there and back; 0 before the first.
    std::chrono::nanoseconds round_trip{0};
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

class switchboard;

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

    /// There is no link, and so no dead letter either.
    errc bury(post_office&, errc reason) noexcept { return reason_of_loss(reason); }
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
    /// Errors: throws `std::invalid_argument` for an address that is none or that nobody could dial,
    /// `std::logic_error` where the engine is a node already, `boost::system::system_error` where it cannot
    /// listen.
    node(engine& owner, wire::dictionary words, node_options options = {});
    node(const node&) = delete;
    node& operator=(const node&) = delete;
    ~node();

    /// Where it can be dialled; empty for one that does not listen.
    std::string address() const;

    const node_counters& counters() const noexcept;

    /// The nodes that this one has had links to, in each of their lives, the newest last.
    std::vector<peer_figures> peers() const;

    /// The actor of another node, "host:port/name", with any completion token; the signature is
    /// `void(error_code, pid)`. The node is dialled if there is no link yet.
    ///
    /// Errors: throws `std::invalid_argument` for a text of another form; `errc::unreachable`,
    /// `no_such_actor`, `timed_out`.
    template <class Token>
    auto find(std::string_view where, Token&& token)
    {
        const auto [link, name] = link_to(where);
        return owner_.ask(link, machine::look_up{name}, std::forward<Token>(token));
    }

    /// Ends all links when what waits for their peers has arrived there, after `deadline` at the latest;
    /// completes with `void(error_code)`. New links are not accepted any more. What is sent afterwards dials
    /// anew.
    template <class Token>
    auto leave(std::chrono::nanoseconds deadline, Token&& token)
    {
        return owner_.wait(spawn_leaving(deadline), std::forward<Token>(token));
    }

private:
    std::pair<pid, std::string> link_to(std::string_view where);
    pid spawn_leaving(std::chrono::nanoseconds deadline);

    engine& owner_;
    std::shared_ptr<switchboard> board_;
    pid listener_;
};

}  // namespace costar::remote
