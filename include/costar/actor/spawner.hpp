// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/cell.hpp>
#include <costar/actor/spawn_options.hpp>
#include <costar/actor/station.hpp>
#include <costar/core/task.hpp>

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

template <class Actor>
class class_actor;

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
struct actor_parameters<task<> (Class::*)(context&, Parameters...) const>
    : actor_parameters<task<> (*)(context&, Parameters...)> {};
template <class Function>
    requires requires { &Function::operator(); }
struct actor_parameters<Function> : actor_parameters<decltype(&Function::operator())> {};

/// Can `Function` be the body of an actor with `Args`?
template <class Function, class... Args>
concept actor_function = std::same_as<std::invoke_result_t<Function&, context&, std::decay_t<Args>...>, task<>>;

/// A body that has not begun: the function and its arguments.
template <class Function, class... Args>
class launcher {
public:
    static constexpr bool is_repeatable = (std::is_copy_constructible_v<Args> && ...);
    static constexpr actor_kind kind{&typeid(Function)};

    template <class... Given>
    explicit launcher(Function function, Given&&... given)
        : function_(std::move(function)), args_(std::forward<Given>(given)...)
    {
    }

    task<> begin(context& self)
    {
        return std::apply([&](Args&... arg) { return function_(self, std::move(arg)...); }, args_);
    }

    /// A recipe that begins with copies of the arguments; null when they cannot be copied.
    std::unique_ptr<recipe> repeat() const
    {
        if constexpr (is_repeatable)
            return std::make_unique<repeated>(*this);
        else
            return nullptr;
    }

private:
    class repeated final : public recipe {
    public:
        explicit repeated(const launcher& original) : original_(original) {}
        task<> begin(context& self) const override
        {
            launcher copy(original_);
            return copy.begin(self);
        }

    private:
        launcher original_;
    };

    Function function_;
    std::tuple<Args...> args_;
};

/// Where an actor is going to be born, and under which name.
class birth_place {
public:
    /// Chooses the strand. Errors: throws `std::invalid_argument`, or `error` with `errc::engine_stopped`.
    birth_place(commons& shared, cell* parent, spawn_options options, bool repeatable);

    /// Lets the actor be born, now when its strand is the caller's, else soon.
    template <class Launcher>
    pid bear(Launcher launch)
    {
        if (!is_here_)
            return send_for(std::move(launch));
        cell& born = target_->open();
        const pid id = target_->pid_of(born);
        try {
            if (!options_.name.empty())
                target_->set_name(born, target_->claim_name(options_.name, id));
            if (options_.restart.limit != 0)
                target_->set_restart(born, options_.restart, launch.repeat());
            target_->begin(born, parent_, launch.begin(context_of(born)), Launcher::kind);
        }
        catch (...) {
            target_->close(born);
            throw;
        }
        return id;
    }

private:
    /// Defined in context.hpp, behind the class.
    static context& context_of(cell& born) noexcept;

    template <class Launcher>
    pid send_for(Launcher launch)
    {
        const pid id = target_->reserve();
        registry::entry* name = options_.name.empty() ? nullptr : target_->claim_name(options_.name, id);
        announce(id);
        target_->home().post([target = target_, id, parent = parent_, name, policy = options_.restart,
                              launch = std::move(launch)]() mutable {
            cell& born = target->open(id);
            try {
                if (name != nullptr)
                    target->set_name(born, name);
                if (policy.limit != 0)
                    target->set_restart(born, policy, launch.repeat());
                target->begin(born, parent, launch.begin(context_of(born)), Launcher::kind);
            }
            catch (...) {
                target->begin_failed(born, parent, Launcher::kind, std::current_exception());
            }
        });
        return id;
    }

    /// Tells the parent of a child on another strand.
    void announce(pid child);

    station* target_;
    cell* parent_cell_;
    pid parent_;
    bool is_here_;
    spawn_options options_;
};

/// The forms in which actors are spawned, the same for engines and for actors that spawn children.
///
/// A body is a coroutine function, or a lambda without captures, that takes `context&` and values:
/// `spawn(body, args...)`, `spawn("name", body, args...)`, `spawn({.restart = ...}, body, args...)`. An actor class is
/// named as template argument and constructed from `args`: `spawn<counter>()`, `spawn<counter>("name", {...}, args...)`.
/// The functions give the pid at once, a class's as `address<counter>`.
///
/// Errors: `name_in_use`; `errc::engine_stopped` when the engine is shutting down; `std::invalid_argument` for a strand
/// that does not exist, and for a restart whose arguments cannot be copied; what copying the arguments throws.
/// Cost: one coroutine frame and a cell, together about 256 bytes; around 100 ns on the same strand.
template <class Derived>
class spawner {
public:
    template <class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(Function body, Args&&... args)
    {
        return spawn(spawn_options{}, std::move(body), std::forward<Args>(args)...);
    }

    template <class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(std::string_view name, Function body, Args&&... args)
    {
        return spawn(spawn_options{.name = std::string(name)}, std::move(body), std::forward<Args>(args)...);
    }

    template <class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(std::string_view name, spawn_options options, Function body, Args&&... args)
    {
        options.name = name;
        return spawn(std::move(options), std::move(body), std::forward<Args>(args)...);
    }

    template <class Function, class... Args>
        requires actor_function<Function, Args...>
    pid spawn(spawn_options options, Function body, Args&&... args)
    {
        static_assert(std::is_pointer_v<Function> || std::is_empty_v<Function>,
                      "an actor's lambda may not capture: its captures would be gone when it runs; pass them as "
                      "arguments");
        static_assert(actor_parameters<Function>::are_values,
                      "an actor's parameters must be values: what a reference names may be gone when the actor runs");
        return launch(std::move(options), launcher<Function, std::decay_t<Args>...>(std::move(body),
                                                                                    std::forward<Args>(args)...));
    }

    template <class Actor>
    address<Actor> spawn()
    {
        return spawn<Actor>(spawn_options{});
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
        static_assert(std::is_constructible_v<Actor, std::decay_t<Args>...>, "no such constructor");
        const auto body = &class_actor<Actor>::template run<std::decay_t<Args>...>;
        return address<Actor>(launch(std::move(options), class_launcher<Actor, std::decay_t<Args>...>(
                                                             body, std::forward<Args>(args)...)));
    }

private:
    template <class Actor, class... Args>
    class class_launcher : public launcher<task<> (*)(context&, Args...), Args...> {
    public:
        using launcher<task<> (*)(context&, Args...), Args...>::launcher;
        static constexpr actor_kind kind{&typeid(Actor)};
    };

    template <class Launcher>
    pid launch(spawn_options options, Launcher made)
    {
        auto& self = static_cast<Derived&>(*this);
        return birth_place(self.spawn_shared(), self.spawn_parent(), std::move(options), Launcher::is_repeatable)
            .bear(std::move(made));
    }
};

}  // namespace costar
