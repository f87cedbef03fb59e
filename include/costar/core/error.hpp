// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string>
#include <type_traits>

namespace costar {

using error_code = boost::system::error_code;

/// Why something did not work, and what the caller may do next.
enum class errc {
    /// The caller's own side was stopped or cancelled. Clean up and end.
    ///
    /// Equal to the condition `std::errc::operation_canceled`, as Asio's `operation_aborted` is.
    cancelled = 1,

    /// The deadline passed first. What was asked for may still happen; ask again only if it may happen
    /// twice.
    ///
    /// Equal to the condition `std::errc::timed_out`.
    timed_out,

    /// The address is stale or never was one. Look the name up again, or spawn the actor.
    no_such_actor,

    /// Another actor has the name. Use that one, or choose another name.
    name_in_use,

    /// The receiver handles no message of this type. Asking again is of no use: correct the program.
    not_understood,

    /// The receiver took the request and let go of it without an answer. Correct the receiver.
    unanswered,

    /// The receiver crashed while it held the request. Its supervisor may restart it: ask again if the
    /// request may be handled twice.
    actor_failed,

    /// The receiver ended before it handled the request. Nothing was done: ask another one.
    actor_stopped,

    /// The answer is of another type than the one that was asked for. Correct the receiver.
    wrong_reply,

    /// The receiver's mailbox holds as much as it may. Send less, or try again later.
    mailbox_full,

    /// The engine is shutting down or has ended. Nothing more can be spawned or offloaded; what is sent or
    /// asked finds its receivers gone.
    engine_stopped,

    /// The receiver waits, directly or through others, for the one that asks, so neither could ever go on.
    /// Send instead of asking, or let one of them take messages while it waits.
    request_circle,

    /// The receiver's pid is that of another engine. Ask, send or wait through that one.
    not_local,

    /// As many functions run and wait as the engine's helper threads may have. Nothing was done: offload less
    /// at a time, try again later, or give the engine more.
    offload_full,

    /// Messages of this type stay on their node: they have no mapping to a schema, or nobody has said that
    /// this type is sent and taken. Correct the program.
    no_wire_form,

    /// What came from another node is not what it says it is. The message was not delivered; the peer is to
    /// be corrected.
    malformed,

    /// The message is larger than both nodes allow. Send it in parts, or allow more on both.
    too_large,

    /// There is no link to the receiver's node, and none could be made. Nothing was done: try again later.
    unreachable,

    /// The link to the receiver's node was lost after the request had been sent. It may have been handled:
    /// ask again only if it may happen twice.
    link_lost,

    /// The other node does not let this one do that. Have it allowed there.
    not_permitted,

    /// The other node offers no actors of this kind. Correct the name, or have it offered there.
    unknown_kind,

    /// As many actors live on the other node as it may have on behalf of this one. Nothing was done: end
    /// some, or have more allowed there.
    too_many_actors,
};

/// The category of `errc`, named "costar".
///
/// Thread safety: from any thread.
const boost::system::error_category& error_category() noexcept;

inline error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), error_category()};
}

/// What the short forms of awaiting throw.
class error : public boost::system::system_error {
public:
    explicit error(error_code code) : system_error(code) {}
    error(error_code code, const std::string& context) : system_error(code, context) {}
    explicit error(errc code) : system_error(make_error_code(code)) {}
    error(errc code, const std::string& context) : system_error(make_error_code(code), context) {}
};

/// Is this how an operation ends that was cancelled? By `errc::cancelled`, Asio's `operation_aborted`, all
/// that equals the condition `std::errc::operation_canceled`, or the `channel_cancelled` of Asio's channels.
///
/// False for none. Thread safety: from any thread. Cost: about a microsecond, as the exception is thrown
/// again.
bool is_cancellation(const std::exception_ptr& failure) noexcept;
bool is_cancellation(const error_code& code) noexcept;

}  // namespace costar

namespace costar::machine {

/// The exception that is being handled, in a form that may be kept, and end on another thread than it was
/// thrown on: `std::current_exception()` for most. Cost: in programs with `rpc` about a microsecond more, as
/// it is thrown again.
std::exception_ptr caught_exception() noexcept;

/// How such a form is made of exceptions that must otherwise end where they were thrown. Set once, before
/// there is a strand.
using exception_carrier = std::exception_ptr (*)(std::exception_ptr caught) noexcept;
void carry_exceptions_by(exception_carrier carrier) noexcept;

}  // namespace costar::machine

template <>
struct boost::system::is_error_code_enum<costar::errc> : std::true_type {};
