// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/flow_window.hpp>
#include <costar/rpc/kj.hpp>

#include <boost/container/flat_map.hpp>
#include <boost/container/flat_set.hpp>

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <kj/array.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace costar::machine {

class gathering_stream;

/// Sees the messages of a connection before Cap'n Proto does.
class message_watcher {
public:
    /// A message that has come, with its table of segments. True when it is for nobody else.
    virtual bool has_come(
        kj::ArrayPtr<const capnp::word> message, const capnp::ReaderOptions& options) noexcept = 0;

    /// Cap'n Proto writes a message.
    virtual void is_written(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) noexcept = 0;

protected:
    ~message_watcher() = default;
};

/// A method, by the numbers of its schema.
struct method_id {
    std::uint64_t interface;
    std::uint16_t number;
};

/// An object of this side that takes calls directly, in their order.
class direct_object {
public:
    virtual ~direct_object() = default;

    /// Takes a call, and writes its results if it has any. False where it cannot be taken yet: it comes again
    /// by `direct_calls::go_on`, and later ones may come before.
    virtual bool take(std::uint16_t method, capnp::AnyPointer::Reader params,
        capnp::AnyPointer::Builder results) noexcept = 0;
};

/// A capability that the peer has given, and how much is under way to it.
struct direct_outlet {
    std::uint32_t capability;
    flow_window window;
};

/// Who makes direct calls, and is called. Nothing of it may end the connection from inside.
class direct_user {
public:
    /// An object for a capability that the peer has asked for.
    virtual std::unique_ptr<direct_object> new_object() = 0;

    /// Calls were answered: `on` has more room than before.
    virtual void has_more_room(direct_outlet& on) noexcept = 0;

    /// What the peer does is none of the protocol, or a call has failed on its side; the connection is of no
    /// use any more. The text is one line, whatever the peer has written.
    virtual void has_failed(const std::string& why) noexcept = 0;

protected:
    ~direct_user() = default;
};

/// A call that is being written. One at a time on a thread, else it costs a block of memory.
class direct_call {
public:
    direct_call(const direct_outlet& on, method_id method);
    direct_call(const direct_call&) = delete;
    direct_call& operator=(const direct_call&) = delete;
    ~direct_call();

    template <class Params>
    typename Params::Builder params()
    {
        return call_.getParams().getContent().template initAs<Params>();
    }

private:
    friend class direct_calls;

    struct memory;

    memory* const lent_;
    capnp::MallocMessageBuilder message_;
    capnp::rpc::Call::Builder call_;
};

/// Calls that pass by Cap'n Proto's promises, tables and hooks: what a node says to another one in thousands
/// of batches a second. What is on the wire is Cap'n Proto RPC as ever, and the peer may be any
/// implementation of it: a call on a capability that it has given, with a question number from the upper
/// half, which the RPC system never reaches by itself; and its Return. They are written where they are made,
/// and taken as they are read, which costs a twentieth of a call.
///
/// The objects are those that a method `opens` gives, on either side; messages that are about them are seen
/// on their way, and all others are left alone. Where the peer calls such an object before it was given it,
/// as a promise, all calls on that one are left to Cap'n Proto as well, so that they stay in order. A Return
/// here says `noFinishNeeded`, Cap'n Proto 1.0's way to save a message, wherever the peer calls so too.
///
/// Thread safety: that of its connection, which outlives it.
class direct_calls final : private message_watcher {
public:
    /// Calls of `methods` methods of the interface `objects`, on what `opens` gives.
    direct_calls(gathering_stream& stream, method_id opens, std::uint64_t objects, std::uint16_t methods,
        direct_user& user);
    direct_calls(const direct_calls&) = delete;
    direct_calls& operator=(const direct_calls&) = delete;
    ~direct_calls();

    /// What the first call of `opens` has given that was answered and not asked for here yet; nothing where
    /// it was no object of the peer's own.
    std::optional<direct_outlet> opened(flow_window window);

    /// Sends it with what else is sent in this turn. It is never refused: who calls looks for room before.
    /// Precondition: in a turn of a strand, whose clock tells how long it takes.
    void send(direct_outlet& on, direct_call& what) { send(on, what, nullptr, nullptr); }

    /// As above; what the call has of `held` as external data is not copied, `owner` keeps it.
    void send(direct_outlet& on, direct_call& what, kj::ArrayPtr<const kj::byte> held,
        std::shared_ptr<const void> owner);

    /// Sends all that was written, without waiting for the end of the turn.
    void send_now();

    /// Calls that could not be taken before come again, in their order.
    void go_on();
    bool has_held() const noexcept { return !held_.empty(); }

private:
    struct under_way {
        std::uint32_t question;
        flow_window::sent call;
        direct_outlet* on;
    };

    struct held_call {
        kj::Array<capnp::word> message;
        bool is_finished = false;
    };

    bool has_come(
        kj::ArrayPtr<const capnp::word> message, const capnp::ReaderOptions& options) noexcept override;
    void is_written(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) noexcept override;

    bool take_call(capnp::rpc::Call::Reader call, kj::ArrayPtr<const capnp::word> message);
    bool answer(direct_object& object, capnp::rpc::Call::Reader call, bool is_finished);
    bool take_return(capnp::rpc::Return::Reader came);
    bool take_finish(std::uint32_t question, bool releases);
    bool leave_to_rpc(std::uint32_t question);
    void note_call(capnp::rpc::Call::Reader call);
    void note_return(capnp::rpc::Return::Reader given);
    bool opens(capnp::rpc::Call::Reader call) const;
    void finish(std::uint32_t question);

    gathering_stream& stream_;
    const method_id opens_;
    const std::uint64_t interface_;
    const std::uint16_t methods_;
    direct_user& user_;
    capnp::ReaderOptions options_;

    // Of this side
    boost::container::flat_set<std::uint32_t> asking_;  // questions that open something
    std::deque<std::optional<std::uint32_t>> opened_;   // capabilities
    std::uint32_t last_question_ = 0;
    std::deque<under_way> under_way_;

    // Of the peer
    boost::container::flat_map<std::uint32_t, std::optional<std::uint32_t>>
        opening_;  // what its questions got
    boost::container::flat_map<std::uint32_t, std::unique_ptr<direct_object>> objects_;
    boost::container::flat_set<std::uint32_t> unfinished_;
    boost::container::flat_set<std::uint32_t> left_to_rpc_;  // calls with large numbers
    std::vector<held_call> held_;
    std::size_t held_bytes_ = 0;
};

}  // namespace costar::machine
