// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/kernel/supervision.hpp>
#include <costar/post/copyable.hpp>
#include <costar/post/envelope.hpp>
#include <costar/post/pid.hpp>

#include <boost/asio/execution/executor.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

namespace costar {

/// When something happened, by the date of the engine's clock.
using event_time = std::chrono::system_clock::time_point;

/// A message that has left its mailbox for good, whose type is known to who looks into it.
///
/// Thread safety: as its message's; it does not change any more.
class lost_message {
public:
    /// Moves a message into itself.
    lost_message(const machine::message_type& type, void* message);
    lost_message(const lost_message&) = delete;
    lost_message& operator=(const lost_message&) = delete;
    ~lost_message();

    /// The message when it is a `Message`, else null.
    template <any_message Message>
    const Message* get_if() const noexcept
    {
        return type_ == &machine::type_of<Message> ? static_cast<const Message*>(memory_) : nullptr;
    }

private:
    const machine::message_type* type_;
    void* memory_;
};

/// An actor was made: it has its pid, its name and its place in the family.
struct actor_initialized {
    pid who;
    std::string name;
    event_time at{};
};

/// An actor is there and its body made: it runs in the next turn of its strand. Once; beginnings anew are
/// `actor_restarted`. What stands before the first wait of its body has not run yet.
struct actor_started {
    pid who;
    std::string name;
    event_time at{};
};

/// An actor has ended, on whatever way; seen once for each actor that was spawned.
struct actor_stopped {
    pid who;
    std::string name;
    errc reason;  ///< `cancelled` when it was stopped or returned, `actor_failed` after a final crash
    event_time at{};
};

/// An actor crashed and begins anew. Where the exception came from is not in it: the body has unwound by
/// then.
struct actor_restarted {
    pid who;
    std::string name;
    std::string reason;
    std::uint32_t restarts;
    event_time at{};
};

/// An actor crashed once too often; it ends.
struct restart_limit_reached {
    pid who;
    std::string name;
    std::string reason;
    std::uint32_t restarts;
    event_time at{};
};

/// What was decided about a crash.
struct supervision_decision {
    pid who;
    std::string name;
    std::string reason;
    directive decided;
    event_time at{};
};

/// An actor has kept its strand for longer than `turn_options::hog_limit`.
struct strand_hogged {
    pid who;
    std::string name;  ///< empty for a task or handler that belongs to no actor
    std::string type;  ///< of the message that was next when it began; empty when it went on from a wait
    std::chrono::nanoseconds duration;
};

/// A spawn was refused because the name is in use.
struct duplicate_name {
    pid holder;
    std::string name;
};

/// A message that nobody handled.
struct dead_letter {
    pid to;
    pid sender;
    errc reason;
    std::string type;

    /// The message itself, `letter.message->get_if<order>()`; null for one that cannot be copied. It dies
    /// with the last event that holds it, on whatever thread that is.
    std::shared_ptr<const lost_message> message{};
};

/// Publish and subscribe by type inside an engine.
///
/// Thread safety: from any thread. Subscribers are called in the publisher's thread, or turn, one after
/// another, and must not block; an actor subscribes with `engine.subscribe<E>(pid)` and gets events as
/// messages. Errors: what a subscriber throws is logged, and the others are called. Cost: one atomic load
/// where nobody subscribes to anything, two or three where nobody subscribes to the type; to subscribe and to
/// cancel is logarithmic in the subscribers of the type, however many the others have.
///
/// Order: what one thread publishes, be it of several types, is told event by event: all subscribers hear of
/// one, in the order of their subscriptions, before any hears of the next. An event that a subscriber
/// publishes is put aside as a copy, and told when those before it have been: nobody hears of it before the
/// one that caused it, and who subscribes meanwhile does not hear of it. One that cannot be copied is told at
/// once. Between threads there is no order.
class event_stream {
public:
    /// Ends the subscription when destroyed. It may outlive the stream.
    class subscription;

    event_stream();
    event_stream(const event_stream&) = delete;
    event_stream& operator=(const event_stream&) = delete;
    ~event_stream();

    /// Calls `receiver` with each event of type `Event`.
    template <class Event>
    [[nodiscard]] subscription subscribe(std::function<void(const Event&)> receiver);

    /// Calls `receiver` with each event of type `Event` for which `wanted` is true.
    template <class Event>
    [[nodiscard]] subscription subscribe(
        std::function<bool(const Event&)> wanted, std::function<void(const Event&)> receiver);

