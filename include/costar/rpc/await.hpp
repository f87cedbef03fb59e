// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/completion.hpp>
#include <costar/core/use_task.hpp>
#include <costar/rpc/error.hpp>
#include <costar/rpc/event_loop.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <capnp/capability.h>
#include <kj/async.h>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// How the value of a promise reaches a handler, and what keeps it until then.
template <class T>
struct promised {
    using kept = std::optional<T>;
    using signature = void(std::exception_ptr, typename handed_over<T>::type);
};

template <>
struct promised<void> {
    struct kept {};
    using signature = void(std::exception_ptr);
};

/// Waits for a promise on behalf of a completion handler.
///
/// KJ must not be left by its own callback: a handler may destroy what is calling back. So the callback keeps
/// the value, and the pump calls the handler.
template <class T, class Handler>
class handler_wait final : public promise_wait {
public:
    static void start(kj::Promise<T> promise, Handler handler)
    {
        kj_loop& loop = kj_loop::here();
        allocator memory = asio::get_associated_allocator(handler, pool_allocator<void>());
        auto* made = std::allocator_traits<allocator>::allocate(memory, 1);
        try {
            ::new (static_cast<void*>(made)) handler_wait(loop, std::move(handler), memory);
        } catch (...) {
            std::allocator_traits<allocator>::deallocate(memory, made, 1);
            throw;
        }
        loop.begin(*made);
        made->listen(kj::mv(promise));
    }

    void finish() override
    {
        let_go();
        Handler handler(std::move(handler_));
        auto executor = std::move(executor_);
        std::exception_ptr failure = std::move(failure_);
        if constexpr (std::is_void_v<T>) {
            destroy();
            asio::dispatch(executor, [handler = std::move(handler), failure = std::move(failure)]() mutable {
                std::move(handler)(std::move(failure));
            });
        } else {
            auto value = take();
            destroy();
            asio::dispatch(executor,
                [handler = std::move(handler), failure = std::move(failure),
                    value = std::move(value)]() mutable {
                    std::move(handler)(std::move(failure), std::move(value));
                });
        }
    }

private:
    using allocator = typename std::allocator_traits<
        asio::associated_allocator_t<Handler, pool_allocator<void>>>::template rebind_alloc<handler_wait>;
    using associated = asio::associated_executor_t<Handler, asio::any_io_executor>;
    using tracking = std::decay_t<decltype(asio::prefer(
        std::declval<associated>(), asio::execution::outstanding_work.tracked))>;

    handler_wait(kj_loop& loop, Handler handler, const allocator& memory)
        : promise_wait([](stray& self) noexcept { static_cast<handler_wait&>(self).abandon(); }),
          loop_(loop),
          memory_(memory),
          handler_(std::move(handler)),
          executor_(asio::prefer(asio::get_associated_executor(handler_, loop.get_executor()),
              asio::execution::outstanding_work.tracked))
    {}
    ~handler_wait() = default;

    void abandon() noexcept
    {
        let_go();
        destroy();
    }

    /// From now on neither the promise nor a signal finds it.
    void let_go() noexcept
    {
        waiting_ = nullptr;
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected())
            slot.clear();
    }

    void listen(kj::Promise<T> promise)
    {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected())
            slot.assign([this](asio::cancellation_type) { cancel(); });
        auto fails = [this](kj::Exception&& thrown) { fail(rpc::to_exception(thrown)); };
        if constexpr (std::is_void_v<T>)
            waiting_ = promise.then([this] { arrive(); }, kj::mv(fails)).eagerlyEvaluate(nullptr);
        else
            waiting_ = promise
                           .then(
                               [this](T&& value) {
                                   value_.emplace(kj::mv(value));
                                   arrive();
                               },
                               kj::mv(fails))
                           .eagerlyEvaluate(nullptr);
    }

    void arrive() noexcept
    {
        if (!has_arrived_) {
            has_arrived_ = true;
            loop_.end(*this);
        }
    }

    void fail(std::exception_ptr failure) noexcept
    {
        failure_ = std::move(failure);
        arrive();
    }

    void cancel()
    {
        if (has_arrived_)
            return;
        waiting_ = nullptr;
        fail(std::make_exception_ptr(costar::error(costar::errc::cancelled)));
    }

    auto take()
    {
        using handed = typename handed_over<T>::type;
        if constexpr (std::is_default_constructible_v<T>)
            return value_ ? handed(std::move(*value_)) : handed();
        else
            return handed(std::move(value_));
    }

    void destroy() noexcept
    {
        allocator memory(std::move(memory_));
        this->~handler_wait();
        std::allocator_traits<allocator>::deallocate(memory, this, 1);
    }

    kj_loop& loop_;
    [[no_unique_address]] allocator memory_;
    Handler handler_;
    tracking executor_;
    bool has_arrived_ = false;
    std::exception_ptr failure_;
    [[no_unique_address]] typename promised<T>::kept value_;
    kj::Promise<void> waiting_ = nullptr;
};

}  // namespace costar::machine

