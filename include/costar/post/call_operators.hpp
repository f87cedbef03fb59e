// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/message_type.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace costar {

class context;

/// Message types, in a list.
template <class... Messages>
struct message_list {};

}  // namespace costar

namespace costar::machine {

/// Finds the parameter types of a class's overloaded call operators.
///
/// Overload resolution has to look at every candidate; an argument that converts to anything is asked to
/// convert to each candidate's parameter, and each conversion that is considered leaves a note, a friend
/// function, that later code can see. Stateful compile-time programming of this kind is known from
/// Boost.PFR's structure reflection
/// ("The C++ type loophole", A. Poliakov) and works with all supported compilers.
namespace call_operators {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-template-friend"
#pragma GCC diagnostic ignored "-Wunused-function"  // of an actor class without linkage
#endif
template <class Actor, std::size_t Index>
struct place {
    friend auto found(place<Actor, Index>);
};
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <class T>
struct noted {
    using type = T;
};

template <class Actor, class T, std::size_t Index>
struct note {
    friend auto found(place<Actor, Index>) { return noted<T>{}; }
};

template <class Actor, class T, std::size_t Index = 0>
constexpr std::size_t free_place()
{
    if constexpr (requires { found(place<Actor, Index>{}); })
        return free_place<Actor, T, Index + 1>();
    else
        return Index;
}

template <class Actor, class T>
struct record : note<Actor, T, free_place<Actor, T>()> {
    static constexpr bool value = true;
};

/// Converts to anything, and notes to what.
template <class Actor>
struct anything {
    template <class T, bool = record<Actor, std::remove_cvref_t<T>>::value>
    operator T&() const&;
    template <class T, bool = record<Actor, std::remove_cvref_t<T>>::value>
    operator T&&() const&&;
};

template <class Actor>
constexpr bool look()
{
    using argument = anything<Actor>;
    static_cast<void>(requires(Actor& actor, const argument& any) { actor(any); });
    static_cast<void>(requires(Actor& actor, argument&& any) { actor(std::move(any)); });
    static_cast<void>(requires(Actor& actor, context& self, const argument& any) { actor(self, any); });
    static_cast<void>(requires(Actor& actor, context& self, argument&& any) { actor(self, std::move(any)); });
    return true;
}

template <class Actor, std::size_t Index, class... T>
constexpr auto collect(message_list<T...> list)
{
    if constexpr (requires { found(place<Actor, Index>{}); })
        return collect<Actor, Index + 1>(
            message_list<T..., typename decltype(found(place<Actor, Index>{}))::type>{});
    else
        return list;
}

template <class Actor, bool = look<Actor>()>
struct all {
    using type = decltype(collect<Actor, 0>(message_list<>{}));
};

}  // namespace call_operators

}  // namespace costar::machine

namespace costar {

/// The messages of an actor class: those it lists itself as `using messages = costar::message_list<...>;`,
/// else the parameters of its call operators.
template <class Actor>
struct messages_of : machine::call_operators::all<Actor> {};

template <class Actor>
    requires requires { typename Actor::messages; }
struct messages_of<Actor> {
    using type = typename Actor::messages;
};

}  // namespace costar

namespace costar::machine {

template <class Actor, class Message>
concept handles_alone = requires(Actor& actor, Message message) { actor(std::move(message)); } ||
    requires(Actor& actor, Message& message) { actor(message); };

template <class Actor, class Message>
concept handles_with_context = requires(Actor& actor, context& self, Message message) {
    actor(self, std::move(message));
} || requires(Actor& actor, context& self, Message& message) { actor(self, message); };

}  // namespace costar::machine

namespace costar {

/// Does the class have a call operator for the message?
template <class Actor, class Message>
inline constexpr bool handles =
    machine::handles_alone<Actor, Message> || machine::handles_with_context<Actor, Message>;

}  // namespace costar

namespace costar::machine {

template <class List>
inline constexpr std::size_t list_size = 0;
template <class... T>
inline constexpr std::size_t list_size<message_list<T...>> = sizeof...(T);

}  // namespace costar::machine

namespace costar {

/// A class whose call operators are its messages.
template <class Actor>
concept actor_class =
    std::is_class_v<Actor> && !request<Actor> && machine::list_size<typename messages_of<Actor>::type> != 0;

}  // namespace costar
