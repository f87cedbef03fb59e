// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/cancellation.hpp>
#include <costar/core/error.hpp>
#include <costar/ground/pool.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

namespace costar::machine {

class promise_base;

}  // namespace costar::machine

namespace costar {

template <class T = void>
class task;

}  // namespace costar

namespace costar::machine {

/// Throws the `std::logic_error` of a task that is to run although it is empty, as one that was moved from.
[[noreturn]] void refuse_empty_task();

/// Where a coroutine waits, and where those that await it do: "file:line < file:line", the innermost first.
std::string async_stack(const promise_base& innermost);

/// What hears that a task without awaiting parent has ended: an actor's station, a combinator, `async_spawn`.
class task_owner {
public:
    /// Called at the task's final suspension, inside its resumption: the frame must outlive the call.
    virtual void task_ended(promise_base& promise) noexcept = 0;

protected:
    ~task_owner() = default;
};

/// Makes `T` awaitable in a task although it is no awaiter itself; specialized by the bridges to Asio.
template <class T>
struct await_as;

template <class T>
concept bridged = requires(T&& value) { await_as<std::remove_cvref_t<T>>::convert(std::forward<T>(value)); };

/// What all task promises share: who awaits, in which scope, from where, and the failure.
///
/// Frames come from the arena that is current where the coroutine is called.
class promise_base {
public:
    promise_base() noexcept = default;
    promise_base(const promise_base&) = delete;
    promise_base& operator=(const promise_base&) = delete;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { arena::deallocate(frame, bytes); }

    std::suspend_always initial_suspend() const noexcept { return {}; }

    /// Hands over to whoever awaits, without growing the stack.
    class final_awaiter {
    public:
        bool await_ready() const noexcept { return false; }

        template <std::derived_from<promise_base> Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept
        {
            promise_base& promise = ended.promise();
            if ((promise.link_ & owner_tag) == 0) [[likely]]
                return promise.parent()->handle();
            reinterpret_cast<task_owner*>(promise.link_ & ~owner_tag)->task_ended(promise);
            return std::noop_coroutine();
        }

        void await_resume() const noexcept {}
    };
    final_awaiter final_suspend() const noexcept { return {}; }

    void unhandled_exception() noexcept { failure_ = caught_exception(); }

    /// Awaits a task or any awaiter, and keeps where, for dumps of waiting coroutines.
    template <class Awaitable>
    decltype(auto) await_transform(Awaitable&& awaitable,
        std::source_location where = std::source_location::current()) noexcept(!bridged<Awaitable>)
    {
        where_ = where;
        if constexpr (bridged<Awaitable>)
            return await_as<std::remove_cvref_t<Awaitable>>::convert(std::forward<Awaitable>(awaitable));
        else
            return std::forward<Awaitable>(awaitable);
    }

    /// The scope that cancels what this coroutine awaits. Set when the task starts.
    costar::machine::scope& scope() const noexcept { return *scope_; }

    /// The coroutine that awaits this one; null for the outermost.
    promise_base* parent() const noexcept
    {
        return (link_ & owner_tag) != 0 ? nullptr : reinterpret_cast<promise_base*>(link_);
    }

    /// Where this coroutine last began to await.
    const std::source_location& where() const noexcept { return where_; }

    std::coroutine_handle<promise_base> handle() noexcept
    {
        return std::coroutine_handle<promise_base>::from_promise(*this);
    }

    const std::exception_ptr& failure() const noexcept { return failure_; }
    void clear_failure() noexcept { failure_ = nullptr; }

    /// Prepares a start as a branch of `parent`.
    void start_under(promise_base& parent) noexcept
    {
        scope_ = parent.scope_;
        link_ = reinterpret_cast<std::uintptr_t>(&parent);
    }

    /// Prepares a start on its own in `scope`; `owner` hears of the end.
    void start_under(costar::machine::scope& scope, task_owner& owner) noexcept
    {
        scope_ = &scope;
        link_ = reinterpret_cast<std::uintptr_t>(&owner) | owner_tag;
    }

protected:
    ~promise_base() = default;

