// SPDX-License-Identifier: MIT

#pragma once

#include <costar/calendar/cron.hpp>
#include <costar/ground/timer_wheel.hpp>
#include <costar/kernel/cell.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/pid.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace costar {

/// From when the next tick of a repeated message counts.
enum class pace : std::uint8_t {
    /// From the moment the last one was sent: two are never closer together than the interval.
    fixed_delay,

    /// From the first tick, by whole intervals: no lateness adds up.
    fixed_rate,
};

/// What becomes of a tick while the message of the tick before has not been let go of by its receiver.
enum class overlap : std::uint8_t {
    /// It is sent all the same.
    allow,

    /// It is left out, and counted. A message that was forwarded counts until the last holder lets go of it,
    /// a dead letter no longer. To its receiver the message looks like a request: what it is answered is
    /// dropped.
    skip,
};

/// What becomes of ticks that were missed: the next one was due before they could be sent, because the strand
/// was busy; or, by cron, they were more than a minute late, because the machine slept or its clock was set.
///
/// A tick that is merely late is sent whatever is chosen here. With a fixed delay nothing is ever missed.
enum class missed : std::uint8_t {
    /// They are left out, and counted.
    skip,

    /// Each is sent, one right after another, 64 in a round of the strand; by cron a thousand at most.
    all,

    /// One message is sent for all of them.
    once,
};

/// What can be chosen for a message that is sent at intervals.
struct repeat_options {
    /// When it is sent for the first time, from now; after one interval when nothing is said.
    std::optional<std::chrono::nanoseconds> first = std::nullopt;

    costar::pace pace = costar::pace::fixed_delay;
    costar::overlap overlap = costar::overlap::allow;
    costar::missed missed = costar::missed::skip;
};

/// What can be chosen for a message that is sent at times of the day.
struct cron_options {
    /// The clocks that the expression speaks of, as `time_zone::find` knows them.
    std::string_view zone = "UTC";

    costar::overlap overlap = costar::overlap::allow;
    costar::missed missed = costar::missed::skip;
};

}  // namespace costar

namespace costar::machine {

struct schedule_entry;
class schedule_book;

}  // namespace costar::machine

namespace costar {

/// A message that is going to be sent, once or again and again, by the actor that set it up.
///
/// It is a value, and dropping it cancels nothing. It may be kept longer than the schedule, its actor and its
/// engine last, and does nothing then.
///
/// Thread safety: the functions are called on the strand of the actor; in the turns of other strands they do
/// nothing.
/// Cost: 32 bytes.
class schedule {
public:
    /// Nothing at all.
    schedule() noexcept = default;

    /// Sends nothing from now on. Harmless when it has ended, or was cancelled, before.
    void cancel() noexcept;

    /// Is there anything still to be sent?
    bool active() const noexcept;

    /// How many ticks were left out, as `overlap` and `missed` say; 0 when it has ended.
    std::uint64_t skipped() const noexcept;

private:
    friend class machine::schedule_book;

    schedule(const machine::cell& owner, machine::schedule_entry& entry) noexcept;
    machine::schedule_entry* find() const noexcept;

    pid owner_;
    machine::schedule_entry* entry_ = nullptr;
    std::uint32_t generation_ = 0;
};

}  // namespace costar

namespace costar::machine {

/// The schedules of one actor; made when the first is set up. They end with the incarnation that set them up.
class schedule_book final : public body_companion {
public:
    struct discard {
        void operator()(envelope* left) const noexcept { left->discard(); }
    };

    /// A message that has not been sent.
    using held_message = std::unique_ptr<envelope, discard>;

    /// Makes another envelope with a copy of the message.
    using copy_function = envelope* (*)(envelope& original);

    /// That of an actor. Errors: throws `error` with `errc::cancelled` when the actor's body has ended.
    static schedule_book& of(cell& owner);

    explicit schedule_book(cell& owner) noexcept : owner_(owner) {}
    schedule_book(const schedule_book&) = delete;
    schedule_book& operator=(const schedule_book&) = delete;
    ~schedule_book() override;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    schedule send_after(std::chrono::nanoseconds delay, pid to, held_message message);
    schedule send_every(std::chrono::nanoseconds interval, pid to, held_message message, copy_function copy,
        const repeat_options& options);
    schedule send_at_cron(
        const cron& times, pid to, held_message message, copy_function copy, const cron_options& options);

private:
    friend class costar::schedule;

