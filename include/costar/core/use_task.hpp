// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
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
#include <exception>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar {

/// Completion token that makes any Asio operation awaitable in a task.
///
/// `co_await socket.async_read_some(buffer, use_task)` gives what the operation completes with: nothing, a value or a
/// tuple of values. A leading `error_code` or `exception_ptr` is thrown instead; with `asio::as_tuple(use_task)` all
/// values are returned and nothing is thrown.
///
/// Resumes on the awaiting strand. The handler's associated executor is the strand, its allocator the strand's pool.
/// Cancellation: the operation's cancellation slot follows the awaiting scope (terminal cancellation).
/// Lifetime: the operation starts when awaited.
/// Cost: one pooled block for each operation.
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
        {
        }
    };

    template <class T>
    using as_default_on_t = typename T::template rebind_executor<
        executor_with_default<typename T::executor_type>>::other;
};

inline constexpr use_task_t use_task;

/// How the values of an Asio signature become the result of a `co_await`.
template <class... Values>
struct operation_result {
    using type = std::tuple<Values...>;
    static type take(std::tuple<Values...>& values) { return std::move(values); }
};

template <>
struct operation_result<> {
    using type = void;
    static void take(std::tuple<>&) noexcept {}
};

template <class Value>
struct operation_result<Value> {
    using type = Value;
    static Value take(std::tuple<Value>& values) { return std::move(std::get<0>(values)); }
};

/// Splits a leading error off the values of an Asio signature.
template <class... Values>
struct operation_values : operation_result<Values...> {
    using stored = std::tuple<Values...>;

    template <class... Args>
    static stored store(std::exception_ptr&, Args&&... args)
    {
        return stored(std::forward<Args>(args)...);
    }
};

template <class... Values>
struct operation_values<boost::system::error_code, Values...> : operation_result<Values...> {
    using stored = std::tuple<Values...>;

    template <class... Args>
    static stored store(std::exception_ptr& failure, const boost::system::error_code& code, Args&&... args)
    {
        if (code)
            failure = std::make_exception_ptr(boost::system::system_error(code));
        return stored(std::forward<Args>(args)...);
    }
};

template <class... Values>
struct operation_values<std::exception_ptr, Values...> : operation_result<Values...> {
    using stored = std::tuple<Values...>;

    template <class... Args>
    static stored store(std::exception_ptr& failure, std::exception_ptr thrown, Args&&... args)
    {
        failure = std::move(thrown);
        return stored(std::forward<Args>(args)...);
    }
};

/// Where an Asio handler and the coroutine that waits for it meet. It outlives both, so a handler that is called or
/// destroyed after its coroutine finds nobody and does no harm.
template <class... Values>
class operation_state {
public:
    using traits = operation_values<std::decay_t<Values>...>;

    static operation_state* make(strand_context& home)
    {
        return ::new (arena::current().allocate(sizeof(operation_state))) operation_state(home);
    }

    void release() noexcept
    {
        if (--references_ == 0) {
            this->~operation_state();
            arena::deallocate(this, sizeof(operation_state));
        }
    }

    template <class... Args>
    void complete(Args&&... args)
    {
        if (node_ != nullptr)
            values_.emplace(traits::store(failure_, std::forward<Args>(args)...));
        wake();
    }

    /// The handler was destroyed without a call: its context is gone or dropped it.
    void abandon() noexcept
    {
        if (!values_ && !failure_)
            failure_ = std::make_exception_ptr(error(errc::cancelled));
        wake();
    }

    typename traits::type take()
    {
        if (failure_)
            std::rethrow_exception(failure_);
        return traits::take(*values_);
    }

    void wait(run_node& node) noexcept { node_ = &node; }
    void forget() noexcept { node_ = nullptr; }
    strand_context& home() const noexcept { return *home_; }

    asio::cancellation_signal signal;

private:
    explicit operation_state(strand_context& home) noexcept : home_(&home) {}

    void wake() noexcept
    {
        if (run_node* node = std::exchange(node_, nullptr))
            home_->make_ready(*node);
    }

    strand_context* home_;
    run_node* node_ = nullptr;
    std::exception_ptr failure_;
    std::optional<typename traits::stored> values_;
    int references_ = 2;
};

/// Completion handler of an operation awaited with `use_task`. Runs on the strand.
template <class... Values>
class operation_handler {
public:
    using executor_type = strand;
    using allocator_type = pool_allocator<void>;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit operation_handler(operation_state<Values...>& state) noexcept : state_(&state) {}
    operation_handler(operation_handler&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    ~operation_handler()
    {
        if (state_ != nullptr) {
            if (strand_context::current() == &state_->home())
                state_->abandon();
            state_->release();
        }
    }

    template <class... Args>
    void operator()(Args&&... args)
    {
        operation_state<Values...>* state = std::exchange(state_, nullptr);
        state->complete(std::forward<Args>(args)...);
        state->release();
    }

    executor_type get_executor() const noexcept { return state_->home().get_executor(); }
    allocator_type get_allocator() const noexcept { return {}; }
    cancellation_slot_type get_cancellation_slot() const noexcept { return state_->signal.slot(); }

private:
    operation_state<Values...>* state_;
};

/// Awaiter of an Asio operation.
template <class Initiate, class... Values>
class operation_awaiter : private run_node, private cancel_hook {
public:
    explicit operation_awaiter(Initiate initiate) : cancel_hook(actions), initiate_(std::move(initiate)) {}
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
            return false;
        waiter = &caller.promise();
        state_ = operation_state<Values...>::make(scope.home());
        state_->wait(*this);
        scope.attach(*this);
        std::move(initiate_)(operation_handler<Values...>(*state_));
        return true;
    }

    typename operation_state<Values...>::traits::type await_resume()
    {
        if (state_ == nullptr)
            throw error(errc::cancelled);
        detach();
        return state_->take();
    }

private:
    static const hook_actions actions;

    Initiate initiate_;
    operation_state<Values...>* state_ = nullptr;
};

template <class Initiate, class... Values>
inline const hook_actions operation_awaiter<Initiate, Values...>::actions{
    .cancel =
        [](cancel_hook& hook) noexcept {
            auto& self = static_cast<operation_awaiter&>(hook);
            self.state_->signal.emit(asio::cancellation_type::terminal);
        },
    .describe = [](const cancel_hook&) { return std::string("an Asio operation"); }};

/// An Asio operation that has not begun; awaited once, in a task.
template <class Initiate, class... Values>
class [[nodiscard]] operation {
public:
    explicit operation(Initiate initiate) : initiate_(std::move(initiate)) {}

    operation_awaiter<Initiate, Values...> operator co_await() &&
    {
        return operation_awaiter<Initiate, Values...>(std::move(initiate_));
    }

private:
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

/// A deferred Asio operation awaited in a task.
template <class T>
    requires asio::is_deferred<T>::value
struct await_as<T> {
    static auto convert(T inner) { return std::move(inner)(use_task); }
};

}  // namespace costar

/// How Asio makes an awaitable operation of `costar::use_task`.
template <class Return, class... Values>
class boost::asio::async_result<costar::use_task_t, Return(Values...)> {
public:
    template <class Initiation, class... Args>
    static auto initiate(Initiation&& initiation, costar::use_task_t, Args&&... args)
    {
        return costar::make_operation<Values...>(
            [initiation = std::decay_t<Initiation>(std::forward<Initiation>(initiation)),
             args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)](auto handler) mutable {
                std::apply(
                    [&](auto&... arg) { std::move(initiation)(std::move(handler), std::move(arg)...); }, args);
            });
    }
};
