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

namespace costar {

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
            home.post(launch(*made));
    }

    void cancel() noexcept { root_scope::cancel(); }

private:
    using allocator = typename std::allocator_traits<
        asio::associated_allocator_t<Handler, pool_allocator<void>>>::template rebind_alloc<spawned_task>;

    /// Makes the task ready in a turn, or destroys it with the strand.
    class launch {
    public:
        explicit launch(spawned_task& made) noexcept : made_(&made) {}
        launch(launch&& other) noexcept : made_(std::exchange(other.made_, nullptr)) {}
        ~launch()
        {
            if (made_ != nullptr)
                made_->destroy();
        }
        void operator()() { std::exchange(made_, nullptr)->begin(); }

    private:
        spawned_task* made_;
    };

    /// Ends the task after its last resumption, when its frame is no longer in use.
    class ending {
    public:
        explicit ending(spawned_task& ended) noexcept : ended_(&ended) {}
        ending(ending&& other) noexcept : ended_(std::exchange(other.ended_, nullptr)) {}
        ~ending()
        {
            if (ended_ != nullptr)
                ended_->destroy();
        }
        void operator()() { std::exchange(ended_, nullptr)->complete(); }

    private:
        spawned_task* ended_;
    };

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
        home().make_ready(*this);
    }

    void destroy() noexcept
    {
        allocator memory(std::move(memory_));
        this->~spawned_task();
        std::allocator_traits<allocator>::deallocate(memory, this, 1);
    }

    void task_ended(promise_base&) noexcept override { home().post(ending(*this)); }

    void complete()
    {
        auto completion = std::move(completion_);
        std::exception_ptr failure = body_.promise().failure();
        home().forget(*this);
        if constexpr (std::is_void_v<T>) {
            destroy();
            completion(std::move(failure));
        } else {
            T value = take(failure);
            destroy();
            completion(std::move(failure), std::move(value));
        }
    }

    /// The value, or an empty one and why.
    T take(std::exception_ptr& failure)
    {
        if (!failure) {
            try {
                return body_.promise().take();
            } catch (...) {
                failure = std::current_exception();
            }
        }
        return T();
    }

    [[no_unique_address]] allocator memory_;
    task<T> body_;
    costar::completion<Handler> completion_;
};

/// Signature of the completion of a spawned task: what it threw, and its value.
template <class T>
struct spawn_signature {
    using type = void(std::exception_ptr, T);
};

template <>
struct spawn_signature<void> {
    using type = void(std::exception_ptr);
};

/// Runs a task on `where` as an Asio operation: the way out of costar for any completion token.
///
/// Completes with `void(std::exception_ptr)` or `void(std::exception_ptr, T)`; a `T` that goes with an
/// exception is value-initialized. The handler is called on its associated executor, else on the strand.
///
/// Thread safety: from any thread.
/// Cancellation: the token's slot cancels the task's scope, whatever the cancellation type.
template <class T, class Token>
auto async_spawn(strand where, task<T> body, Token&& token)
{
    return asio::async_initiate<Token, typename spawn_signature<T>::type>(
        [](auto handler, strand where, task<T> body) {
            spawned_task<T, decltype(handler)>::start(where.machine(), std::move(body), std::move(handler));
        },
        token, std::move(where), std::move(body));
}

}  // namespace costar
