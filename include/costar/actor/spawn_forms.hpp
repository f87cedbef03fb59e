// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/kernel/spawn_options.hpp>

#include <concepts>
#include <string_view>
#include <type_traits>

namespace costar {

class context;

}  // namespace costar

namespace costar::machine {

/// The parameters of a coroutine function behind its `context&`.
template <class Call>
struct actor_parameters {
    static constexpr bool are_values = true;
};
template <class... Parameters>
struct actor_parameters<task<> (*)(context&, Parameters...)> {
    static constexpr bool are_values = (!std::is_reference_v<Parameters> && ...);
};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...)>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...) const>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...)&>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...) const&>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...) noexcept>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...) const noexcept>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...) & noexcept>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Class, class... Parameters>
struct actor_parameters<task<> (Class::*)(context&, Parameters...) const & noexcept>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class... Parameters>
struct actor_parameters<task<> (*)(context&, Parameters...) noexcept>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Function>
    requires requires { &Function::operator(); }
struct actor_parameters<Function> : actor_parameters<decltype(&Function::operator())> {};

/// Can `Function` be the body of an actor with `Args`?
template <class Function, class... Args>
concept actor_function =
    std::same_as<std::invoke_result_t<Function&, context&, std::decay_t<Args>...>, task<>>;

/// What `spawn` was given: body and arguments, with a name and options before them or without.
template <class... Given>
struct spawn_form {
    static constexpr bool is_known = false;
};
template <class Body, class... Args>
struct spawn_form<Body, Args...> {
    using body = std::decay_t<Body>;
    static constexpr bool is_known = actor_function<body, Args...>;
};
template <std::convertible_to<std::string_view> Name, class... Rest>
struct spawn_form<Name, Rest...> : spawn_form<Rest...> {};
template <class... Rest>
struct spawn_form<spawn_options, Rest...> : spawn_form<Rest...> {};
template <class... Rest>
struct spawn_form<spawn_options&, Rest...> : spawn_form<Rest...> {};
template <class... Rest>
struct spawn_form<const spawn_options&, Rest...> : spawn_form<Rest...> {};

/// Refuses a body whose parameters name what is not its own.
template <class Body>
constexpr void check_parameters()
{
    static_assert(actor_parameters<Body>::are_values,
        "an actor's parameters must be values: what a reference names may be gone when the actor runs");
}

/// Says what keeps a function from being a body; never called.
template <class Body>
constexpr void refuse_body()
{
    if constexpr (std::is_member_function_pointer_v<Body>)
        static_assert(sizeof(Body) == 0,
            "a member function is no body of an actor: spawn its class, spawn<my_class>(), or a coroutine "
            "function that takes context& and values");
    else if constexpr (!actor_parameters<Body>::are_values)
        check_parameters<Body>();
    else
        static_assert(sizeof(Body) == 0,
            "the body of an actor is a coroutine function that takes context& first and then what spawn is "
            "given behind it, and returns task<>: task<> body(context& self, int count); spawn(body, 3)");
}

}  // namespace costar::machine
