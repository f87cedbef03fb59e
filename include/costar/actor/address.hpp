// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/class_actor.hpp>
#include <costar/post/pid.hpp>

#include <concepts>
#include <type_traits>

namespace costar::machine {

/// Does an actor named by `T`, a message type or an actor class, understand `Message`?
template <class Message, class T>
inline constexpr bool understood_by = std::is_same_v<Message, T>;

template <class Message, actor_class T>
inline constexpr bool understood_by<Message, T> = handles<T, Message>;

}  // namespace costar::machine

namespace costar {

/// A pid that only accepts what its actor understands, checked by the compiler.
///
/// `address<greet, stop_greeting>` takes these messages; `address<counter>` takes what the class `counter`
/// has call operators for. It converts to a plain pid, and a plain pid is converted by hand, on the word of
/// whoever does it.
///
/// Thread safety: a value; any thread.
template <class... Understood>
class address {
public:
    constexpr address() noexcept = default;
    explicit constexpr address(pid plain) noexcept : pid_(plain) {}

    /// An address that accepts more is one that accepts less.
    template <class... Others>
        requires(!std::same_as<address, address<Others...>>) &&
        ((address<Others...>::template accepts<Understood> || ...) || sizeof...(Understood) == 0) &&
        (address<Others...>::template accepts<Understood> && ...)
    constexpr address(address<Others...> other) noexcept : pid_(other)
    {}

    template <class Message>
    static constexpr bool accepts = (machine::understood_by<Message, Understood> || ...);

    constexpr operator pid() const noexcept { return pid_; }
    constexpr pid plain() const noexcept { return pid_; }
    explicit constexpr operator bool() const noexcept { return static_cast<bool>(pid_); }
    friend constexpr bool operator==(const address&, const address&) noexcept = default;

private:
    pid pid_;
};

template <class... Understood, class Message>
inline constexpr bool accepts<address<Understood...>, Message> =
    address<Understood...>::template accepts<Message>;

}  // namespace costar

namespace costar::machine {

template <class Destination>
concept destination = std::convertible_to<Destination, pid>;

}  // namespace costar::machine