    schedule_entry& open(pid to, held_message message);
    void end(schedule_entry& ended) noexcept;
    void body_ended() noexcept override;

    static void fire(timer_node* timer) noexcept;
    void tick(schedule_entry& due);
    void tick_once(schedule_entry& due);
    void tick_again(schedule_entry& due);
    void tick_by_cron(schedule_entry& due);
    void send_copy(schedule_entry& due);
    void send_missed(schedule_entry& due, std::uint64_t count);
    void arm_by_cron(schedule_entry& entry, std::chrono::system_clock::time_point wall) noexcept;

    strand_context& home() const noexcept { return owner_.home(); }

    cell& owner_;
    schedule_entry* running_ = nullptr;
    schedule_entry* unused_ = nullptr;
};

/// The forms in which an actor has messages sent later, the same messages that it could `send` now.
///
/// The actor is their sender. What cannot be delivered becomes a dead letter. All schedules of an actor end
/// when its body ends, be it by a return, a stop or a crash; a body that is begun anew sets them up again.
///
/// Accuracy: as `ask`; what is shorter than 100 ms is never early. Errors: all of them throw `error` with
/// `errc::cancelled` in a task of an actor whose body has ended. What the copying of a repeated message
/// throws is a crash of the actor. Cost: tens of nanoseconds to set up and to cancel.
template <class Derived>
class scheduling {
public:
    /// Sends a message when `delay` is over; zero or less means in this turn or the next.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    schedule send_after(std::chrono::nanoseconds delay, const Destination& to, Message&& message)
    {
        return schedules().send_after(delay, static_cast<pid>(to), hold(to, std::forward<Message>(message)));
    }

    /// Sends copies of a message, again and again.
    ///
    /// Errors: throws `std::invalid_argument` when the interval is not longer than nothing.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    schedule send_every(std::chrono::nanoseconds interval, const Destination& to, Message&& message,
        const repeat_options& options = {})
    {
        return schedules().send_every(interval, static_cast<pid>(to),
            hold(to, std::forward<Message>(message)), copies<std::remove_cvref_t<Message>>(), options);
    }

    /// Sends copies of a message at the times of a cron expression, by the system's date and time of day.
    ///
    /// That is looked at once a minute at least: when it is set forward, or the machine has slept, the times
    /// left out are `missed`; when it is set back by minutes or more, times come again.
    /// Errors: throws `std::invalid_argument` for an expression whose times never come and for an unknown
    /// zone.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    schedule send_at_cron(
        const cron& times, const Destination& to, Message&& message, const cron_options& options = {})
    {
        return schedules().send_at_cron(times, static_cast<pid>(to), hold(to, std::forward<Message>(message)),
            copies<std::remove_cvref_t<Message>>(), options);
    }

    /// As above, by the text of the expression; throws what `cron::parse` throws.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    schedule send_at_cron(std::string_view expression, const Destination& to, Message&& message,
        const cron_options& options = {})
    {
        return send_at_cron(cron::parse(expression), to, std::forward<Message>(message), options);
    }

private:
    schedule_book& schedules() { return schedule_book::of(static_cast<Derived&>(*this)); }

    template <class Message>
    schedule_book::held_message hold(pid to, Message&& message)
    {
        using value = std::remove_cvref_t<Message>;
        check_message<value>();
        station::of(static_cast<Derived&>(*this)).shared().check_way(to, message);
        return schedule_book::held_message(
            envelope::make(std::forward<Message>(message), static_cast<Derived&>(*this).pid()));
    }

    template <class Message>
    static schedule_book::copy_function copies()
    {
        static_assert(std::is_copy_constructible_v<Message>,
            "a message that is sent repeatedly must be copyable: each receiver gets a copy of its own");
        return [](envelope& original) {
            return envelope::make(std::as_const(original.as<Message>()), original.sender);
        };
    }
};

}  // namespace costar::machine
