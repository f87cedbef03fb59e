// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/kernel/spawn_options.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/copyable.hpp>
#include <costar/post/strand_bound.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace costar {

class context;

}  // namespace costar

namespace costar::machine {

/// A body that is never begun anew, and not supervised by its parent.
template <class Function>
concept begun_once = Function::is_begun_once;

}  // namespace costar::machine

namespace costar {

class message;

}  // namespace costar

namespace costar::machine {

/// The context of an actor. Defined in context.hpp, behind the class.
context& context_of(cell& born) noexcept;

/// A body that has not begun: the function and its arguments.
template <class Function, class... Args>
class launcher {
public:
    static constexpr bool is_begun_once = begun_once<Function>;
    static constexpr bool is_repeatable = is_begun_once || (is_copyable<Args> && ...);
    static constexpr actor_kind kind{&typeid(Function)};

    template <class... Given>
    explicit launcher(Function function, Given&&... given)
        : function_(std::move(function)), args_(std::forward<Given>(given)...)
    {
        if constexpr ((std::same_as<Args, message> || ...))
            std::apply([](auto&... arg) { (hand_on(arg), ...); }, args_);
    }

    task<> begin(context& self)
    {
        return std::apply([&](Args&... arg) { return function_(self, std::move(arg)...); }, args_);
    }

    /// Throws `std::logic_error` when an argument belongs to a strand other than `there`.
    void check_way(const strand_context& there) const
    {
        if constexpr ((may_be_strand_bound<Args> || ...))
            std::apply(
                [&](const Args&... arg) {
                    for (const strand_context* home : {home_strand(arg)...})
                        if (home != nullptr && home != &there)
                            refuse_to_leave_strand();
                },
                args_);
    }

    /// A recipe that begins with copies of the arguments; null when they cannot be copied, and for a body
    /// that is begun once.
    std::unique_ptr<recipe> repeat() const
    {
        if constexpr (is_repeatable && !is_begun_once)
            return std::make_unique<repeated>(*this);
        else
            return nullptr;
    }

private:
    class repeated final : public recipe {
    public:
        explicit repeated(const launcher& original) : original_(original) {}
        task<> begin(cell& self) const override
        {
            launcher copy(original_);
            return copy.begin(context_of(self));
        }

    private:
        launcher original_;
    };

    /// A request that is given to a child is no longer what the parent's body works on.
    template <class Arg>
    static void hand_on(Arg& given) noexcept
    {
        if constexpr (std::same_as<Arg, message>)
            given.leave_body();
    }

    [[no_unique_address]] Function function_;
    [[no_unique_address]] std::tuple<Args...> args_;
};

/// Where an actor is going to be born, and under which name.
class birth_place {
public:
    /// Chooses the strand. Errors: throws `std::invalid_argument`, or `error` with `errc::engine_stopped`, or
    /// with `errc::cancelled` when the parent is ending.
    birth_place(commons& shared, cell* parent, spawn_options options, bool repeatable);

    /// Lets the actor be born, now when its strand is the caller's, else soon.
    template <class Launcher>
    pid bear(Launcher launch)
    {
        if (!is_here_)
            return send_for(std::move(launch));
        cell& born = target_->open<context>();
        const pid id = target_->pid_of(born);
        try {
            if (!options_.name.empty())
                target_->set_name(born, target_->claim_name(options_.name, id));
            equip(*target_, born, options_, supervisor_, launch);
            target_->begin(born, parent_, launch.begin(context_of(born)), Launcher::kind);
        } catch (...) {
            target_->close(born);
            throw;
        }
        return id;
    }

    /// Do the children of this actor get more than they ask for?
    static bool is_special(const cell& parent) noexcept
    {
        return parent.cold != nullptr && parent.cold->rare != nullptr;
    }

    /// The plain form for children: without options, beside the parent, in its turn.
    template <class Launcher>
    static pid bear_beside(cell& parent, Launcher& launch)
    {
        station& here = station::of(parent);
        if (here.shared().closing.load(std::memory_order_relaxed) || parent.state == life::closing)
            [[unlikely]]
            refuse(here.shared());
        cell& born = here.open<context>();
        try {
            here.begin(born, here.pid_of(parent), launch.begin(context_of(born)), Launcher::kind);
        } catch (...) {
            here.close(born);
            throw;
        }
        return here.pid_of(born);
    }

private:
    [[noreturn]] static void refuse(const commons& shared);

    /// Gives a newly born actor what its options say.
    template <class Launcher>
    static void equip(station& where, cell& born, const spawn_options& options,
        const std::shared_ptr<const supervisor>& from_above, const Launcher& launch)
    {
        if (options.needs_mailbox())
            where.set_mailbox(born, options.mailbox, options.failing);
        if (!options.middleware.empty())
            where.set_middleware(born, options.middleware);
        // Whoever is begun once fails towards whom it works for; its siblings go on.
        static const std::shared_ptr<const supervisor> none;
        const auto& rules = Launcher::is_begun_once ? none : from_above;
        if (options.restart.limit != 0 || options.decide || rules != nullptr)
            where.set_supervision(born, options, rules, launch.repeat());
    }

    /// What the engine and the parent add to the options.
    void inherit(commons& shared, cell* parent);

    /// What is sent to the strand where the actor is going to be born; it stays where it is, so that
    /// arguments whose move throws do so here, at the spawner, or at the birth.
    template <class Launcher>
    struct delivery {
        static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
        static void operator delete(void* memory, std::size_t bytes) noexcept
        {
            arena::deallocate(memory, bytes);
        }

        void operator()()
        {
            cell* const made = target->open_or_give_up<context>(id, parent, name);
            if (made == nullptr)
                return;
            cell& born = *made;
            try {
                if (name != nullptr)
                    target->set_name(born, name);
                equip(*target, born, options, from_above, launch);
                target->begin(born, parent, launch.begin(context_of(born)), Launcher::kind);
            } catch (...) {
                target->begin_failed(born, parent, Launcher::kind, caught_exception());
            }
        }

        Launcher launch;
        station* target;
        pid id;
        pid parent;
        spawn_options options;
        std::shared_ptr<const supervisor> from_above;
        registry::entry* name = nullptr;
    };

    template <class Launcher>
    pid send_for(Launcher launch)
    {
        launch.check_way(target_->home());
        std::unique_ptr<delivery<Launcher>> made(new delivery<Launcher>{
            std::move(launch), target_, target_->reserve(), parent_, options_, supervisor_});
        delivery<Launcher>& sent = *made;
        const pid id = sent.id;
        job& birth = make_job([made = std::move(made)] { (*made)(); });
        announce(id);
        try {
            // It is sent off before others can find the name, so what they send arrives after the birth.
            if (options_.name.empty())
                target_->home().post(birth);
            else
                target_->claim_name(options_.name, id, [&](registry::entry& name) {
                    sent.name = &name;
                    target_->home().post(birth);
                });
        } catch (...) {
            birth.run(&birth, true);
            renounce(id);
            throw;
        }
        return id;
    }

    /// Tells the parent of a child on another strand.
    void announce(pid child);

    /// Takes it back.
    void renounce(pid child) noexcept;

    station* target_;
    cell* parent_cell_;
    pid parent_;
    bool is_here_;
    spawn_options options_;
    std::shared_ptr<const supervisor> supervisor_;
};

}  // namespace costar::machine
