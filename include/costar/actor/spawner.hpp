// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/birth_place.hpp>
#include <costar/actor/spawn_forms.hpp>
#include <costar/core/task.hpp>
#include <costar/kernel/cell.hpp>
#include <costar/kernel/spawn_options.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/copyable.hpp>
#include <costar/post/strand_bound.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar {

template <class... Understood>
class address;

}  // namespace costar

namespace costar::machine {

template <class Actor>
class class_actor;

/// The forms in which actors are spawned, the same for engines and for actors that spawn children.
///
/// A body is a coroutine function, or a lambda without captures, that takes `context&` and values:
/// `spawn(body, args...)`, `spawn("name", body, args...)`, `spawn({.restart = ...}, body, args...)`. An actor
/// class is named as template argument and constructed from `args`: `spawn<counter>()`,
/// `spawn<counter>("name", {...}, args...)`. The functions give the pid at once, a class's as
/// `address<counter>`.
///
/// Errors: `name_in_use`; `errc::engine_stopped` when the engine is shutting down; `errc::cancelled` in a
/// task of an actor whose body has ended; `std::invalid_argument` for a strand that does not exist, and for a
/// restart whose arguments cannot be copied, and for middleware that is null; `std::logic_error` for another
/// strand than that of an argument that belongs to one, see `is_strand_bound`; what copying the arguments
/// throws. Cost: one coroutine frame and
/// a cell, together about 256 bytes; around 100 ns on the same strand.
template <class Derived>
class spawner {
public:
    template <class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(Function body, Args&&... args)
    {
        check<Function>();
        check_arguments<Args...>();
        return launch(
            launcher<Function, std::decay_t<Args>...>(std::move(body), std::forward<Args>(args)...));
    }

    template <std::convertible_to<std::string_view> Name, class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(const Name& name, Function body, Args&&... args)
    {
        return spawn(spawn_options{.name = std::string(std::string_view(name))}, std::move(body),
            std::forward<Args>(args)...);
    }

    template <std::convertible_to<std::string_view> Name, class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(const Name& name, spawn_options options, Function body, Args&&... args)
    {
        options.name = std::string_view(name);
        return spawn(std::move(options), std::move(body), std::forward<Args>(args)...);
    }

    template <class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(spawn_options options, Function body, Args&&... args)
    {
        check<Function>();
        check_arguments<Args...>();
        return launch(std::move(options),
            launcher<Function, std::decay_t<Args>...>(std::move(body), std::forward<Args>(args)...));
    }

    template <class Actor>
    address<Actor> spawn()
    {
        check_class<Actor>();
        static_assert(std::is_abstract_v<Actor> || std::is_constructible_v<Actor>,
            "the actor class has no constructor without arguments; give them behind name or options: "
            "spawn<my_class>({}, 3)");
        return address<Actor>(launch(class_launcher<Actor>(class_body<Actor>())));
    }

    template <class Actor, class... Args>
        requires(!actor_function<Actor, Args...>)
    address<Actor> spawn(std::string_view name, spawn_options options = {}, Args&&... args)
    {
        options.name = name;
        return spawn<Actor>(std::move(options), std::forward<Args>(args)...);
    }

    template <class Actor, class... Args>
        requires(!actor_function<Actor, Args...>)
    address<Actor> spawn(spawn_options options, Args&&... args)
    {
        check_class<Actor>();
        check_arguments<Args...>();
        static_assert(std::is_abstract_v<Actor> || std::is_constructible_v<Actor, std::decay_t<Args>...>,
            "the actor class has no constructor for these arguments");
        return address<Actor>(launch(std::move(options),
            class_launcher<Actor, std::decay_t<Args>...>(class_body<Actor>(), std::forward<Args>(args)...)));
    }

    // What is none of these forms is refused in a sentence. The number keeps them from being taken for those
    // of classes; the second one is for options in braces.
    template <int Form = 0, class... Given>
        requires(sizeof...(Given) != 0 && !spawn_form<Given...>::is_known)
    pid spawn(Given&&...)
    {
        refuse<spawn_form<Given...>>();
        return {};
    }
    template <int Form = 0, class Body, class... Args>
        requires(!actor_function<std::decay_t<Body>, Args...>)
    pid spawn(spawn_options, Body&&, Args&&...)
    {
        refuse<spawn_form<Body, Args...>>();
        return {};
    }
    template <class Actor, class First, class... Args>
        requires(!actor_function<Actor, First, Args...> && !std::convertible_to<First, std::string_view> &&
            !std::convertible_to<First, spawn_options>)
    address<Actor> spawn(First&&, Args&&...)
    {
        static_assert(!std::is_class_v<Actor>,
            "the arguments of an actor class stand behind its name or options: spawn<my_class>({}, 3)");
        return address<Actor>(pid());
    }
    template <class Actor, std::convertible_to<std::string_view> Name, class First, class... Args>
        requires(!actor_function<Actor, Name, First, Args...> && !std::convertible_to<First, spawn_options>)
    address<Actor> spawn(Name&&, First&&, Args&&...)
    {
        static_assert(!std::is_class_v<Actor>,
            "between the name of an actor class and its arguments stand its options: "
            "spawn<my_class>(\"name\", {}, 3)");
        return address<Actor>(pid());
    }

private:
    template <class Actor>
    static constexpr void check_class()
    {
        static_assert(!std::is_abstract_v<Actor>, "the actor class is abstract: it lacks some function");
    }

    template <class... Args>
    static constexpr void check_arguments()
    {
        static_assert((std::is_constructible_v<std::decay_t<Args>, Args> && ...),
            "an argument cannot be copied to the actor: pass it on with std::move");
    }

    template <class Form>
    static constexpr void refuse()
    {
        if constexpr (requires { typename Form::body; })
            refuse_body<typename Form::body>();
        else
            static_assert(
                sizeof(Form) == 0, "spawn needs the body of the actor, or its class as in spawn<my_class>()");
    }

    template <class Function>
    static constexpr void check()
    {
        static_assert(std::is_pointer_v<Function> || std::is_empty_v<Function>,
            "an actor's lambda may not capture: its captures would be gone when it runs; pass them as "
            "arguments");
        check_parameters<Function>();
    }

    /// The coroutine that runs an actor class; without state, so that a recipe need not keep any.
    template <class Actor>
    struct class_body {
        template <class... Args>
        task<> operator()(context& self, Args... args) const
        {
            return class_actor<Actor>::template run<Args...>(self, std::move(args)...);
        }
    };

    template <class Actor, class... Args>
    class class_launcher : public launcher<class_body<Actor>, Args...> {
    public:
        using launcher<class_body<Actor>, Args...>::launcher;
        static constexpr actor_kind kind{&typeid(Actor)};
    };

    template <class Launcher>
    pid launch(Launcher made)
    {
        auto& self = static_cast<Derived&>(*this);
        if (cell* parent = self.spawn_parent(); parent != nullptr && !birth_place::is_special(*parent))
            return birth_place::bear_beside(*parent, made);
        return launch(spawn_options{}, std::move(made));
    }

    template <class Launcher>
    pid launch(spawn_options options, Launcher made)
    {
        auto& self = static_cast<Derived&>(*this);
        return birth_place(
            self.spawn_shared(), self.spawn_parent(), std::move(options), Launcher::is_repeatable)
            .bear(std::move(made));
    }
};

}  // namespace costar::machine
