// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/behaviours.hpp>
#include <costar/actor/context.hpp>
#include <costar/core/task.hpp>
#include <costar/core/when.hpp>
#include <costar/kernel/message.hpp>
#include <costar/post/call_operators.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// Runs an object of an actor class: takes messages one at a time and calls the operator for each.
///
/// The class may have functions that are called at the turns of its life, with `context&` or without, plain
/// or as `task<>`:
///
/// - `started` before the first message, of each beginning;
/// - `restarting` when it has crashed and is going to be begun anew, before its children are stopped;
/// - `stopping` when it is time to end and the children still live: after a stop, a poison pill or the last
///   crash; once;
/// - `stopped` when the children have ended; once.
///
/// What they throw is a crash, and one in `stopping` or `stopped` does not bring the actor back; after one in
/// `stopping` there is no `stopped`. But `errc::cancelled`, which a second receive beyond the end throws,
/// only ends the function: a crash before it stays the reason.
template <class Actor>
class class_actor {
public:
    /// The body of the actor. The object is made first, in the actor's own turn, and ends with the body.
    template <class... Args>
    static task<> run(context& self, Args... args)
    {
        Actor actor(std::move(args)...);
        if constexpr (has_hooks) {
            co_await live(actor, self);
        } else {
            while (message received = co_await self.receive()) {
                task<> pending = begin(actor, self, received);
                if (!pending)
                    continue;
                try {
                    co_await std::move(pending);
                } catch (...) {
                    survive(self, received);
                }
            }
        }
    }

private:
    using messages = typename messages_of<Actor>::type;

    template <class... Message>
    static constexpr bool handles_all(message_list<Message...>)
    {
        return (handles<Actor, Message> && ...);
    }
    static_assert(list_size<messages> != 0,
        "an actor class has a public call operator for each message: void operator()(const my_message& "
        "message)");
    static_assert(handles_all(messages{}),
        "an actor class has one public call operator for each message, which takes it alone or behind "
        "context&; here one is private or takes something else, or two of them take the same message");

    // What is called at the turns of its life.
    static constexpr auto started = [](auto& actor, auto&... self)
        requires requires { actor.started(self...); }
    { return actor.started(self...); };
    static constexpr auto restarting = [](auto& actor, auto&... self)
        requires requires { actor.restarting(self...); }
    { return actor.restarting(self...); };
    static constexpr auto stopping = [](auto& actor, auto&... self)
        requires requires { actor.stopping(self...); }
    { return actor.stopping(self...); };
    static constexpr auto stopped = [](auto& actor, auto&... self)
        requires requires { actor.stopped(self...); }
    { return actor.stopped(self...); };

    template <class Hook>
    static constexpr bool has(const Hook&)
    {
        return std::is_invocable_v<const Hook&, Actor&, context&> || std::is_invocable_v<const Hook&, Actor&>;
    }
    template <class Hook>
    static constexpr bool gives_nothing(const Hook&)
    {
        if constexpr (std::is_invocable_v<const Hook&, Actor&, context&>)
            return is_hook_result<std::invoke_result_t<const Hook&, Actor&, context&>>;
        else if constexpr (std::is_invocable_v<const Hook&, Actor&>)
            return is_hook_result<std::invoke_result_t<const Hook&, Actor&>>;
        else
            return true;
    }
    template <class Result>
    static constexpr bool is_hook_result = std::is_void_v<Result> || std::same_as<Result, task<>>;
    static_assert(gives_nothing(started) && gives_nothing(restarting) && gives_nothing(stopping) &&
            gives_nothing(stopped),
        "started, restarting, stopping and stopped of an actor class give nothing, or are a task<>");
    static_assert((has(started) || !requires { &Actor::started; }) &&
            (has(restarting) || !requires { &Actor::restarting; }) &&
            (has(stopping) || !requires { &Actor::stopping; }) &&
            (has(stopped) || !requires { &Actor::stopped; }),
        "started, restarting, stopping and stopped of an actor class take context& or nothing, and are "
        "public");

    static constexpr bool has_hooks = has(started) || has(restarting) || has(stopping) || has(stopped);

    template <class Hook>
    static task<> call_hook(const Hook& hook, Actor& actor, context& self)
    {
        if constexpr (std::is_invocable_v<const Hook&, Actor&, context&>) {
            if constexpr (is_task<std::invoke_result_t<const Hook&, Actor&, context&>>)
                co_await hook(actor, self);
            else
                hook(actor, self);
        } else if constexpr (std::is_invocable_v<const Hook&, Actor&>) {
            if constexpr (is_task<std::invoke_result_t<const Hook&, Actor&>>)
                co_await hook(actor);
            else
                hook(actor);
        }
        co_return;
    }

    /// A hook that comes after the body. One that is cancelled, as by a receive beyond the end, is over; what
    /// else it throws is a crash.
    template <class Hook>
    static task<> call_late_hook(const Hook& hook, Actor& actor, context& self)
    {
        try {
            co_await call_hook(hook, actor, self);
        } catch (...) {
            if (!is_cancellation(std::current_exception()))
                throw;
        }
    }

