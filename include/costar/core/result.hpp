// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/when.hpp>

#include <boost/system/result.hpp>

#include <system_error>
#include <type_traits>
#include <utility>

namespace costar {

/// A value, or the error code that took its place.
template <class T>
using result = boost::system::result<T>;

}  // namespace costar

namespace costar::machine {

/// `with_timeout(limit, as_result(...))` gives `errc::timed_out` where the deadline ended the wait.
template <class T>
struct after_timeout<result<T>> {
    static void mark(result<T>& value) noexcept
    {
        if (value.has_error() && value.error() == std::errc::operation_canceled)
            value = result<T>(boost::system::in_place_error, make_error_code(errc::timed_out));
    }
};

}  // namespace costar::machine

namespace costar {

/// Awaits `awaitable` and gives what it throws as an error code instead: `auto balance = co_await
/// as_result(...)`.
///
/// Only `boost::system::system_error` and `costar::error`, which is one, become values; other exceptions
/// pass.
template <class Awaitable>
task<result<machine::awaited_t<Awaitable>>> as_result(Awaitable awaitable)
{
    using value = machine::awaited_t<Awaitable>;
    try {
        if constexpr (std::is_void_v<value>) {
            co_await std::move(awaitable);
            co_return result<value>();
        } else {
            value came = co_await std::move(awaitable);  // in variables, as in `as_task`
            result<value> given(std::forward<value>(came));
            co_return given;
        }
    } catch (const boost::system::system_error& thrown) {
        result<value> failed(boost::system::in_place_error, thrown.code());  // an error could be a bool too
        co_return failed;
    }
}

}  // namespace costar
