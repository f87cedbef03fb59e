// SPDX-License-Identifier: MIT

#pragma once

#include "bulk_lane.hpp"
#include "handing_over.hpp"
#include "owed_answer.hpp"
#include "pid_places.hpp"
#include "switchboard.hpp"
#include "waiting_senders.hpp"

#include <costar/actor/context.hpp>
#include <costar/kernel/reply_table.hpp>
#include <costar/rpc/connection.hpp>
#include <costar/rpc/direct_calls.hpp>
#include <costar/rpc/nothrow.hpp>

#include <boost/container/deque.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <capnp/message.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace costar::remote {

class link;

/// What a link is told: the peer has gone or has another link; and by itself, something has been put into its
/// queue.
struct link_ended {
    static constexpr bool is_control = true;
    std::string why;
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};
struct queue_filled {
    static constexpr bool is_control = true;
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

/// Where those find the link whom the peer calls; it may have ended before they do.
struct link_place {
    link* there = nullptr;

    /// What the peer has proven, where that is asked for.
    std::optional<std::vector<std::string>> proven_names{};

    /// Why one of both was not let in, and whether the peer says so.
    refusal refused = refusal::none;
    bool by_peer = false;
    std::string peer_name{};

    // What a client has this node keep: actors that it was given, and its requests that are under way.
    std::size_t actors = 0;
    std::size_t requests = 0;
    std::size_t request_bytes = 0;
};

/// Who is on the other side, as its first call says.
enum class caller_kind {
    /// It has not called yet.
    unknown,

    /// It has said hello, or was dialled.
    node,

    /// It has asked for an actor or a service at first, and is a program that is no node.
    client,
};

/// A message of which parts have come.
struct unfinished {
    pid to;
    pid sender;
    std::uint32_t size = 0;
    capnp::MallocMessageBuilder envelope{64};
    std::vector<kj::byte> body;
};

/// Why a call to the peer has come to nothing, as its handler says that catches what it has thrown.
errc reason_of_failed_call() noexcept;

/// A reason that a peer gives. What means something to this node's own alone is a failure there.
errc reason_from(std::uint16_t number) noexcept;

/// As a queue takes them from memory and gives them back.
using letters_of_a_block = boost::container::deque_options<boost::container::block_size<64>>::type;

using watches = std::unordered_set<watch_across, watch_across::hash>;

/// What a peer may have this node keep for it.
inline constexpr std::size_t owed_max = 100'000;
inline constexpr std::size_t watches_max = 100'000;
inline constexpr std::size_t letter_bytes_max = std::size_t{64} * 1024 * 1024;
inline constexpr std::size_t spare_body_kept = std::size_t{4} * 1024 * 1024;
inline constexpr unsigned batch_max = 4096;
inline constexpr unsigned sinks_max = 12;

/// One connection to one peer; it lies in the frame of its actor.
///
/// Thread safety: on the strand of its actor.
class link final : private machine::direct_user {
public:
    link(context& self, switchboard& board, rpc::connection connection, std::shared_ptr<link_place> place,
        std::string address, bool has_dialled);
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    ~link() noexcept;

    /// Greets, and carries what comes until the peer has gone. Says why it has ended.
    task<std::string> serve();

    const std::string& peer_name() const noexcept { return peer_name_; }
    const std::string& why_ended() const noexcept { return why_ended_; }

    /// Has the peer been found to be one?
    bool was_greeted() const noexcept { return was_greeted_; }

    /// Has it let go of its connection, since another one to the same node is used? Gives whose that is.
    pid yielded_to() const noexcept { return yielded_to_; }

    /// Has the peer dialled it, said nothing but a greeting, and not come to use it? It has another one, or
    /// looks only whether somebody listens.
    bool was_left() const noexcept
    {
        return !has_dialled_ && !is_used_ && (elects_ || connection_.bytes_received() == 0);
    }

