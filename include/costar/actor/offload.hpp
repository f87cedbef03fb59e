// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/context.hpp>
#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>
#include <costar/core/task.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace costar::machine {

class offload_work;

/// The helper threads of an engine: they run blocking functions for its actors, and nothing else.
///
/// There are none until the first function is offloaded. In a simulation there are none at all: each function
/// runs on the thread of the test, in a later step of the actor's strand.
///
/// Thread safety: from any thread.
class offload_pool {
public:
    /// At most `threads` functions run at a time, and `queue` more wait. `by_hand` is for simulations.
    offload_pool(std::size_t threads, std::size_t queue, bool by_hand);
    offload_pool(const offload_pool&) = delete;
    offload_pool& operator=(const offload_pool&) = delete;
    ~offload_pool();

    /// Lets `work` run when a thread is free.
    ///
    /// Errors: throws `error` with `errc::offload_full` or `errc::engine_stopped`, and
    /// `std::system_error` when the first thread cannot be started. When a further one cannot, `work` waits
    /// for those that there are.
    void begin(offload_work& work);

    /// Gives `work` up if it has not begun to run; it ends with `errc::cancelled` then. In its strand's turn.
    void withdraw(offload_work& work) noexcept;

    /// Gives up what has not begun, and waits until the functions that run have ended. What is offloaded
    /// later is refused.
    void close() noexcept;

private:
    friend class offload_work;

    struct helpers;

    void see_to_help();
    void help() noexcept;
    bool take(offload_work& work) noexcept;
    void unlink(offload_work& work) noexcept;

    const std::size_t threads_;
    const std::size_t limit_;  // functions that run or wait
    const bool by_hand_;
    std::mutex mutex_;
    std::unique_ptr<helpers> helpers_;
    std::size_t queued_ = 0;  // functions that wait for a thread
    std::size_t count_ = 0;   // functions that run or wait
    bool closed_ = false;
    offload_work* first_ = nullptr;  // that waits
    offload_work* last_ = nullptr;
};

/// A function on its way through the pool and back to its strand. It lies in the frame of the coroutine that
/// waits for it.
class offload_work : private run_node, private cancel_hook, private job {
public:
    offload_work(const offload_work&) = delete;
    offload_work& operator=(const offload_work&) = delete;

protected:
    using function = void (*)(offload_work& self);

    offload_work(offload_pool& pool, function call) noexcept;
    ~offload_work() = default;

    /// False when it came to nothing, and `rethrow_failure` tells why.
    bool begin(promise_base& caller) noexcept;
    void rethrow_failure() const
    {
        if (failure_)
            std::rethrow_exception(failure_);
    }

private:
    friend class offload_pool;

    static const hook_actions actions;
    static void run_job(job* base, bool destroy_only);

    void call() noexcept;
    void give_up() noexcept;
    void come_home() noexcept;
    void arrive() noexcept;

    offload_pool& pool_;
    function call_;
    strand_context* home_ = nullptr;
    std::optional<strand> work_;  // a borrowed context does not run out of work meanwhile
    std::exception_ptr failure_;
    // Of the pool, under its mutex.
    bool waiting_ = false;
    offload_work* next_ = nullptr;
    offload_work* previous_ = nullptr;
};

/// Waits for an offloaded function; made by `context::offload`.
template <class Function>
class offload_awaiter final : private offload_work {
public:
    using value = std::invoke_result_t<Function&>;

    offload_awaiter(offload_pool& pool, Function&& function)
        : offload_work(pool, call), function_(std::move(function))
    {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        return begin(caller.promise());
    }

    value await_resume()
    {
        rethrow_failure();
        if constexpr (!std::is_void_v<value>)
            return std::move(*value_);
    }

private:
    static void call(offload_work& base)
    {
        auto& self = static_cast<offload_awaiter&>(base);
        if constexpr (std::is_void_v<value>)
            self.function_();
        else
            self.value_.emplace(self.function_());
    }

    Function function_;
    std::optional<stored_reply<value>> value_;
};

/// A function that has not been offloaded, made by `context::offload`. It is when awaited, and never runs
/// when dropped.
template <class Function>
class [[nodiscard]] offload_request {
public:
    offload_request(offload_pool& pool, Function function) noexcept(
        std::is_nothrow_move_constructible_v<Function>)
        : pool_(&pool), function_(std::move(function))
    {}

    offload_awaiter<Function> operator co_await() && { return {*pool_, std::move(function_)}; }

private:
    offload_pool* pool_;
    Function function_;
};

}  // namespace costar::machine

namespace costar {

template <class Function>
auto context::offload(Function&& function)
{
    using stored = std::decay_t<Function>;
    static_assert(std::is_invocable_v<stored&>, "what is offloaded is called without arguments");
    using value = std::invoke_result_t<stored&>;
    static_assert(
        !std::is_reference_v<value>, "an offloaded function gives a value: return a pointer instead");
    static_assert(!is_strand_bound<value>, "what belongs to the strand has no place on a helper thread");
    static_assert(!is_task<value>,
        "a coroutine is not offloaded: it would begin on a helper thread and go on elsewhere");
    return machine::offload_request<stored>(*post().shared().offload, std::forward<Function>(function));
}

}  // namespace costar