namespace costar::rpc {

/// Waits for a promise of KJ or Cap'n Proto as an Asio operation, for any completion token.
///
/// Completes with `void(std::exception_ptr)` or `void(std::exception_ptr, T)`; a `T` without a default
/// constructor comes as `std::optional<T>`, as a `capnp::Response` does. What fails is an `rpc::error`. The
/// handler is called on its associated executor, else on that of the event loop, never inside a callback of
/// KJ. In a task this is what `co_await promise` does, which gives the `T` itself.
///
/// Thread safety: where the event loop is present: in a turn of a strand, or on the thread of an
/// `rpc::event_loop`; the cancellation signal too. Cancellation: any type drops the promise, which cancels
/// the call on the peer's side as far as that allows it, and the handler gets `errc::cancelled`. Lifetime: a
/// wait that is left when the event loop ends destroys its handler without calling it. Errors: throws
/// `std::logic_error` where there is no event loop. Cost: one block beside those of KJ.
template <class T, class Token>
auto async_wait(kj::Promise<T> promise, Token&& token)
{
    return asio::async_initiate<Token, typename machine::promised<T>::signature>(
        [](auto handler, kj::Promise<T> promise) {
            machine::handler_wait<T, decltype(handler)>::start(kj::mv(promise), std::move(handler));
        },
        token, kj::mv(promise));
}

/// As above, for a call: the `capnp::Response` with its results. The promise for pipelining ends here; copy
/// the capabilities that you go on with before.
template <class Results, class Token>
auto async_wait(capnp::RemotePromise<Results> call, Token&& token)
{
    return async_wait(kj::Promise<capnp::Response<Results>>(kj::mv(call)), std::forward<Token>(token));
}

}  // namespace costar::rpc

namespace costar::machine {

/// A promise of KJ awaited in a task gives its value.
template <class T>
struct await_as<kj::Promise<T>> {
    class awaiting {
    public:
        explicit awaiting(kj::Promise<T> promise) : operation_(rpc::async_wait(kj::mv(promise), use_task)) {}

        class awaiter {
        public:
            template <class Operation>
            explicit awaiter(Operation operation) : inner_(std::move(operation).operator co_await())
            {}
            bool await_ready() const noexcept { return false; }
            template <class Promise>
            bool await_suspend(std::coroutine_handle<Promise> caller)
            {
                return inner_.await_suspend(caller);
            }
            T await_resume()
            {
                if constexpr (std::is_void_v<T>)
                    inner_.await_resume();
                else if constexpr (std::is_default_constructible_v<T>)
                    return inner_.await_resume();
                else
                    return std::move(*inner_.await_resume());
            }

        private:
            using operation = decltype(rpc::async_wait(std::declval<kj::Promise<T>>(), use_task));
            decltype(std::declval<operation>().operator co_await()) inner_;
        };

        awaiter operator co_await() && { return awaiter(std::move(operation_)); }

    private:
        decltype(rpc::async_wait(std::declval<kj::Promise<T>>(), use_task)) operation_;
    };

    static awaiting convert(kj::Promise<T> promise) { return awaiting(kj::mv(promise)); }
};

/// A call awaited in a task gives its results.
template <class Results>
struct await_as<capnp::RemotePromise<Results>> : await_as<kj::Promise<capnp::Response<Results>>> {};

}  // namespace costar::machine
