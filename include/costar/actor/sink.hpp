// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/message.hpp>
#include <costar/core/pool.hpp>
#include <costar/core/strand.hpp>
#include <costar/core/task.hpp>

#include <cassert>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace costar {

/// Values on their way from a producer to its consumer.
template <class T>
struct stream_batch {
    stream_batch() = default;
    stream_batch(stream_batch&&) noexcept = default;
    stream_batch& operator=(stream_batch&&) noexcept = default;

    std::vector<T, pool_allocator<T>> values;
    bool is_last = false;
};

/// Asks a producer for up to `count` values more; answered with those that are there, with at least one.
template <class T>
struct stream_pull {
    using reply = stream_batch<T>;
    std::uint32_t count;
};

/// Where a producer waits for the next question.
class stream_gate {
public:
    explicit stream_gate(strand_context& home) noexcept : home_(&home) {}
    stream_gate(const stream_gate&) = delete;
    stream_gate& operator=(const stream_gate&) = delete;

    /// Lets whoever waits go on.
    void open() noexcept;

    class waiting;

private:
    strand_context* home_;
    waiting* waiting_ = nullptr;
};

/// Waits until the gate is opened.
class stream_gate::waiting : private run_node, private cancel_hook {
public:
    explicit waiting(stream_gate& gate) noexcept : cancel_hook(actions), gate_(gate) {}
    ~waiting();

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        return begin(caller.promise(), false);
    }

    void await_resume() const;

protected:
    /// Waits, unless the gate `is_open`.
    bool begin(promise_base& caller, bool is_open) noexcept;

private:
    friend class stream_gate;

    static const hook_actions actions;
    void end() noexcept;

    stream_gate& gate_;
    const scope* within_ = nullptr;
};

/// What a producer has put and its consumer has not got yet, and how much more was asked for.
template <class T>
class stream_channel {
public:
    explicit stream_channel(strand_context& home) noexcept
        : gate_(home), home_(home), answered_at_(home.now())
    {}

    bool has_room() const noexcept { return credit_ != 0; }
    stream_gate& gate() noexcept { return gate_; }

    /// Is there a question that was not answered yet?
    bool is_awaited() const noexcept { return static_cast<bool>(question_); }

    /// For how long the consumer has had something to work on.
    std::chrono::nanoseconds idle() const noexcept
    {
        return std::chrono::nanoseconds(is_awaited() ? 0 : home_.now() - answered_at_);
    }

    /// Was the consumer told that there is no more?
    bool is_over() const noexcept { return is_over_; }

    void put(T value)
    {
        assert(credit_ != 0 && "one coroutine puts at a time");
        batch_.values.push_back(std::move(value));
        --credit_;
        if (question_)
            answer(std::move(question_));
    }

    /// There is no more.
    void finish()
    {
        batch_.is_last = true;
        if (question_)
            answer(std::move(question_));
    }

    /// Takes a question, and answers it if there is something to tell.
    void take(message question)
    {
        credit_ += question.get<stream_pull<T>>().count;
        if (batch_.values.empty() && !batch_.is_last)
            question_ = std::move(question);
        else
            answer(std::move(question));
        gate_.open();
    }

private:
    void answer(message question)
    {
        is_over_ = batch_.is_last;
        answered_at_ = home_.now();
        question.respond(std::exchange(batch_, {}));
    }

    stream_gate gate_;
    strand_context& home_;
    std::uint64_t answered_at_;
    std::size_t credit_ = 0;  // values that were asked for and not put yet
    stream_batch<T> batch_;
    message question_;
    bool is_over_ = false;
};

/// Where a producer puts its values; made by `make_stream`.
template <class T>
class sink {
public:
    explicit sink(stream_channel<T>& channel) noexcept : channel_(&channel) {}

    /// Hands a value to the consumer: `co_await out.put(value)`. Waits until the consumer has asked for more
    /// than it was given.
    ///
    /// Only one coroutine puts at a time. A put that is cancelled has put nothing.
    auto put(T value) const { return putting(*channel_, std::move(value)); }

private:
    class awaiter;

    /// A put that has not begun.
    class [[nodiscard]] putting {
    public:
        putting(stream_channel<T>& channel, T value) : channel_(&channel), value_(std::move(value)) {}
        awaiter operator co_await() && { return awaiter(*channel_, std::move(value_)); }

    private:
        stream_channel<T>* channel_;
        T value_;
    };

    stream_channel<T>* channel_;
};

template <class T>
class sink<T>::awaiter : public stream_gate::waiting {
public:
    awaiter(stream_channel<T>& channel, T value)
        : waiting(channel.gate()), channel_(channel), value_(std::move(value))
    {}

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept
    {
        return begin(caller.promise(), channel_.has_room());
    }

    void await_resume()
    {
        waiting::await_resume();
        channel_.put(std::move(value_));
    }

private:
    stream_channel<T>& channel_;
    T value_;
};

}  // namespace costar