    /// Is it a program that is no node? It does not greet, and nobody knows it.
    bool is_client() const noexcept { return caller_ == caller_kind::client; }

    // What the peer calls
    // ------------------------------------------------------------------------------------------------------

    void hear(const greeting& theirs, schema::Welcome::Builder welcome);
    bool has_heard() const noexcept { return has_heard_; }

    /// The peer uses it, if it is the one to say so.
    void be_used();
    bool is_first_hello() noexcept { return !std::exchange(was_called_, true); }
    /// The way is free when what a former link of the peer has taken is where it belongs, so that nothing
    /// overtakes it. Messages of an earlier link than the one that has taken some are lost. Sees to it that
    /// it will be, and says whether it is.
    bool ask_for_way(std::uint64_t number);
    kj::Promise<void> when_way_is_free(std::uint64_t number);
    kj::Promise<void> when_way_is_free();  // where it was asked for
    bool is_way_free() const noexcept { return is_way_free_; }

    void deliver(schema::Batch::Reader batch);
    void take_part(schema::Part::Reader part, std::unique_ptr<unfinished>& begun);

    /// False where it has opened too many.
    bool may_open_sink() noexcept { return ++sinks_ <= sinks_max; }
    machine::spawned spawn_for_peer(schema::Node::SpawnParams::Reader wanted);
    switchboard& board() const noexcept { return board_; }

    /// Takes a call as the first one, if it is: who has not said hello is a client. Says who it is.
    caller_kind take_call(caller_kind as);

    // What a client calls
    // -----------------------------------------------------------------------------------------------------

    machine::station& post() const noexcept { return post_; }

    /// May it send messages of this type?
    bool lets_send(std::uint64_t type) const noexcept { return permitted_.contains(type); }

    /// Ends the connection if its peer asks and does not take the answers.
    void check_output();

    /// The object that the program offers by this name, made at the first call; null when there is none.
    ///
    /// Errors: throws what the factory throws.
    capnp::Capability::Client* service(const std::string& name);

    // What comes back from here
    // ------------------------------------------------------------------------------------------------

    /// An actor of this node has answered the peer, or never will.
    void answer(owed_answer& owed, const machine::message_type* type, void* value, errc failure) noexcept;
    void settle(const denied_stop& denied, bool has_ended) noexcept;

private:
    /// Whoever asked the peer.
    struct asker {
        std::uint64_t token = 0;
        const wire::codec* answer = nullptr;
        std::uint64_t deadline = 0;

        pid whom{};
        bool is_end = false;  // what is waited for

        // When it was sent, taken here and written; 0 before that.
        std::uint64_t asked_at = 0;
        std::uint64_t taken_at = 0;
        std::uint64_t written_at = 0;
        std::uint64_t type = 0;
        bool is_told_of = false;
    };

    /// Pids as the peer says them.
    class peer_pids final : public wire::pid_translator {
    public:
        explicit peer_pids(const link& owner) noexcept : owner_(owner) {}
        void write(pid who, schema::Pid::Builder to) const override { owner_.board_.write(who, to); }
        pid read(schema::Pid::Reader from) const override { return owner_.board_.read(from, owner_.peer_); }

    private:
        const link& owner_;
    };

    std::unique_ptr<machine::direct_object> new_object() override;
    void has_more_room(machine::direct_outlet& on) noexcept override;
    void has_failed(const std::string& why) noexcept override { end(why); }

    task<std::string> meet();
    task<std::string> meet_or_yield();
    task<std::string> greet();
    bool is_elected(capnp::List<std::uint64_t>::Reader told, std::uint64_t asked);
    void come_into_use(const peer_book::verdict& found);
    bool accept(const greeting& theirs, const agreement& agreed);
    void look_at_address(const std::string& address);
    void tell_of_address(const std::string& address, const std::string& name, const std::string& other);
    void forget_late_ones();
    void forget_owed(std::uint64_t now, std::uint64_t grace);
    void lose_held() noexcept;
    void tell_of_end() noexcept;
    void lose(const letter& left, errc why = errc::unreachable) noexcept;
    void end(std::string why);
    pid take_way(pid ended);
    static task<> clear_way(context& self, std::shared_ptr<link_place> place);
    static task<> wait_for_end(context& self, rpc::nothrow<rpc::pending<kj::Promise<void>>> disconnected);
    static task<> beat(context& self, std::shared_ptr<link_place> place, const node_options& options);

