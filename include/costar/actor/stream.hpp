// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/context.hpp>
#include <costar/actor/future.hpp>
#include <costar/actor/sink.hpp>
#include <costar/core/when.hpp>
#include <costar/kernel/message.hpp>
#include <costar/kernel/spawn_options.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace costar {

/// What can be chosen for a stream by the one who makes it.
struct stream_options {
    /// A producer that was not asked for more for so long ends, and its consumer finds
    /// `errc::actor_failed`; zero means never. A consumer that is dropped stops its producer anyway.
    std::chrono::nanoseconds idle{0};

    /// How the producer is spawned.
    spawn_options actor = {};
};

}  // namespace costar

namespace costar::machine {

/// Stops the producer of a stream that nobody reads any more. Thread safety: from any thread.
void stop_producer(engine& where, pid producer) noexcept;

}  // namespace costar::machine

namespace costar {

/// Several answers to one request: values that come when they are asked for.
///
/// `using reply = costar::stream<row>;` in a message makes it one that is answered with a stream. Who asked
/// reads it: `while (auto value = co_await rows.next(self)) use(*value);`. It gives nothing when the producer
/// has returned, and throws when it ended otherwise: `errc::actor_failed` when it crashed, or
/// `errc::actor_stopped` when that could be seen to be a stop.
///
/// Back-pressure: the consumer asks for a window of values, 16 at first, when it has used up those it got.
/// The producer runs ahead that far and waits. A value is handed on as soon as the consumer waits for it,
/// values that have gathered meanwhile go together.
///
/// Lifetime: a stream that is dropped, be it by its consumer's end or because the answer came too late, stops
/// its producer. It must not outlive the engine.
/// Cancellation: a `next` that is cancelled has taken nothing, so a stream can be one branch of `when_any`.
/// It has no deadline of its own: `with_timeout(1s, rows.next(self))`. Thread safety: one actor at a time. It
/// may be handed to an actor of another strand as long as no value was awaited in vain; handed over by itself
/// later, that throws `std::logic_error`. Cost: an actor for
/// the producer, with three frames; a request for each batch.
template <class T>
class stream {
public:
    using value_type = T;

    /// One without values.
    stream() noexcept = default;
    stream(engine& where, pid producer) noexcept : engine_(&where), producer_(producer), is_over_(false) {}
    stream(stream&& other) noexcept { swap(other); }
    stream& operator=(stream&& other) noexcept
    {
        stream(std::move(other)).swap(*this);
        return *this;
    }
    ~stream()
    {
        if (!is_over_)
            machine::stop_producer(*engine_, producer_);
    }

    void swap(stream& other) noexcept
    {
        std::swap(engine_, other.engine_);
        std::swap(producer_, other.producer_);
        std::swap(batch_, other.batch_);
        std::swap(taken_, other.taken_);
        std::swap(window_, other.window_);
        std::swap(is_over_, other.is_over_);
        pull_.swap(other.pull_);
    }

    /// The actor that makes the values, nobody for an empty stream.
    pid producer() const noexcept { return producer_; }

    /// The strand that it belongs to while it is being read; null when any may have it.
    const machine::strand_context* bound_to() const noexcept { return pull_.bound_to(); }

    /// How many values are asked for at once from now on; at least one.
    void window(std::uint32_t values) noexcept { window_ = values != 0 ? values : 1; }

    /// The next value as `std::optional<T>`, empty at the end. `self` is the actor that reads.
    ///
    /// Only one coroutine reads at a time. Cost: a few nanoseconds when the value lies ready.
    auto next(context& self) noexcept { return reading(*this, self); }

private:
    class awaiter;

    /// A read that has not begun.
    class [[nodiscard]] reading {
    public:
        static constexpr bool is_repeatable = true;

        reading(stream& from, context& self) noexcept : from_(&from), self_(&self) {}
        awaiter operator co_await() const noexcept { return awaiter(*from_, *self_); }

    private:
        stream* from_;
        context* self_;
    };

    bool is_empty() const noexcept { return taken_ == batch_.values.size(); }

    /// True when there is something to tell at once; else a question is under way.
    bool look(context& self)
    {
        if (!is_empty() || is_over_)
            return true;
        if (!pull_)
            pull_ =
                self.ask_future(producer_, machine::stream_pull<T>{window_}, std::chrono::nanoseconds::max());
        return pull_.ready();
    }

    std::optional<T> take()
    {
        if (is_empty() && pull_)
            refill();
        if (is_empty())
            return std::nullopt;
        return std::move(batch_.values[taken_++]);
    }

    void refill()
    {
        const future<machine::stream_batch<T>> answered = std::move(pull_);
        const errc failure = answered.state()->failure();
        if (failure == errc::cancelled)
            throw error(failure);  // nothing was asked, because the reader is told to stop
        batch_ = {};
        taken_ = 0;
        if (failure != errc{}) {
            is_over_ = true;
            machine::stop_producer(*engine_, producer_);  // nobody asks it any more, should it still be there
            // It is gone without having said that it was done.
            throw error(failure == errc::no_such_actor ? errc::actor_failed : failure);
        }
        batch_ = std::move(*answered.state()->value);
        is_over_ = batch_.is_last;
    }