    static task<> live(Actor& actor, context& self)
    {
        std::exception_ptr failure;
        try {
            co_await call_hook(started, actor, self);
            while (message received = co_await self.receive()) {
                task<> pending = begin(actor, self, received);
                if (!pending)
                    continue;
                try {
                    co_await std::move(pending);
                } catch (...) {
                    survive(self, received);
                }
            }
        } catch (...) {
            failure = caught_exception();
        }
        if (station::of(self).is_begun_anew(self, failure)) {
            if constexpr (has(restarting))
                co_await shield(call_late_hook(restarting, actor, self));
        } else {
            co_await shield(call_late_hook(stopping, actor, self));
            if constexpr (has(stopped)) {
                co_await self.end_children();
                co_await shield(call_late_hook(stopped, actor, self));
            }
        }
        if (failure)
            std::rethrow_exception(failure);
    }

    /// Calls the handler of a message; one that awaits is given back.
    static task<> begin(Actor& actor, context& self, message& received)
    {
        try {
            if constexpr (std::derived_from<Actor, behaviours>)
                if (actor.has_become()) {
                    actor.behaviours::operator()(received);
                    return {};
                }
            if constexpr (any_awaits(messages{}))
                if (task<> pending = call_awaiting(messages{}, actor, self, received))
                    return pending;
            call_plain(messages{}, actor, self, received);
        } catch (...) {
            survive(self, received);
        }
        return {};
    }

    /// Called in a handler of exceptions: throws again what the actor does not survive.
    static void survive(context& self, message& received)
    {
        if (!station::of(self).resumes(self, caught_exception()))
            throw;
        received.fail();
    }

    template <class Message>
    static decltype(auto) call(Actor& actor, context& self, Message& value)
    {
        if constexpr (requires { actor(self, std::move(value)); })
            return actor(self, std::move(value));
        else if constexpr (requires { actor(self, value); })
            return actor(self, value);
        else if constexpr (requires { actor(std::move(value)); })
            return actor(std::move(value));
        else
            return actor(value);
    }

    template <class Message>
    using result = decltype(call(std::declval<Actor&>(), std::declval<context&>(), std::declval<Message&>()));

    /// Calls a handler so that a message that may come again stays whole, where it can be copied.
    template <class Message>
    static decltype(auto) call_whole(Actor& actor, context& self, message& received, Message& value)
    {
        if constexpr (!std::is_trivially_copyable_v<Message> && takes<Message&&, Message>) {
            if (received.may_come_again()) [[unlikely]] {
                constexpr bool awaits = is_task<result<Message>>;
                if constexpr (is_copyable<Message> && awaits && takes<const Message&, Message>) {
                    return call<const Message>(actor, self, value);
                } else if constexpr (is_copyable<Message> && !awaits &&
                    !std::is_reference_v<result<Message>>) {
                    Message copy(value);
                    return call<Message>(actor, self, copy);
                } else {
                    received.envelope_->mark_moved();
                }
            }
        }
        return call<Message>(actor, self, value);
    }

    /// Is there a handler that takes this? One by value makes a copy of a constant.
    template <class Value, class Message>
    static constexpr bool takes = requires(Actor& actor, context& self, Value value) {
        { actor(self, static_cast<Value>(value)) } -> std::same_as<result<Message>>;
    } || requires(Actor& actor, Value value) {
        { actor(static_cast<Value>(value)) } -> std::same_as<result<Message>>;
    };

    template <class... Message>
    static constexpr bool any_awaits(message_list<Message...>)
    {
        return (is_task<result<Message>> || ...);
    }

    template <class... Message>
    static void call_plain(message_list<Message...>, Actor& actor, context& self, message& received)
    {
        static_cast<void>((call_if<Message>(actor, self, received) || ...));
    }

    template <class Message>
    static bool call_if(Actor& actor, context& self, message& received)
    {
        if constexpr (is_task<result<Message>>) {
            return false;
        } else {
            if (!received.holds<Message>())
                return false;
            Message& value = received.open<Message>();
            received.respond_with<Message>(
                [&]() -> decltype(auto) { return call_whole<Message>(actor, self, received, value); });
            return true;
        }
    }

    template <class... Message>
    static task<> call_awaiting(message_list<Message...>, Actor& actor, context& self, message& received)
    {
        task<> pending;
        static_cast<void>((begin_if<Message>(actor, self, received, pending) || ...));
        return pending;
    }

    template <class Message>
    static bool begin_if(Actor& actor, context& self, message& received, task<>& pending)
    {
        if constexpr (!is_task<result<Message>>) {
            return false;
        } else {
            if (!received.holds<Message>())
                return false;
            pending = await_and_respond<Message>(
                call_whole<Message>(actor, self, received, received.open<Message>()), received);
            return true;
        }
    }

    template <class Message, class T>
    static task<> await_and_respond(task<T> handler, message& received)
    {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(handler);
            received.respond_with<Message>([] {});
        } else {
            T value = co_await std::move(handler);
            received.respond_with<Message>([&]() -> T { return std::move(value); });
        }
    }
};

}  // namespace costar::machine