    /// False when the link has ended.
    bool take(message next);
    bool take_more();
    bool has_to_leave() const;
    bool is_batch_full() const noexcept
    {
        return letters_.size() >= letters_of_a_batch || letter_bytes_ >= bytes_of_a_batch;
    }
    void take_handed(handed&& next);
    void end_of_handing();
    void depart(departing&& leaving);
    void send(departing&& leaving);
    void let_in();
    void depart(departing_signal&& leaving);
    void queue(letter&& out);
    void enqueue(letter&& out);
    void wake();
    bool has_to_send() const noexcept { return !letters_.empty() || !news_.empty() || !signals_.empty(); }
    void send_batch();
    bool is_past(std::uint64_t deadline) const noexcept
    {
        return deadline != 0 && deadline <= post().home().now();
    }

    /// Is it a request for which nobody waits any more?
    bool has_expired(const letter& next) const noexcept
    {
        return next.request != 0 && is_past(next.deadline);
    }
    void drop(letter& expired);

    // Where the time of requests goes
    void note_written(std::uint64_t request) noexcept;
    void note_times(const asker& answered) noexcept;
    request_times times_of(const asker& waits) const noexcept;
    void tell_of_overdue(const asker& waits, bool is_answered);
    void fill(schema::Batch::Builder batch, std::size_t letters, std::span<const departing_signal> signals);
    std::vector<departing_signal> next_signals(bool is_behind_all);
    void write(const letter& from, schema::Envelope::Builder to);
    static void write(const machine::outbound_signal& from, schema::Signal::Builder to);
    void carry();
    static task<> carry_bulk(std::shared_ptr<link_place> place);
    static task<> wait_for_ordinary(std::shared_ptr<link_place> place, std::uint64_t count);
    static task<> wait_for_room(std::shared_ptr<link_place> place);
    static task<> send_in_parts(std::shared_ptr<link_place> place, std::shared_ptr<const letter> message);
    void send_part(const std::shared_ptr<const letter>& whole, std::size_t at);
    void send_alone(const bulk_lane::item& next);
    static task<> release(std::shared_ptr<link_place> place, bulk_lane::pair which, std::uint64_t begun);
    task<> take_leave_of_peer();
    static task<> look_up_there(std::shared_ptr<link_place> place, message asked);
    static task<> spawn_there(std::shared_ptr<link_place> place, message asked);

    /// Keeps who has a name there, and watches it to forget it in time.
    void remember(const std::string& name, pid who);

    /// It has sent what it may not.
    void deny(const wire::codec& known);

    /// May the peer stop an actor of this node?
    bool lets_stop(pid target) const;

    /// It may not; whoever waits under this number is told so, or that the actor has ended.
    void deny_stop(pid target, std::uint64_t request);

    void take_message(schema::Envelope::Reader from, capnp::Data::Reader body, pid to, pid sender);
    void take_answer(schema::Envelope::Reader from, capnp::Data::Reader body);
    void take_signal(schema::Signal::Reader from, pid to, pid about);
    void refuse(std::uint64_t request, errc why);
    /// Grows from one link that this node uses to the next.
    std::uint64_t number() { return number_ != 0 ? number_ : number_ = board_.next_link(); }
    void complain(const char* what);
    void count_bytes() noexcept;
    void count_sent(std::size_t letters) noexcept;
    void count_received(std::size_t letters) noexcept;
    void count_link(bool is_there) noexcept;
    owed_answer* owe(std::uint64_t request);

