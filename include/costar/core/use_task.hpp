// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/operation_state.hpp>
#include <costar/core/strand.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>

#include <concepts>
#include <coroutine>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar {

/// Completion token that makes any Asio operation awaitable in a task.
///
/// `co_await socket.async_read_some(buffer, use_task)` gives what the operation completes with: nothing, a
/// value or a tuple of values. A leading `error_code` or `exception_ptr` is thrown instead; with
/// `asio::as_tuple(use_task)` all values are returned and nothing is thrown.
///
/// Resumes on the awaiting strand. The handler's associated executor is the strand, its allocator the
/// strand's pool. Cancellation: the operation's cancellation slot follows the awaiting scope (terminal
/// cancellation). In a scope that is cancelled already nothing is started, and `errc::cancelled` is thrown
/// whatever the token. Errors: `errc::cancelled` when the operation's handler is destroyed without a call.
/// Lifetime: the operation starts when awaited.
/// Cost: one pooled block for each operation.
///
/// Thread safety: the cancellation comes from the awaiting strand, wherever the operation runs; so nobody
/// else may use the I/O object meanwhile. A coroutine that `asio::co_spawn` runs on another executor is
/// cancelled there, which is safe. Behind `asio::as_tuple(use_task)` its executor is not seen, and with
/// Boost 1.81 a deadline or a stop may reach into memory that is gone (chriskohlhoff/asio#1332):
/// `as_result(asio::co_spawn(executor, coroutine(), use_task))` does without.
struct use_task_t {
    constexpr use_task_t() noexcept = default;

    /// Gives an I/O object `use_task` as its default token.
    template <class InnerExecutor>
    struct executor_with_default : InnerExecutor {
        using default_completion_token_type = use_task_t;

        template <class OtherExecutor>
            requires(!std::same_as<OtherExecutor, executor_with_default> &&
                std::convertible_to<OtherExecutor, InnerExecutor>)
        executor_with_default(const OtherExecutor& executor) noexcept : InnerExecutor(executor)
        {}
    };

    template <class T>
    using as_default_on_t =
        typename T::template rebind_executor<executor_with_default<typename T::executor_type>>::other;

    /// Moves an I/O object into one that has `use_task` as its default token.
    template <class T>
    static as_default_on_t<std::decay_t<T>> as_default_on(T&& object)
    {
        return as_default_on_t<std::decay_t<T>>(std::forward<T>(object));
    }
};

inline constexpr use_task_t use_task;

}  // namespace costar

namespace costar::machine {

/// Completion handler of an operation awaited with `use_task`. Meant to be called on the strand, as its
/// associated executor says; an operation that calls or drops it elsewhere does no harm.
template <class... Values>
class operation_handler {
public:
    using executor_type = strand;
    using allocator_type = pool_allocator<void>;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit operation_handler(operation_state<Values...>& state) noexcept
        : work_(state.home().get_executor().require(asio::execution::outstanding_work.tracked)),
          state_(&state)
    {}
    operation_handler(operation_handler&& other) noexcept
        : work_(std::move(other.work_)), state_(std::exchange(other.state_, nullptr))
    {}
    ~operation_handler()
    {
        if (state_ != nullptr)
            state_->abandon();
    }

    template <class... Args>
    void operator()(Args&&... args)
    {
        std::exchange(state_, nullptr)->complete(std::forward<Args>(args)...);
    }

    template <class Executor>
    void cancel_on(const Executor& executor)
    {
        state_->cancel_on(executor);
    }

    executor_type get_executor() const noexcept { return state_->home().get_executor(); }
    allocator_type get_allocator() const noexcept { return {}; }
    cancellation_slot_type get_cancellation_slot() const noexcept { return state_->signal.slot(); }

private:
    strand work_;  // keeps the strand's machine in memory until the handler has ended
    operation_state<Values...>* state_;
};

/// Awaiter of an Asio operation.
template <class Initiate, class... Values>
class operation_awaiter : private run_node, private cancel_hook {
public:
    explicit operation_awaiter(Initiate initiate) : cancel_hook(actions), initiate_(std::move(initiate)) {}
    operation_awaiter(const operation_awaiter&) = delete;
    operation_awaiter& operator=(const operation_awaiter&) = delete;
    ~operation_awaiter()
    {
        if (state_ != nullptr) {
            state_->forget();
            state_->release();
        }
    }

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        scope& scope = caller.promise().scope();
        if (scope.is_cancelled())
            return scope.home().must_yield(*this, caller.promise());
        waiter = &caller.promise();
        state_ = operation_state<Values...>::make(scope.home());
        scope.attach(*this);
        std::move(initiate_)(
            operation_handler<Values...>(*state_));  // what it throws passes to the coroutine
        // A cancellation out of the initiation itself may have found no operation yet that could hear of it.
        if (asked_to_end_ && !state_->has_arrived()) [[unlikely]]
            state_->cancel();
        state_->wait(*this);
        return true;
    }

