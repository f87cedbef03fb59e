// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace costar {

/// What is done about an actor that crashed.
enum class directive : std::uint8_t {
    /// It goes on with its next message and the state it has. Only for actor classes, whose loop the library
    /// owns; a coroutine has unwound and is begun anew instead.
    resume,

    /// It is begun anew with the arguments it was spawned with.
    restart,

    /// It ends.
    stop,

    /// It ends, and its parent crashes with the same exception. An actor without parent just ends.
    escalate,
};

std::string_view to_string(directive what) noexcept;

/// How often a crashed actor is begun anew before its crash is final, and after which pause.
struct restart_policy {
    /// No limit.
    static constexpr std::uint32_t always = UINT32_MAX;

    /// Restarts allowed within `within`, counted for each actor. 0 says nothing: then the policy of its
    /// parent's supervisor or of the guardian counts as a whole, else ten in ten seconds where there is a
    /// `spawn_options::decide`, and where nobody says anything the first crash ends the actor. To have that
    /// for certain: `.decide = decider().otherwise(directive::stop)`.
    std::uint32_t limit = 0;

    /// The window that slides over past restarts; zero counts all of them.
    std::chrono::nanoseconds within = std::chrono::minutes(1);

    /// Pause between a crash and the new beginning.
    std::chrono::nanoseconds delay{0};

    /// The pause doubles with each restart up to this; zero keeps it as it is.
    std::chrono::nanoseconds longest_delay{0};

    /// Which part of a pause is left to chance, from 0 to 1, so that those who failed together do not come
    /// back together. A pause is never longer than without it.
    double jitter = 0;

    /// An actor that has lived for so long since its last beginning starts again with the first pause; zero
    /// takes `within`.
    std::chrono::nanoseconds healthy_after{0};

    /// Children live on through a restart; else they are stopped first, and the new beginning makes its own.
    bool keep_children = false;
};

/// What becomes of the message over which an actor crashed. Its asker, if any, is told `errc::actor_failed`
/// as soon as it is not redelivered any more.
struct failing_message {
    /// How often it is given to the actor again, before all others. Handlers that take it by value get a copy
    /// then; a message that cannot be copied and was moved from is not redelivered.
    std::uint32_t redeliveries = 0;

    /// At last it becomes a dead letter; else it is dropped.
    bool becomes_dead_letter = false;
};

/// Decides by the type of an exception what is done about a crash.
///
/// `costar::on<std::bad_alloc>(directive::escalate).on<bad_input>(directive::resume)` asks its rules in
/// order; what none of them names is restarted, unless `otherwise` says something else. A function
/// `directive(const std::exception_ptr&)` is a decider too. It is called on the strand of the actor that
/// crashed. An empty one has no opinion.
class decider {
public:
    decider() = default;

    template <class Function>
        requires(!std::same_as<std::remove_cvref_t<Function>, decider>) &&
        std::is_invocable_r_v<directive, const Function&, const std::exception_ptr&>
    decider(Function function) : function_(std::move(function))
    {}

    /// Adds a rule for `Exception` and what derives from it, behind those that are there.
    template <class Exception>
    decider&& on(directive what) &&
    {
        rules_.push_back({&is<Exception>, what});
        return std::move(*this);
    }

    /// What is done about all that no rule names.
    decider&& otherwise(directive what) &&
    {
        otherwise_ = what;
        has_otherwise_ = true;
        return std::move(*this);
    }

    explicit operator bool() const noexcept { return function_ || !rules_.empty() || has_otherwise_; }

    /// Errors: what a function throws counts as `directive::stop`.
    directive operator()(const std::exception_ptr& failure) const noexcept;

private:
    struct rule {
        bool (*matches)(const std::exception_ptr&) noexcept;
        directive what;
    };

    template <class Exception>
    static bool is(const std::exception_ptr& failure) noexcept
    {
        try {
            std::rethrow_exception(failure);
        } catch (const Exception&) {
            return true;
        } catch (...) {
            return false;
        }
    }

    std::vector<rule> rules_;
    std::function<directive(const std::exception_ptr&)> function_;
    directive otherwise_ = directive::restart;
    bool has_otherwise_ = false;
};

/// Begins a decider with a rule for `Exception`.
template <class Exception>
decider on(directive what)
{
    return decider().on<Exception>(what);
}

/// Whom a crash concerns.
enum class strategy : std::uint8_t {
    one_for_one,   ///< the child that crashed
    all_for_one,   ///< all children of its parent: they depend on each other
    rest_for_one,  ///< it and the children that were spawned after it: they depend on it
};

/// How an actor deals with crashes of its children, or an engine with those of actors without parent; see
/// `context::supervise` and `engine_options::guardian`. What a child says for itself in its `spawn_options`
/// goes first.
struct supervisor {
    costar::strategy strategy = costar::strategy::one_for_one;
    restart_policy restart{.limit = 10, .within = std::chrono::seconds(10)};
    decider decide{};
};

/// The supervisors by their names.
inline supervisor one_for_one(restart_policy restart = supervisor().restart, decider decide = {})
{
    return {strategy::one_for_one, restart, std::move(decide)};
}
inline supervisor all_for_one(restart_policy restart = supervisor().restart, decider decide = {})
{
    return {strategy::all_for_one, restart, std::move(decide)};
}
inline supervisor rest_for_one(restart_policy restart = supervisor().restart, decider decide = {})
{
    return {strategy::rest_for_one, restart, std::move(decide)};
}
inline supervisor always_restart(decider decide = {})
{
    return {strategy::one_for_one, {.limit = restart_policy::always}, std::move(decide)};
}

/// Restarts without limit after pauses that double from `first` to `longest`, a fifth of them left to chance.
inline supervisor exponential_backoff(std::chrono::nanoseconds first, std::chrono::nanoseconds longest,
    std::chrono::nanoseconds healthy_after = std::chrono::minutes(1), decider decide = {})
{
    return {strategy::one_for_one,
        {.limit = restart_policy::always,
            .delay = first,
            .longest_delay = longest,
            .jitter = 0.2,
            .healthy_after = healthy_after},
        std::move(decide)};
}

}  // namespace costar
