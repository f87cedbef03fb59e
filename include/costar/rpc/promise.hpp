// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/spawn.hpp>
#include <costar/core/task.hpp>
#include <costar/rpc/error.hpp>
#include <costar/rpc/event_loop.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <capnp/capability.h>
#include <kj/async.h>

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// What must live until the coroutine of a method has ended, whatever becomes of its promise.
struct method_keep {
    kj::Maybe<capnp::Capability::Client> server;
    kj::Maybe<kj::Own<capnp::CallContextHook>> call;
};

/// Where a coroutine and the promise for its value meet; held by both.
template <class T>
struct promise_link {
    kj::PromiseFulfiller<T>* fulfiller = nullptr;  // null when nobody waits any more
    method_keep kept;                              // until the coroutine has ended
    asio::cancellation_signal signal;
};

/// Completion handler of a coroutine that a promise of KJ stands for. One that is destroyed without a call
/// breaks the promise.
template <class T>
class promise_end {
public:
    explicit promise_end(std::shared_ptr<promise_link<T>> link) noexcept : link_(std::move(link)) {}
    promise_end(promise_end&&) noexcept = default;
    ~promise_end()
    {
        if (auto* waits = taken())
            waits->reject(
                kj::Exception(kj::Exception::Type::DISCONNECTED, "", 0, kj::str("the strand has ended")));
    }

    template <class... Values>
    void operator()(std::exception_ptr failure, Values... values)
    {
        auto* waits = taken();
        if (waits == nullptr)
            return;
        if (failure)
            waits->reject(rpc::to_kj(failure));
        else if constexpr (sizeof...(Values) == 0)
            waits->fulfill();
        else
            (waits->fulfill(value_of(std::move(values))), ...);
    }

private:
    kj::PromiseFulfiller<T>* taken() noexcept
    {
        const std::shared_ptr<promise_link<T>> link = std::move(link_);
        return link != nullptr ? std::exchange(link->fulfiller, nullptr) : nullptr;
    }

    template <class Value>
    static T value_of(Value value)
    {
        if constexpr (std::is_same_v<Value, T>)
            return value;
        else
            return std::move(*value);
    }

    std::shared_ptr<promise_link<T>> link_;
};

/// What lies inside such a promise: it starts the coroutine, and cancels it when the promise is dropped.
template <class T>
class promise_adapter {
public:
    template <class Start>
    promise_adapter(kj::PromiseFulfiller<T>& fulfiller, Start start, method_keep kept = {})
        : where_(kj_loop::here().get_executor()), link_(std::make_shared<promise_link<T>>())
    {
        link_->fulfiller = &fulfiller;
        link_->kept = kj::mv(kept);
        start(asio::bind_cancellation_slot(link_->signal.slot(), promise_end<T>(link_)));
    }
    ~promise_adapter()
    {
        if (std::exchange(link_->fulfiller, nullptr) == nullptr)
            return;
        // Behind the callback of KJ that this may be: an operation that is cancelled may complete at once.
        // The loop itself may be over: the context that is being destroyed destroys this as well.
        asio::post(where_, [link = link_] { link->signal.emit(asio::cancellation_type::terminal); });
    }

private:
    asio::any_io_executor where_;
    std::shared_ptr<promise_link<T>> link_;
};

/// As `rpc::promise_of`, holding what it is given until the task has ended.
template <class T>
kj::Promise<T> promise_of(task<T> body, method_keep kept)
{
    strand_context* here = strand_context::current();
    if (here == nullptr)
        throw std::logic_error(
            "rpc::promise_of(task) is called in a turn of a strand; elsewhere give it an executor "
            "and an asio::awaitable");
    static_cast<void>(kj_loop::here());
    return kj::newAdaptedPromise<T, promise_adapter<T>>(
        [where = here->get_executor(), body = std::move(body)](
            auto handler) mutable { async_spawn(where, std::move(body), std::move(handler)); },
        kj::mv(kept));
}

}  // namespace costar::machine

namespace costar::rpc {

/// A promise of KJ for the value of a task, which begins to run on this strand: what a method of a Cap'n
/// Proto server returns.
///
///     kj::Promise<void> add(AddContext call) override { return rpc::promise_of(sum(call)); }
///
///     task<> sum(rpc::call<AddContext> call) ...
///
/// What the task throws breaks the promise, by `rpc::to_kj`. Dropping the promise, as a caller does that
/// gives up, cancels the scope of the task: what it awaits ends. The task may go on for a while, longer
/// than the promise and the connection, so it owns what it uses: it takes the call as an `rpc::call`, and
/// holds `thisCap()` where it is a member of the server. `rpc::service` does both.
///
/// With Cap'n Proto 0.9 a caller is heard only after `rpc::allow_cancellation(call)`.
/// Thread safety: in a turn of a strand. Errors: throws `std::logic_error` elsewhere, and for an empty task.
/// Lifetime: a strand that ends breaks the promises of its tasks, as `disconnected`.
template <class T>
kj::Promise<T> promise_of(task<T> body)
{
    return machine::promise_of(std::move(body), {});
}

/// As above, for a coroutine of Asio, which runs on the executor of the event loop that is present.
template <class T, class Executor>
kj::Promise<T> promise_of(asio::awaitable<T, Executor> body)
{
    const asio::any_io_executor& where = machine::kj_loop::here().get_executor();
    return kj::newAdaptedPromise<T, machine::promise_adapter<T>>(
        [where, body = std::move(body)](auto handler) mutable {
            asio::co_spawn(where, std::move(body), asio::bind_executor(where, std::move(handler)));
        });
}

}  // namespace costar::rpc
