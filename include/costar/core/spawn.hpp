// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/completion.hpp>
#include <costar/core/strand.hpp>
#include <costar/core/task.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/async_result.hpp>

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// A task that runs on its own on a strand, with a completion handler that waits for it. Its memory comes
/// from the handler's associated allocator, else from the pool.
template <class T, class Handler>
class spawned_task final : private root_scope, private run_node, private task_owner, private stray {
public:
    static void start(strand_context& home, task<T> body, Handler handler)
    {
        allocator memory = asio::get_associated_allocator(handler, pool_allocator<void>());
        auto* made = std::allocator_traits<allocator>::allocate(memory, 1);
        try {
            ::new (static_cast<void*>(made)) spawned_task(home, std::move(body), std::move(handler), memory);
        } catch (...) {
            std::allocator_traits<allocator>::deallocate(memory, made, 1);
            throw;
        }
        if (strand_context::current() == &home)
            made->begin();
        else
            home.post(first_step(*made));
    }

    void cancel() noexcept { root_scope::cancel(); }

private:
    using allocator = typename std::allocator_traits<
        asio::associated_allocator_t<Handler, pool_allocator<void>>>::template rebind_alloc<spawned_task>;

    spawned_task(strand_context& home, task<T> body, Handler handler, const allocator& memory)
        : root_scope(home),
          stray([](stray& self) noexcept { static_cast<spawned_task&>(self).destroy(); }),
          memory_(memory),
          body_(std::move(body)),
          completion_(home, std::move(handler))
    {
        body_.promise().start_under(*this, *this);
        waiter = &body_.promise();
        completion_.connect_cancellation(home, *this);
    }
    ~spawned_task() = default;

    void begin() noexcept
    {
        home().keep(*this);
        home().make_fresh_in_turn(*this, *this);
    }

    void destroy() noexcept
    {
        allocator memory(std::move(memory_));
        this->~spawned_task();
        std::allocator_traits<allocator>::deallocate(memory, this, 1);
    }

    /// Goes on after the last resumption, when the frame is no longer in use.
    void task_ended(promise_base&) noexcept override { home().post(last_step(*this)); }

    void complete()
    {
        auto completion = std::move(completion_);
        std::exception_ptr failure = body_.promise().failure();
        home().forget(*this);
        if constexpr (std::is_void_v<T>) {
            destroy();
            completion(std::move(failure));
        } else {
            auto result = take(failure);
            destroy();
            completion(std::move(failure), std::move(result));
        }
    }

    /// The value, or an empty one and why.
    auto take(std::exception_ptr& failure) -> typename handed_over<T>::type
    {
        if (!failure) {
            try {
                if constexpr (std::is_reference_v<T>)
                    return std::addressof(body_.promise().take());
                else
                    return body_.promise().take();
            } catch (...) {
                failure = caught_exception();
            }
        }
        return {};
    }

    using first_step = operation_step<spawned_task, &spawned_task::begin, &spawned_task::destroy>;
    using last_step = operation_step<spawned_task, &spawned_task::complete, &spawned_task::destroy>;

    [[no_unique_address]] allocator memory_;
    task<T> body_;
    costar::machine::completion<Handler> completion_;
};

/// Signature of the completion of a spawned task: what it threw, and its value.
template <class T>
struct spawn_signature {
    using type = void(std::exception_ptr, typename handed_over<T>::type);
};

template <>
struct spawn_signature<void> {
    using type = void(std::exception_ptr);
};

}  // namespace costar::machine

namespace costar {

/// Runs a task on `where` as an Asio operation: the way out of costar for any completion token.
///
/// Completes with `void(std::exception_ptr)` or `void(std::exception_ptr, T)`; a `T` that goes with an
/// exception is value-initialized. A `T` without a default constructor comes as `std::optional<T>`, a
/// reference as a pointer. The handler is called on its associated executor, else on the strand.
///
/// Errors: throws `std::logic_error` for an empty task. Thread safety: from any thread.
/// Cancellation: the token's slot cancels the task's scope, whatever the cancellation type.
template <class T, class Token>
auto async_spawn(strand where, task<T> body, Token&& token)
{
    if (!body)
        machine::refuse_empty_task();  // not in the initiation, out of which `use_awaitable` lets nothing
    return asio::async_initiate<Token, typename machine::spawn_signature<T>::type>(
        [](auto handler, strand where, task<T> body) {
            machine::spawned_task<T, decltype(handler)>::start(
                where.machine(), std::move(body), std::move(handler));
        },
        token, std::move(where), std::move(body));
}

}  // namespace costar