    void rethrow_failure() const
    {
        if (failure_) [[unlikely]]
            std::rethrow_exception(failure_);
    }

private:
    static constexpr std::uintptr_t owner_tag = 1;

    std::uintptr_t link_ = 0;  // the awaiting promise, or the owner with the tag
    costar::machine::scope* scope_ = nullptr;
    std::source_location where_;
    std::exception_ptr failure_;
};

/// Promise of a task with a value.
template <class T>
class task_promise final : public promise_base {
public:
    task_promise() noexcept {}
    ~task_promise()
    {
        if (has_value_)
            std::destroy_at(&value_);
    }

    task<T> get_return_object() noexcept;

    template <std::convertible_to<T> U = T>
    void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
    {
        std::construct_at(&value_, std::forward<U>(value));
        has_value_ = true;
    }

    T take()
    {
        rethrow_failure();
        return std::move(value_);
    }

private:
    union {
        T value_;
    };
    bool has_value_ = false;
};

/// Promise of a task with a reference.
template <class T>
class task_promise<T&> final : public promise_base {
public:
    task<T&> get_return_object() noexcept;
    void return_value(T& value) noexcept { value_ = std::addressof(value); }

    T& take()
    {
        rethrow_failure();
        return *value_;
    }

private:
    T* value_ = nullptr;
};

/// Promise of a task without value.
template <>
class task_promise<void> final : public promise_base {
public:
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const { rethrow_failure(); }
};

}  // namespace costar::machine

namespace costar {

/// Coroutine that computes a `T`: lazy, moved, awaited once.
///
/// It starts when awaited and runs on the awaiting strand; the awaiting coroutine resumes there, in the same
/// turn, by symmetric transfer. An exception passes to whoever awaits. A task that is never awaited never
/// runs.
///
/// Errors: awaiting an empty one throws `std::logic_error`.
/// Lifetime: parameters taken by reference must outlive the task.
/// Cancellation: what it awaits is cancelled with the scope of whoever awaits it.
/// Cost: one frame from the strand's pool, about 15 ns to create, run and destroy.
template <class T>
class [[nodiscard]] task {
public:
    using promise_type = machine::task_promise<T>;
    using value_type = T;

    task() noexcept = default;
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept
    {
        task(std::move(other)).swap(*this);
        return *this;
    }
    ~task()
    {
        if (frame_)
            frame_.destroy();
    }

    void swap(task& other) noexcept { std::swap(frame_, other.frame_); }
    explicit operator bool() const noexcept { return frame_ != nullptr; }

    /// The promise, for those that start tasks themselves.
    promise_type& promise() const noexcept { return frame_.promise(); }

    /// Gives the frame away; the caller destroys it.
    std::coroutine_handle<promise_type> release() noexcept { return std::exchange(frame_, nullptr); }

    class awaiter {
    public:
        explicit awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;

        bool await_ready() const noexcept { return false; }

        template <std::derived_from<machine::promise_base> Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) const noexcept
        {
            frame_.promise().start_under(caller.promise());
            return frame_;
        }

        T await_resume() const { return frame_.promise().take(); }

    private:
        std::coroutine_handle<promise_type> frame_;
    };

    awaiter operator co_await() &&
    {
        if (!frame_) [[unlikely]]
            machine::refuse_empty_task();
        return awaiter(frame_);
    }

private:
    friend promise_type;

    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

template <class T>
task<T> machine::task_promise<T>::get_return_object() noexcept
{
    // All promises lie at the same offset in their frames, so a frame can be found from its promise_base.
    static_assert(
        alignof(machine::task_promise<T>) <= 2 * sizeof(void*), "a task's value may not be over-aligned");
    return task<T>(std::coroutine_handle<machine::task_promise<T>>::from_promise(*this));
}

template <class T>
task<T&> machine::task_promise<T&>::get_return_object() noexcept
{
    return task<T&>(std::coroutine_handle<machine::task_promise<T&>>::from_promise(*this));
}

inline task<void> machine::task_promise<void>::get_return_object() noexcept
{
    return task<void>(std::coroutine_handle<machine::task_promise<void>>::from_promise(*this));
}

}  // namespace costar
