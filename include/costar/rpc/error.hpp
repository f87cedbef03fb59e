// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/rpc/kj.hpp>

#include <boost/system/error_category.hpp>

#include <kj/exception.h>

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>

namespace costar::rpc {

/// What a failed call says about the next one: the four kinds that Cap'n Proto puts on the wire.
///
/// Act on the kind alone and never on the text, which each implementation words in its own way. Python's
/// loses the kind: what comes from there is `failed`, whatever it was.
enum class errc {
    /// The call failed, and will fail again. Correct the program, or ask for something else.
    failed = 1,

    /// The peer is short of something. Try again later, less often.
    ///
    /// Equal to the condition `std::errc::resource_unavailable_try_again`.
    overloaded,

    /// The connection is gone, or something behind the peer is. What was asked for may have happened. Look at
    /// the connection before asking again: a method may say this on a healthy one.
    ///
    /// Equal to the condition `std::errc::not_connected`.
    disconnected,

    /// The peer has no such method. It is older than the schema, or no such service at all.
    ///
    /// Equal to the condition `std::errc::function_not_supported`.
    unimplemented,
};

/// The category of `errc`, named "costar.rpc".
///
/// Thread safety: from any thread.
const boost::system::error_category& error_category() noexcept;

inline error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), error_category()};
}

/// What an awaited promise of KJ throws: the kind, and what the other side wrote.
///
/// The text may come from a peer. It is cut to `text_max` bytes and holds no control characters; keep it in
/// logs all the same, since it may name files and functions of the peer.
class error : public costar::error {
public:
    static constexpr std::size_t text_max = 1000;

    error(errc kind, std::string_view text);
    explicit error(const kj::Exception& thrown);

    errc kind() const noexcept { return static_cast<errc>(code().value()); }
};

/// As an awaited promise throws it: `rpc::error`. Inside, the `kj::Exception` is gone.
std::exception_ptr to_exception(const kj::Exception& thrown) noexcept;

/// What a caller on the other side is told of a failure, as it leaves `rpc::promise_of`.
///
/// An `rpc::error` and a `kj::Exception` keep their kind. A full mailbox, full helper threads, a deadline and
/// a lack of memory are `overloaded`; an actor or an engine that has ended, a cancellation, and an error of a
/// connection are `disconnected`; a message that is not understood is `unimplemented`; all else is `failed`.
/// The text is the exception's `what()`, which goes to the peer: put no secrets there.
kj::Exception to_kj(const std::exception_ptr& failure) noexcept;

}  // namespace costar::rpc

template <>
struct boost::system::is_error_code_enum<costar::rpc::errc> : std::true_type {};
