// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>
#include <costar/core/task.hpp>
#include <costar/ground/pool.hpp>
#include <costar/kernel/message.hpp>

#include <cassert>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace costar::machine {

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

/// Where a coroutine of a producer waits for the next question, one at a time.
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
    waiting* waiting_ = nullptr;  // until it has gone on
};

/// Waits until the gate is opened.
class stream_gate::waiting : private run_node, private cancel_hook {
public:
    explicit waiting(stream_gate& gate) noexcept : cancel_hook(actions), gate_(gate) {}
    ~waiting() { leave(); }

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        return begin(caller.promise(), false);
    }

    void await_resume();

protected:
    /// Waits, unless the gate `is_open`; for a turn of the others even then, when the caller has used up its
    /// own. Errors: throws `std::logic_error` where another one waits.
    bool begin(promise_base& caller, bool is_open);

private:
    friend class stream_gate;

    static const hook_actions actions;
    void end() noexcept;
    void leave() noexcept;

    stream_gate& gate_;
    const scope* within_ = nullptr;
};

/// What a producer has put and its consumer has not got yet, and how much more was asked for.
///
/// Lifetime: until the producer's body has ended and nobody has a sink any more. A task of the producer may
/// still have one then.
template <class T>
class stream_channel {
public:
    class holder;

    explicit stream_channel(strand_context& home) noexcept
        : gate_(home), asked_(home), home_(home), answered_at_(home.now())
    {}
    stream_channel(const stream_channel&) = delete;
    stream_channel& operator=(const stream_channel&) = delete;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    bool has_room() const noexcept { return credit_ != 0; }

    /// Need a put not wait? What comes behind the last value waits for the end of the producer.
    bool is_open() const noexcept { return (has_room() && !is_finished_) || is_closed_; }

    const strand_context& home() const noexcept { return home_; }

    /// Where a put waits.
    stream_gate& gate() noexcept { return gate_; }

    /// Where the next question is waited for.
    stream_gate& asked() noexcept { return asked_; }

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
        if (is_closed_)
            throw error(errc::cancelled);
        assert(credit_ != 0 && "one coroutine puts at a time");
        batch_.values.push_back(std::move(value));
        --credit_;
        if (question_)
            answer(std::move(question_));
    }

    /// There is no more.
    void finish()
    {
        is_finished_ = true;
        batch_.is_last = true;
        if (question_)
            answer(std::move(question_));
    }

    /// The producer's body ends. Nothing is put from now on, and a question stays unanswered.
    void close() noexcept
    {
        is_closed_ = true;
        question_ = message();
        batch_ = {};
        gate_.open();
    }

    /// Takes a question, and answers it if there is something to tell.
    void take(message question)
    {
        credit_ += question.get<stream_pull<T>>().count;
        if (batch_.values.empty() && !batch_.is_last)
            question_ = std::move(question);
        else
            answer(std::move(question));
        asked_.open();
        if (is_open())
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
    stream_gate asked_;
    strand_context& home_;
    std::uint64_t answered_at_;
    std::size_t credit_ = 0;  // values that were asked for and not put yet
    std::size_t holders_ = 0;
    stream_batch<T> batch_;
    message question_;
    bool is_finished_ = false;
    bool is_over_ = false;
    bool is_closed_ = false;
};

/// A share in a channel.
template <class T>
class stream_channel<T>::holder {
public:
    explicit holder(stream_channel& channel) noexcept : channel_(&channel) { ++channel.holders_; }
    holder(const holder& other) noexcept : holder(*other.channel_) {}
    holder& operator=(holder other) noexcept
    {
        std::swap(channel_, other.channel_);
        return *this;
    }
    ~holder()
    {
        if (--channel_->holders_ == 0)
            delete channel_;
    }

    stream_channel& operator*() const noexcept { return *channel_; }

private:
    stream_channel* channel_;
};

/// The channel of a producer's body, which is closed when the body ends.
template <class T>
class open_channel {
public:
    explicit open_channel(strand_context& home) : held_(*new stream_channel<T>(home)) {}
    open_channel(const open_channel&) = delete;
    open_channel& operator=(const open_channel&) = delete;
    ~open_channel() { (*held_).close(); }

    stream_channel<T>& operator*() const noexcept { return *held_; }

private:
    typename stream_channel<T>::holder held_;
};

}  // namespace costar::machine

namespace costar {

/// Where a producer puts its values; made by `make_stream`.
template <class T>
class sink {
public:
    /// Only its own strand may have it, see `is_strand_bound`.
    static constexpr bool belongs_to_strand = true;

    explicit sink(machine::stream_channel<T>& channel) noexcept : channel_(channel) {}

    /// Hands a value to the consumer: `co_await out.put(value)`. Waits until the consumer has asked for more
    /// than it was given.
    ///
    /// A put that is cancelled has put nothing. Once the producer has ended, one ends with `errc::cancelled`;
    /// a task that the producer leaves behind is cancelled there.
    /// Errors: throws `std::logic_error` when another coroutine waits with a put: one puts at a time.
    auto put(T value) const { return putting(channel_, std::move(value)); }

    /// The strand of its producer.
    const machine::strand_context* bound_to() const noexcept { return &(*channel_).home(); }

private:
    using holder = typename machine::stream_channel<T>::holder;

    /// Is destroyed behind what waits with its help.
    struct keeper {
        holder channel;
    };

    class awaiter;

    /// A put that has not begun.
    class [[nodiscard]] putting {
    public:
        putting(const holder& channel, T value) : channel_(channel), value_(std::move(value)) {}
        awaiter operator co_await() && { return awaiter(channel_, std::move(value_)); }

    private:
        holder channel_;
        T value_;
    };

    holder channel_;
};

template <class T>
class sink<T>::awaiter : private keeper, public machine::stream_gate::waiting {
public:
    awaiter(const holder& channel, T value)
        : keeper{channel}, waiting((*channel).gate()), value_(std::move(value))
    {}

    template <std::derived_from<machine::promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        return begin(caller.promise(), (*this->channel).is_open());
    }

    void await_resume()
    {
        waiting::await_resume();
        (*this->channel).put(std::move(value_));
    }

private:
    T value_;
};

}  // namespace costar
