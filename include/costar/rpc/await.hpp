// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/completion.hpp>
#include <costar/core/use_task.hpp>
#include <costar/rpc/error.hpp>
#include <costar/rpc/event_loop.hpp>
#include <costar/rpc/nothrow.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <capnp/capability.h>
#include <kj/async.h>

#include <concepts>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace costar::rpc {

/// What a call gives: its results, read as from a `capnp::Response`, which it is. Made without a call it has
/// the defaults of the schema. Its destructor does not throw; see `rpc::nothrow`.
template <class Results>
class answer : public capnp::Response<Results> {
public:
    static constexpr bool belongs_to_strand = true;

    answer() : capnp::Response<Results>(typename Results::Reader(), kj::Own<capnp::ResponseHook>()) {}
    answer(capnp::Response<Results>&& came) : capnp::Response<Results>(kj::mv(came)) {}
    answer(answer&&) = default;
    answer& operator=(answer&&) = default;
    ~answer() noexcept {}
};

/// A promise of KJ or Cap'n Proto, whose destructor does not throw; see `rpc::nothrow`. It is awaited and
/// chained as the promise that it is.
template <class Promise>
class [[nodiscard]] pending : public Promise {
public:
    pending(Promise&& promise) : Promise(kj::mv(promise)) {}
    pending(pending&&) = default;
    pending& operator=(pending&&) = default;
    ~pending() noexcept {}
};

/// Sends a call, streamed or not: `co_await rpc::send(request)` gives its results. The same as
/// `request.send()`, for all compilers; see `rpc::nothrow`. On a strand that has used nothing of Cap'n Proto
/// yet it makes the event loop, which `request.send()` finds missing where the object lives in this process.
///
/// Errors: throws `std::logic_error` where there is no event loop.
template <class Request>
auto send(Request&& request)
{
    machine::kj_loop::here();
    return pending<decltype(request.send())>(request.send());
}

}  // namespace costar::rpc

namespace costar::machine {

/// How the value of a promise reaches a handler, and what keeps it until then.
template <class T>
struct promised {
    using value = T;
    using kept = std::optional<T>;
    using signature = void(std::exception_ptr, typename handed_over<T>::type);
};

template <>
struct promised<void> {
    using value = void;
    struct kept {};
    using signature = void(std::exception_ptr);
};

template <class Results>
struct promised<capnp::Response<Results>> : promised<rpc::answer<Results>> {};

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
        using value = typename promised<T>::value;
        using handed = typename handed_over<value>::type;
        if constexpr (std::is_default_constructible_v<value>)
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

/// Waits for a promise of KJ or Cap'n Proto as an Asio operation, for any completion token. The promise is
/// used up; KJ does not look whether it was before.
///
///     auto answer = co_await rpc::async_wait(rpc::send(request), asio::use_awaitable);
///
/// Completes with `void(std::exception_ptr)` or `void(std::exception_ptr, T)`; a `capnp::Response` comes as
/// an `rpc::answer`, any other `T` without a default constructor as `std::optional<T>`. What fails is an
/// `rpc::error`. The handler is called on its associated executor, else on that of the event loop, never
/// inside a callback of KJ. An answer, and whatever else of Cap'n Proto comes, belongs to the event loop: so
/// a handler whose executor is run by other threads, and `use_future`, are for values alone. In a task this
/// is what `co_await promise` does, which gives the `T` itself. The promise for pipelining ends here; copy
/// the capabilities that you go on with before.
///
/// Thread safety: where the event loop is present: in a turn of a strand, or on the thread of an
/// `rpc::event_loop`; the cancellation signal too. Cancellation: any type drops the promise, which cancels
/// the call on the peer's side as far as that allows it, and the handler gets `errc::cancelled`. Lifetime: a
/// wait that is left when the event loop ends destroys its handler without calling it. Errors: throws
/// `std::logic_error` where there is no event loop. Cost: one block beside those of KJ.
template <class Promise, class Token>
    requires machine::kj_promise<Promise>
auto async_wait(Promise&& promise, Token&& token)
{
    using value = machine::promise_value<Promise>;
    machine::kj_loop::here();  // not in the initiation first, out of which `use_awaitable` lets nothing
    return asio::async_initiate<Token, typename machine::promised<value>::signature>(
        [](auto handler, pending<kj::Promise<value>> promise) {
            machine::handler_wait<value, decltype(handler)>::start(kj::mv(promise), std::move(handler));
        },
        token, pending<kj::Promise<value>>(kj::mv(promise)));
}

}  // namespace costar::rpc

namespace costar::machine {

/// A promise of KJ awaited in a task gives its value.
template <class Promise>
    requires kj_promise<Promise>
struct await_as<Promise> {
    using value = typename promised<promise_value<Promise>>::value;
    using operation = decltype(rpc::async_wait(std::declval<Promise>(), use_task));

    class awaiting {
    public:
        explicit awaiting(operation begins) : operation_(std::move(begins)) {}

        class awaiter {
        public:
            explicit awaiter(operation begins) : inner_(std::move(begins).operator co_await()) {}
            bool await_ready() const noexcept { return false; }
            template <class Caller>
            bool await_suspend(std::coroutine_handle<Caller> caller)
            {
                return inner_.await_suspend(caller);
            }
            value await_resume()
            {
                if constexpr (std::is_void_v<value>)
                    inner_.await_resume();
                else if constexpr (std::is_default_constructible_v<value>)
                    return inner_.await_resume();
                else
                    return std::move(*inner_.await_resume());
            }

        private:
            decltype(std::declval<operation>().operator co_await()) inner_;
        };

        awaiter operator co_await() && { return awaiter(std::move(operation_)); }

    private:
        operation operation_;
    };

    static awaiting convert(Promise&& promise)
    {
        return awaiting(rpc::async_wait(kj::mv(promise), use_task));
    }

    template <class Named>
    static awaiting convert(Named& promise)
    {
        static_assert(!std::same_as<Named, Promise>,
            "a promise of KJ is used up when it is awaited: write co_await kj::mv(promise)");
        return convert(kj::mv(promise));
    }
};

}  // namespace costar::machine
