// SPDX-License-Identifier: MIT

#pragma once

#include <kj/common.h>

#include <concepts>
#include <type_traits>
#include <utility>

namespace costar::rpc {

/// Holds a value of KJ or Cap'n Proto, and its destructor does not throw: a pointer in use.
///
///     task<std::int64_t> balance(rpc::nothrow<Bank::Client> bank)
///     {
///         auto request = bank->balanceRequest();
///         auto answer = co_await rpc::send(request);
///         co_return answer.getBalance();
///     }
///
/// The destructors of KJ may throw, all of them, and GCC up to 14 ends with an internal error where such a
/// value is a parameter or a temporary of a coroutine. So parameters of coroutines, and what is awaited, are
/// wrapped: clients in this, calls in `rpc::call`, promises by `rpc::send`. Local variables need nothing.
/// With Clang neither does anything else.
///
/// A destructor that throws all the same ends the program.
template <class T>
class nothrow {
public:
    static constexpr bool belongs_to_strand = true;

    nothrow(T&& value) : value_(kj::mv(value)) {}
    nothrow(T& value)
        requires std::is_constructible_v<T, T&>
        : value_(value)
    {}
    template <class From>
        requires(!std::same_as<std::remove_cvref_t<From>, nothrow> &&
            !std::same_as<std::remove_cvref_t<From>, T> && std::is_constructible_v<T, From>)
    nothrow(From&& value) : value_(std::forward<From>(value))
    {}
    nothrow(nothrow&&) = default;
    nothrow& operator=(nothrow&&) = default;
    nothrow(nothrow& other)
        requires std::is_constructible_v<T, T&>
        : value_(other.value_)
    {}
    nothrow(const nothrow& other)
        requires std::is_constructible_v<T, const T&>
        : value_(other.value_)
    {}
    ~nothrow() noexcept {}

    T& operator*() noexcept { return value_; }
    T* operator->() noexcept { return &value_; }
    operator T&() noexcept { return value_; }

private:
    T value_;
};

}  // namespace costar::rpc