    typename operation_state<Values...>::traits::type await_resume()
    {
        if (state_ == nullptr)
            throw error(errc::cancelled);
        detach();
        if (asked_to_end_ && state_->was_cancelled())
            waiter->scope().cut_short();
        return state_->take();
    }

private:
    static const hook_actions actions;

    Initiate initiate_;
    operation_state<Values...>* state_ = nullptr;
    bool asked_to_end_ = false;
};

template <class Initiate, class... Values>
inline const hook_actions operation_awaiter<Initiate, Values...>::actions{
    .cancel =
        [](cancel_hook& hook) noexcept {
            auto& self = static_cast<operation_awaiter&>(hook);
            if (self.state_->has_arrived())
                return;
            self.asked_to_end_ = true;
            self.state_->cancel();
        },
    .describe = [](const cancel_hook&) { return std::string("an Asio operation"); },
    .is_certain = false};

/// An initiation whose type is forgotten: `asio::redirect_error` of Boost 1.81 has to name what it returns
/// before it knows the operation. Costs one allocation.
template <class... Values>
class erased_initiation {
public:
    template <class Initiate>
        requires(!std::same_as<std::decay_t<Initiate>, erased_initiation>)
    explicit erased_initiation(Initiate&& initiate)
        : held_(std::make_unique<holder<std::decay_t<Initiate>>>(std::forward<Initiate>(initiate)))
    {}

    void operator()(operation_handler<Values...> handler) && { held_->begin(std::move(handler)); }

private:
    struct base {
        virtual ~base() = default;
        virtual void begin(operation_handler<Values...> handler) = 0;
    };

    template <class Initiate>
    struct holder final : base {
        explicit holder(Initiate initiate) : initiate(std::move(initiate)) {}
        void begin(operation_handler<Values...> handler) override { std::move(initiate)(std::move(handler)); }
        Initiate initiate;
    };

    std::unique_ptr<base> held_;
};

/// An Asio operation that has not begun; awaited once, in a task.
template <class Initiate, class... Values>
class [[nodiscard]] operation {
public:
    explicit operation(Initiate initiate) : initiate_(std::move(initiate)) {}

    /// Forgets the type of the initiation.
    template <class Other>
        requires(!std::same_as<Other, Initiate> && std::same_as<Initiate, erased_initiation<Values...>>)
    operation(operation<Other, Values...>&& other) : initiate_(std::move(other.initiate_))
    {}

    operation_awaiter<Initiate, Values...> operator co_await() &&
    {
        return operation_awaiter<Initiate, Values...>(std::move(initiate_));
    }

private:
    template <class, class...>
    friend class operation;

    Initiate initiate_;
};

template <class... Values, class Initiate>
operation<Initiate, Values...> make_operation(Initiate initiate)
{
    return operation<Initiate, Values...>(std::move(initiate));
}

/// `asio::awaitable` awaited in a task: it runs on the awaiting strand.
template <class T, class Executor>
struct await_as<asio::awaitable<T, Executor>> {
    static auto convert(asio::awaitable<T, Executor> inner)
    {
        return asio::co_spawn(strand_context::current()->get_executor(), std::move(inner), use_task);
    }
};

template <class T>
inline constexpr bool is_asio_awaitable = false;
template <class T, class Executor>
inline constexpr bool is_asio_awaitable<asio::awaitable<T, Executor>> = true;

/// What `asio::co_spawn` hands to its completion token: an initiation that knows where the coroutine runs,
/// and a function that makes it.
template <class Initiation, class... Args>
inline constexpr bool starts_coroutine = false;
template <class Initiation, class Function>
    requires requires(const Initiation& initiation, Function& function) {
        initiation.get_executor();
        requires is_asio_awaitable<decltype(function())>;
    }
inline constexpr bool starts_coroutine<Initiation, Function> = true;

/// A deferred Asio operation awaited in a task.
template <class T>
    requires asio::is_deferred<T>::value
struct await_as<T> {
    static auto convert(T inner) { return std::move(inner)(use_task); }
};

}  // namespace costar::machine

/// How Asio makes an awaitable operation of `costar::use_task`.
template <class Return, class... Values>
class boost::asio::async_result<costar::use_task_t, Return(Values...)> {
public:
    using return_type = costar::machine::operation<costar::machine::erased_initiation<Values...>, Values...>;

    template <class Initiation, class... Args>
    static auto initiate(Initiation&& initiation, costar::use_task_t, Args&&... args)
    {
        return costar::machine::make_operation<Values...>([initiation = std::decay_t<Initiation>(
                                                               std::forward<Initiation>(initiation)),
                                                              args = std::tuple<std::decay_t<Args>...>(
                                                                  std::forward<Args>(args)...)](
                                                              auto handler) mutable {
            if constexpr (costar::machine::starts_coroutine<std::decay_t<Initiation>, std::decay_t<Args>...>)
                handler.cancel_on(initiation.get_executor());
            std::apply(
                [&](auto&... arg) { std::move(initiation)(std::move(handler), std::move(arg)...); }, args);
        });
    }
};
