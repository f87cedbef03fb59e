// SPDX-License-Identifier: MIT

#pragma once

#include "found_names.hpp"
#include "greeting.hpp"
#include "letter.hpp"
#include "peer_book.hpp"
#include "refusal_log.hpp"
#include "residents.hpp"
#include "visitors.hpp"

#include <costar/actor/engine.hpp>
#include <costar/kernel/gateway.hpp>
#include <costar/remote/node.hpp>
#include <costar/remote/transport.hpp>
#include <costar/wire/dictionary.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace costar::remote {

class switchboard;

/// A batch is not made larger than this.
inline constexpr std::size_t letters_of_a_batch = 256;
inline constexpr std::size_t bytes_of_a_batch = 64 * 1024;

/// So many do not wait for the end of the turn where the peer has less than so many bytes to do: it works
/// meanwhile.
inline constexpr std::size_t letters_sent_early = 16;
inline constexpr std::size_t bytes_of_idleness = 8192;
inline constexpr std::size_t window_least = 512 * 1024;
inline constexpr std::size_t bulk_window_least = 128 * 1024;  // what others have in front of them
inline constexpr std::size_t window_most = std::size_t{8} * 1024 * 1024;

/// Nor does one that has begun wait for more than this (nanoseconds).
inline constexpr std::uint64_t gathering_max = 50'000;

/// A message for another node in the mailbox of a link.
struct departing {
    letter out;

    /// Of a request: who has asked, and how the answer is read.
    std::uint64_t asker = 0;
    const wire::codec* answer = nullptr;
    std::uint64_t asked_at = 0;  // time of its strand

    /// Told when there is room for it, and it has a place; 0 for nobody.
    std::uint64_t waiter = 0;
    place_outside outside{};

    /// It is lost.
    errc bury(machine::post_office& where, errc reason) noexcept;
    void lose(machine::post_office& where, errc reason) noexcept;
};

/// What is said to an actor of another node, likewise. What others wait for overtakes messages, as it does
/// between strands; a wait for an end does not, since what was sent before has to be there first.
struct departing_signal {
    machine::outbound_signal news;
    place_in_queue place{};

    errc bury(machine::post_office& where, errc reason) noexcept;
};
struct departing_news : departing_signal {
    static constexpr bool is_control = true;
};

/// Who has sent with this token waits for room no more.
struct withdrawn {
    std::uint64_t token;
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

/// Has a link end when all that waits has arrived.
struct take_leave {
    using reply = void;
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

/// Has the listener accept nobody any more, and keep the links that it has.
struct stop_accepting {
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

/// What the node of an engine knows: who it is, whom it knows, and which link leads where.
///
/// Thread safety: any thread. Lifetime: as the engine.
class switchboard final : public machine::gateway, public wire::pid_translator {
public:
    switchboard(engine& owner, wire::dictionary words, node_options options, std::string address);

    static switchboard& of(machine::post_office& where) noexcept
    {
        return static_cast<switchboard&>(*where.shared().way_out.load(std::memory_order_relaxed));
    }

    void send(machine::post_office& from, machine::outbound message) override;
    void withdraw(machine::post_office& from, pid to, std::uint64_t token) override;
    void signal(machine::post_office& from, const machine::outbound_signal& news) override;

    void write(pid who, schema::Pid::Builder to) const override;
    pid read(schema::Pid::Reader from) const override { return read(from, 0); }

    /// As a node says it, of which the number is given.
    pid read(schema::Pid::Reader from, std::uint32_t teller) const;

    /// The link to a node, dialled if there is none; nobody where none can be.
    pid link_of(const peer_book::way& way);

    /// The link to an address, dialled if there is none; `number` is that of a node which is known to be
    /// there.
    pid link_to(const std::string& address, std::uint32_t number = 0);

    /// Who asks a node for something: the link to it, or an actor that does it here. Nobody where there is
    /// none. Errors: throws `std::invalid_argument` for what is no address.
    pid node_at(const destination& where);

    /// The same for a text form, and what is asked for.
    std::pair<pid, machine::look_up> way_to(std::string_view text);
    std::string text_of(pid who) const;

    /// A dead letter of which only the id of its schema is known; `now` is the time of the strand.
    void tell_of_loss(std::uint64_t now, pid to, pid sender, errc reason, std::uint64_t type) noexcept;

    /// A message is larger than is taken: the log has both numbers, now and then.
    void tell_of_size(std::uint64_t now, const wire::codec& known, std::size_t bytes, std::size_t bytes_max);

    /// What somebody else says is an address, as far as this node may dial it; `dialled` is where it has
    /// reached him. Unix sockets are for who is on this machine: a node in the network is not led there.
    std::string address_from(std::string_view text, const std::string& dialled = {}) const;

    /// What there is to tell of certificates goes to the log and to who subscribes.
    void tell_of_certificates();

    /// May so many bytes more wait in this queue? A message that is larger than all that may waits alone.
    bool has_room_for(const waiting_letters& queue, std::size_t bytes) const noexcept;

    /// Bytes of answers that may wait for a peer; requests whose answers find no room are refused.
    std::size_t answer_bytes_max() const noexcept;

    /// What this node says of itself on a new connection.
    greeting new_greeting() const;
    const std::string& address() const noexcept { return address_; }

    engine& owner() const noexcept { return owner_; }
    machine::commons& shared() const noexcept { return shared_; }
    const wire::dictionary& words() const noexcept { return words_; }
    const node_options& options() const noexcept { return options_; }
    transport& network() const noexcept { return *options_.network; }
    peer_book& book() noexcept { return book_; }
    found_names& names() noexcept { return names_; }
    remote::residents& residents() noexcept { return *residents_; }
    refusal_log& refusals() noexcept { return refusals_; }
    remote::visitors& visitors() noexcept { return visitors_; }

    /// What the program offers to its clients by a name; empty where there is nothing.
    void offer(std::string name, service_factory made);
    service_factory offered(const std::string& name) const;

    /// Grows from one link to the next.
    std::uint64_t next_link() noexcept { return ++last_link_; }

    /// The node is no more: nothing is dialled.
    void close() noexcept { is_closed_ = true; }

    node_counters counters;

private:
    /// The way that was looked up last on a strand, as long as nothing has changed.
    struct alignas(64) known_way {
        std::uint32_t number = 0;
        std::uint64_t version = 0;
        peer_book::way way;
    };
    static constexpr std::size_t known_ways_of_a_strand = 128;

    /// As `book().find` gives it.
    const peer_book::way& find(const machine::post_office& from, std::uint32_t number);

    bool is_far_ahead(const waiting_letters& queue) const noexcept;

    /// Nobody where there is no link, and none can be dialled or could be a moment ago.
    pid link_for(const peer_book::way& way, std::uint64_t now);
    pid link_for(const machine::outbound_signal& news, std::uint64_t now);

    engine& owner_;
    machine::commons& shared_;
    const wire::dictionary words_;
    const node_options options_;
    const std::uint64_t life_;
    const std::string address_;
    mutable peer_book book_;
    std::vector<known_way> known_ways_;
    found_names names_;
    const std::shared_ptr<remote::residents> residents_;
    mutable std::mutex offers_mutex_;
    std::map<std::string, service_factory> offers_;
    refusal_log refusals_;
    remote::visitors visitors_;
    std::mutex notices_mutex_;
    std::uint64_t notices_seen_ = 0;
    std::atomic<std::uint64_t> last_link_{0};
    std::atomic<bool> is_closed_{false};
};

}  // namespace costar::remote
