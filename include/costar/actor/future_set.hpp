// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/future.hpp>
#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/ground/pool.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar::machine {

/// Waits for several futures: until enough values are there, or too many errors.
class future_group : private run_node, private cancel_hook {
public:
    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        waiter = &caller.promise();
        return begin(caller.promise().scope());
    }

protected:
    /// Ends with `wanted` values, or with more than `spared` errors.
    future_group(std::size_t size, std::size_t wanted, std::size_t spared)
        : cancel_hook(actions), members_(size), wanted_(wanted), spared_(spared)
    {}

    void set(std::size_t index, future_state* subject) noexcept { members_[index].subject = subject; }

    /// Is this one among the values that were waited for?
    bool is_chosen(std::size_t index) const noexcept { return members_[index].is_chosen; }

    /// Throws when the wait was cancelled.
    void check_cancelled() const;

    /// Throws the last error when there are too few values.
    void check_values() const;

    errc failure_of(std::size_t index) const noexcept;

private:
    struct member : future_waiter {
        member() noexcept : future_waiter(notify) {}

        future_group* group = nullptr;
        future_state* subject = nullptr;
        bool is_chosen = false;
    };

    static const hook_actions actions;
    static void notify(future_waiter& base, bool dropped) noexcept;

    bool begin(scope& within) noexcept;
    void note(member& ended) noexcept;
    bool is_over() const noexcept;
    void wake() noexcept;

    std::vector<member, pool_allocator<member>> members_;
    std::size_t wanted_;
    std::size_t spared_;
    std::size_t values_ = 0;
    std::size_t failures_ = 0;
    errc last_failure_ = errc::no_such_actor;
    strand_context* home_ = nullptr;
    bool cancelled_ = false;
};

}  // namespace costar::machine

namespace costar {

/// Futures, and how many of them are waited for.
template <class Reply>
struct future_set {
    std::vector<future<Reply>> futures;
    std::size_t wanted;
    std::size_t spared;
};

}  // namespace costar

namespace costar::machine {

/// Waits for several futures, which it drops in the end; so the requests that are left are forgotten.
template <class Reply>
class future_set_awaiter : protected future_set<Reply>, public future_group {
public:
    explicit future_set_awaiter(future_set<Reply> awaited)
        : future_set<Reply>(std::move(awaited)),
          future_group(this->futures.size(), this->wanted, this->spared)
    {
        for (std::size_t i = 0; i < this->futures.size(); ++i)
            set(i, this->futures[i].state());
    }

protected:
    something<Reply> value_of(std::size_t index)
    {
        if constexpr (std::is_void_v<Reply>)
            return nothing{};
        else
            return std::move(*this->futures[index].state()->value);
    }
};

/// Waits for enough values; made by `all_of` and `n_of`.
template <class Reply>
class values_awaiter : public future_set_awaiter<Reply> {
public:
    using future_set_awaiter<Reply>::future_set_awaiter;

    auto await_resume()
    {
        this->check_cancelled();
        this->check_values();
        if constexpr (!std::is_void_v<Reply>) {
            std::vector<Reply> values;
            for (std::size_t i = 0; i < this->futures.size(); ++i)
                if (this->is_chosen(i))
                    values.push_back(this->value_of(i));
            return values;
        }
    }
};

/// Waits for the first value; made by `any_of`.
template <class Reply>
class first_value_awaiter : public future_set_awaiter<Reply> {
public:
    using future_set_awaiter<Reply>::future_set_awaiter;

    Reply await_resume()
    {
        this->check_cancelled();
        this->check_values();
        if constexpr (!std::is_void_v<Reply>) {
            std::size_t first = 0;
            while (!this->is_chosen(first))
                ++first;
            return this->value_of(first);
        }
    }
};

/// Waits until all have ended; made by `results_of`.
template <class Reply>
class results_awaiter : public future_set_awaiter<Reply> {
public:
    using future_set_awaiter<Reply>::future_set_awaiter;

    std::vector<result<Reply>> await_resume()
    {
        this->check_cancelled();
        std::vector<result<Reply>> results;
        results.reserve(this->futures.size());
        for (std::size_t i = 0; i < this->futures.size(); ++i) {
            if (const errc failure = this->failure_of(i); failure != errc{})
                results.push_back(make_error_code(failure));
            else if constexpr (std::is_void_v<Reply>)
                results.emplace_back();
            else
                results.push_back(this->value_of(i));
        }
        return results;
    }
};

}  // namespace costar::machine

namespace costar {

/// Awaits `n` values out of several futures and gives them in the order of the futures.
///
/// It ends as soon as `n` values are there; the other requests are forgotten then, and so they are when the
/// wait is cancelled. Errors: the last one, as soon as too many have failed; `errc::no_such_actor` when there
/// are less than `n` futures.
template <class Reply>
auto n_of(std::size_t n, std::vector<future<Reply>> futures)
{
    const std::size_t size = futures.size();
    return machine::grouped<machine::values_awaiter<Reply>, future_set<Reply>>(
        {std::move(futures), n, n < size ? size - n : 0});
}

/// Awaits the values of all futures and gives them in the same order; nothing where the replies are void.
///
/// The first error ends it, and the other requests are forgotten.
template <class Reply>
auto all_of(std::vector<future<Reply>> futures)
{
    const std::size_t size = futures.size();
    return n_of(size, std::move(futures));
}

/// Awaits the first value out of several futures; the other requests are forgotten.
///
/// Errors: the last one, when all have failed; `errc::no_such_actor` when there are none.
template <class Reply>
auto any_of(std::vector<future<Reply>> futures)
{
    const std::size_t size = futures.size();
    return machine::grouped<machine::first_value_awaiter<Reply>, future_set<Reply>>(
        {std::move(futures), 1, size > 0 ? size - 1 : 0});
}

/// Awaits the end of all futures and gives each one's value or error, in the same order.
template <class Reply>
auto results_of(std::vector<future<Reply>> futures)
{
    const std::size_t size = futures.size();
    return machine::grouped<machine::results_awaiter<Reply>, future_set<Reply>>(
        {std::move(futures), size, size});
}

template <std::ranges::input_range Destinations, class Message>
    requires request<Message> && accepts<std::ranges::range_value_t<Destinations>, Message>
auto context::ask_all(const Destinations& to, const Message& message, std::chrono::nanoseconds timeout)
{
    std::vector<future<typename Message::reply>> futures;
    for (const auto& each : to)
        futures.push_back(ask_future(each, message, timeout));
    return results_of(std::move(futures));
}

template <class Message>
    requires request<Message>
auto context::ask_all(
    std::initializer_list<costar::pid> to, const Message& message, std::chrono::nanoseconds timeout)
{
    return ask_all<std::initializer_list<costar::pid>, Message>(to, message, timeout);
}

}  // namespace costar