    engine* engine_ = nullptr;
    pid producer_;
    machine::stream_batch<T> batch_;
    std::size_t taken_ = 0;  // of the batch
    std::uint32_t window_ = 16;
    bool is_over_ = true;
    future<machine::stream_batch<T>> pull_;
};

template <class T>
class stream<T>::awaiter : private machine::run_node {
public:
    awaiter(stream& from, context& self) noexcept : from_(from), self_(self) {}

    bool await_ready() const noexcept { return false; }

    template <std::derived_from<machine::promise_base> Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller)
    {
        within_ = &caller.promise().scope();
        if (within_->is_cancelled() || from_.look(self_))
            return within_->home().must_yield(*this, caller.promise());
        return wait_.emplace(from_.pull_.state()).await_suspend(caller);
    }

    /// Ends the wait without taking the value that is there.
    void settle()
    {
        if (within_->is_cancelled())  // perhaps only now: a branch that has lost may not take a value
            throw error(errc::cancelled);
        within_ = nullptr;
    }
    void pass_over() const noexcept {}

    std::optional<T> await_resume()
    {
        if (within_ != nullptr)
            settle();
        return from_.take();
    }

private:
    stream& from_;
    context& self_;
    const machine::scope* within_ = nullptr;
    std::optional<machine::future_wait> wait_;
};

}  // namespace costar

namespace costar::machine {

/// The body of an actor that produces a stream: it runs the producer and hands on what that puts.
template <class T, class Producer>
struct stream_source {
    /// It would give the reader the first values again.
    static constexpr bool is_begun_once = true;

    template <class... Args>
    task<> operator()(context& self, Producer producer, std::chrono::nanoseconds idle, Args... args) const
    {
        const open_channel<T> channel(self.get_executor().machine());
        co_await when_any(serve(self, *channel, idle),
            produce(*channel, producer(self, sink<T>(*channel), std::move(args)...)));
    }

private:
    static task<> serve(context& self, stream_channel<T>& channel, std::chrono::nanoseconds idle)
    {
        while (!channel.is_over()) {
            message received;
            if (idle > std::chrono::nanoseconds(0))
                received = co_await self.receive(idle - channel.idle());
            else
                received = co_await self.receive();
            if (received.timed_out()) {
                if (channel.idle() >= idle)
                    co_return;
            } else if (!received) {
                throw error(errc::cancelled);  // a poison pill: it is stopped, and has not returned
            } else if (received.template is<stream_pull<T>>()) {
                channel.take(std::move(received));
            }
        }
    }

    static task<> produce(stream_channel<T>& channel, task<> producer)
    {
        while (!channel.has_room())
            co_await stream_gate::waiting(channel.asked());
        co_await std::move(producer);
        channel.finish();
        while (!channel.is_over())
            co_await stream_gate::waiting(channel.asked());
    }
};

}  // namespace costar::machine

namespace costar {

/// Answers a request with a stream: spawns `producer` as a child of `self`, which makes the values.
///
/// `producer` is a coroutine function without captures, `task<>(context&, sink<T>, args...)`:
/// `return make_stream<row>(self, read_table, table)`. It begins when the consumer asks for the first value,
/// and is stopped when the consumer or `self` ends. It may ask, send and sleep, but not receive: its mailbox
/// serves the stream. It is never begun anew, whatever `self` or its own options say about crashes, and when
/// it crashes the other children of `self` go on: the consumer hears of it.
///
/// Errors: as `spawn`.
template <class T, class Producer, class... Args>
    requires std::same_as<std::invoke_result_t<Producer&, context&, sink<T>, std::decay_t<Args>...>, task<>>
stream<T> make_stream(context& self, stream_options options, Producer producer, Args&&... args)
{
    static_assert(std::is_pointer_v<Producer> || std::is_empty_v<Producer>,
        "a producer may not capture: its captures would be gone when it runs; pass them as arguments");
    static_assert(machine::actor_parameters<Producer>::are_values,
        "a producer's parameters must be values: what a reference names may be gone when it runs");
    return stream<T>(self.engine(),
        self.spawn(std::move(options.actor), machine::stream_source<T, Producer>(), std::move(producer),
            options.idle, std::forward<Args>(args)...));
}

template <class T, class Producer, class... Args>
    requires std::same_as<std::invoke_result_t<Producer&, context&, sink<T>, std::decay_t<Args>...>, task<>>
stream<T> make_stream(context& self, Producer producer, Args&&... args)
{
    return make_stream<T>(self, stream_options(), std::move(producer), std::forward<Args>(args)...);
}

}  // namespace costar