    context& self_;
    switchboard& board_;
    machine::station& post_;
    std::shared_ptr<link_place> place_;
    rpc::connection connection_;
    std::optional<machine::direct_outlet> outlet_;
    std::optional<machine::direct_outlet> bulk_outlet_;
    kj::Own<kj::PromiseFulfiller<void>> bulk_room_;  // who waits for some of it
    machine::direct_calls direct_;
    caller_kind caller_;
    kj::PromiseFulfillerPair<void> first_call_;
    kj::PromiseFulfillerPair<void> use_;  // by the peer
    rpc::nothrow<schema::Node::Client> node_;
    std::optional<rpc::nothrow<schema::Sink::Client>> sink_;
    std::string address_;
    const greeting mine_;
    std::uint64_t number_ = 0;  // of this link, for its peer
    std::string peer_name_;
    std::uint32_t peer_ = 0;
    const peer_pids pids_{*this};
    std::uint32_t message_max_ = 0;
    machine::permitted_types permitted_;
    std::shared_ptr<link_counters> counters_;  // there when the peer has been greeted
    std::uint64_t counted_in_ = 0;             // bytes
    std::uint64_t counted_out_ = 0;
    const bool has_dialled_;
    bool has_heard_ = false;
    bool elects_ = false;  // both sides
    bool is_used_ = false;
    pid yielded_to_;
    taking_over taking_over_;
    bool shares_address_ = false;
    bool is_way_free_ = false;
    bool is_late_ = false;
    std::uint64_t their_number_ = 0;  // of this link
    bool was_called_ = false;         // by a hello, whatever came of it
    kj::Own<kj::PromiseFulfiller<void>> free_way_;
    kj::ForkedPromise<void> free_ = nullptr;
    bool was_greeted_ = false;
    bool is_full_ = false;
    bool has_complained_ = false;
    bool is_told_ = false;  // that the queue has been filled
    std::string why_ended_;
    std::shared_ptr<waiting_letters> queue_;  // to the peer
    waiting_senders outside_;                 // of it
    std::vector<message> leaves_;             // who waits until all has arrived
    std::set<std::uint16_t> left_from_;       // the strands from which they came
    std::optional<rpc::nothrow<schema::Sink::Client>> bulk_sink_;
    bulk_lane bulk_;
    std::shared_ptr<const letter> in_parts_;  // not all of which has left
    bool is_carrying_ = false;                // what is in it
    std::uint64_t ordinary_ = 0;
    std::uint64_t ordinary_taken_ = 0;  // by the peer, of these
    unsigned sinks_ = 0;                // of the peer
    boost::container::deque<letter, void, letters_of_a_block> letters_;
    std::size_t letter_bytes_ = 0;
    std::deque<departing_signal> news_;     // go with the next batch
    std::deque<departing_signal> signals_;  // behind all letters
    std::deque<std::uint64_t> pills_;       // how many letters were there before each of those
    std::uint64_t last_request_ = 0;
    pid_places places_;
    boost::unordered_flat_map<std::uint64_t, asker> asked_;
    std::unordered_map<std::uint64_t, std::uint64_t> awaited_ends_;  // requests by the tokens of their askers
    boost::unordered_flat_map<std::uint64_t, std::unique_ptr<owed_answer>> owed_;
    std::vector<std::unique_ptr<owed_answer>> spare_owed_;  // for the next ones
    std::uint64_t last_forgotten_ = 0;                      // of those, when there were too many
    std::list<denied_stop> denied_;                         // until it is known whether the actor lives
    watches watching_;                                      // actors of the peer
    watches watched_;                                       // actors of this node
    std::vector<kj::byte> spare_body_;  // memory for the next message in parts, given back when none comes
    std::unordered_set<pid> refused_poison_;
    std::map<std::string, rpc::nothrow<capnp::Capability::Client>> services_;
};

}  // namespace costar::remote