    /// Calls `receiver` on an executor, say a strand, with a copy of each event of type `Event`; in order
    /// where the executor keeps it.
    template <class Event, class Executor>
        requires boost::asio::execution::is_executor<Executor>::value
    [[nodiscard]] subscription subscribe(Executor executor, std::function<void(const Event&)> receiver);

    /// Gives `event` to all who subscribed to its type; in a subscriber, when this thread has told what was
    /// published before. What the event points to has to live that long.
    template <class Event>
    void publish(const Event& event)
    {
        if (channel* told = channel_with_subscribers(kind_of<Event>))
            publish(*told, &event, copies<Event>());
    }

    /// False when nobody listens to anything.
    bool has_subscribers() const noexcept { return count_->load(std::memory_order_relaxed) != 0; }

    /// False when nobody listens to events of type `Event`, so that one need not even be made.
    template <class Event>
    bool has_subscribers() const noexcept
    {
        return channel_with_subscribers(kind_of<Event>) != nullptr;
    }

private:
    using erased = std::function<void(const void*)>;
    struct state;

    /// Stands for a type of events: each has a record at an address of its own.
    struct kind {
        const std::type_info* info;
    };
    template <class Event>
    static inline constexpr kind kind_of{&typeid(Event)};

    /// Those who subscribed to one type.
    struct channel;

    class publishing;

    /// Copies an event that is told later; null where that cannot be done.
    using copy_function = std::shared_ptr<const void> (*)(const void* event);
    template <class Event>
    static constexpr copy_function copies() noexcept
    {
        if constexpr (is_copyable<Event>)
            return [](const void* event) -> std::shared_ptr<const void> {
                return std::make_shared<const Event>(*static_cast<const Event*>(event));
            };
        else
            return nullptr;
    }

    subscription subscribe(const kind& type, erased receiver);
    void publish(channel& told, const void* event, copy_function copy);

    channel* channel_with_subscribers(const kind& type) const noexcept
    {
        return has_subscribers() ? find_channel(type) : nullptr;
    }
    channel* find_channel(const kind& type) const noexcept;

    std::shared_ptr<state> state_;
    const std::atomic<std::size_t>* count_;
};

class [[nodiscard]] event_stream::subscription {
public:
    subscription() = default;
    subscription(subscription&& other) noexcept
        : state_(std::move(other.state_)), channel_(other.channel_), id_(other.id_)
    {}
    subscription& operator=(subscription&& other) noexcept
    {
        cancel();
        state_ = std::move(other.state_);
        channel_ = other.channel_;
        id_ = other.id_;
        return *this;
    }
    ~subscription() { cancel(); }

    /// Ends it now. A call that is under way on another thread may still finish.
    void cancel() noexcept;

private:
    friend class event_stream;
    subscription(std::weak_ptr<state> state, channel& of, std::uint64_t id)
        : state_(std::move(state)), channel_(&of), id_(id)
    {}

    std::weak_ptr<state> state_;
    channel* channel_ = nullptr;  // lives as long as the state
    std::uint64_t id_ = 0;
};

template <class Event>
event_stream::subscription event_stream::subscribe(std::function<void(const Event&)> receiver)
{
    return subscribe(kind_of<Event>,
        [receiver = std::move(receiver)](const void* event) { receiver(*static_cast<const Event*>(event)); });
}

template <class Event>
event_stream::subscription event_stream::subscribe(
    std::function<bool(const Event&)> wanted, std::function<void(const Event&)> receiver)
{
    return subscribe(
        kind_of<Event>, [wanted = std::move(wanted), receiver = std::move(receiver)](const void* event) {
            if (wanted(*static_cast<const Event*>(event)))
                receiver(*static_cast<const Event*>(event));
        });
}

template <class Event, class Executor>
    requires boost::asio::execution::is_executor<Executor>::value
event_stream::subscription event_stream::subscribe(
    Executor executor, std::function<void(const Event&)> receiver)
{
    auto shared = std::make_shared<std::function<void(const Event&)>>(std::move(receiver));
    return subscribe(kind_of<Event>, [executor = std::move(executor), shared](const void* event) {
        boost::asio::post(executor, [shared, copy = *static_cast<const Event*>(event)] { (*shared)(copy); });
    });
}

}  // namespace costar
