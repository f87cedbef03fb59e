// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/hash.hpp>
#include <costar/ground/timer_wheel.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <time.h>

namespace costar {

/// Where a strand reads the time: nanoseconds since an unspecified start, never going back.
///
/// Thread safety: `now` and `coarse` are called by the threads of all strands that use it, and by those that
/// ask their actors from outside.
class clock {
public:
    virtual ~clock() = default;

    virtual std::uint64_t now() noexcept = 0;

    /// A time between some milliseconds ago and now, where that is cheaper to have.
    virtual std::uint64_t coarse() noexcept { return now(); }

    /// The date and the time of day, which may be set forward and back. The system's, unless a clock has its
    /// own.
    virtual std::chrono::system_clock::time_point wall() noexcept { return std::chrono::system_clock::now(); }
};

/// The steady clock of the system. Cost: 20-30 ns for `now`, 5 ns for `coarse`, which is a tick of the
/// system late at most (4 ms).
///
/// Thread safety: from any thread.
class real_clock final : public clock {
public:
    std::uint64_t now() noexcept override
    {
        const auto since = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
    }

#if defined(CLOCK_MONOTONIC_COARSE)
    std::uint64_t coarse() noexcept override
    {
        timespec since{};
        ::clock_gettime(CLOCK_MONOTONIC_COARSE, &since);
        return static_cast<std::uint64_t>(since.tv_sec) * 1'000'000'000 +
            static_cast<std::uint64_t>(since.tv_nsec);
    }
#endif
};

/// A clock that stands still until it is told to move.
///
/// Thread safety: one thread at a time.
class manual_clock final : public clock {
public:
    /// The date on which every manual clock begins: a Monday, midnight in UTC.
    static constexpr std::chrono::sys_days first_day{
        std::chrono::year(2024) / std::chrono::January / std::chrono::day(1)};

    explicit manual_clock(std::uint64_t now = 0) noexcept : now_(now), dated_at_(now) {}

    std::uint64_t now() noexcept override { return now_; }

    /// The date moves with the time.
    std::chrono::system_clock::time_point wall() noexcept override
    {
        return date_ + std::chrono::nanoseconds(static_cast<std::int64_t>(now_ - dated_at_));
    }

    /// Sets the date, as an administrator does; `now()` is the same as before.
    void set_wall(std::chrono::system_clock::time_point date) noexcept
    {
        date_ = date;
        dated_at_ = now_;
    }

    /// Moves to a time that is not before `now()`; an earlier one is ignored.
    void set(std::uint64_t now) noexcept
    {
        if (now > now_) {
            now_ = now;
        }
    }

    void advance(std::chrono::nanoseconds by) noexcept
    {
        if (by.count() > 0) {
            now_ += static_cast<std::uint64_t>(by.count());
        }
    }

private:
    std::uint64_t now_;
    std::chrono::system_clock::time_point date_ = first_day;
    std::uint64_t dated_at_;  // when it was `date_`
};

/// What happens in virtual time beside timers: a network, a disk. A simulation makes it happen.
///
/// Thread safety: the thread that moves the clock.
class happenings {
public:
    /// When something happens next; the largest time there is for never.
    virtual std::chrono::nanoseconds next() const noexcept = 0;

    /// Does something of what is due.
    virtual void happen() = 0;

protected:
    ~happenings() = default;
};

}  // namespace costar

namespace costar::machine {

/// The time of one strand: read from a clock now and then, and the timers that wait for it.
///
/// The base of `strand_context`. Thread safety: `time_outside_for` from any thread, all else inside the
/// strand's turn.
class strand_time {
public:
    strand_time(const strand_time&) = delete;
    strand_time& operator=(const strand_time&) = delete;

    /// Time of this turn in nanoseconds; it moves a few dozen times in a long turn.
    std::uint64_t now() const noexcept { return now_; }

    /// Reads the clock.
    std::uint64_t read_clock() noexcept { return now_ = clock_->now(); }

    /// The time from which a wait of `length` counts. The time of the turn lies as far back as the running
    /// coroutine has computed; this is now, or some milliseconds ago for a wait longer than a hundred.
    std::uint64_t time_for(std::chrono::nanoseconds length) noexcept
    {
        return length < std::chrono::milliseconds(100) || clock_->coarse() > now_ ? read_clock() : now_;
    }

    /// The same for those who are in no turn of this strand. Thread safety: any thread, if the clock stands
    /// it.
    std::uint64_t time_outside_for(std::chrono::nanoseconds length) const noexcept
    {
        return length < std::chrono::milliseconds(100) ? clock_->now() : clock_->coarse();
    }

    /// The date and the time of day, by the same clock.
    std::chrono::system_clock::time_point read_wall() const noexcept { return clock_->wall(); }

    void arm(timer_node& timer, std::uint64_t due) noexcept
    {
        wheel_.arm(timer, due);
        if (due < wheel_due_)
            wheel_due_ = due;
    }
    void disarm(timer_node& timer) noexcept { wheel_.cancel(timer); }

    /// When the next timer is due, UINT64_MAX for none.
    std::uint64_t next_timer() const noexcept { return wheel_.next_due(); }

    /// The driver's timer has fired or was dropped, so the next due time is announced again.
    void forget_announcement() noexcept { announced_due_ = UINT64_MAX; }

protected:
    explicit strand_time(clock& from) noexcept : now_(from.now()), clock_(&from), wheel_(now_) {}
    ~strand_time() = default;

    /// May a timer be due?
    bool is_timer_due() const noexcept { return now_ >= wheel_due_; }

    /// Fires timers that are due, `timers_max` at most.
    void fire_due(std::size_t timers_max)
    {
        wheel_.advance(now_, timers_max);
        look_at_timers();
    }

    void look_at_timers() noexcept { wheel_due_ = wheel_.next_due(); }

    /// Calls `announce` with the time that the next timer is due, if it is another than before.
    template <class Announce>
    void announce_timer(Announce&& announce)
    {
        look_at_timers();
        if (wheel_due_ != announced_due_)
            announce(announced_due_ = wheel_due_);
    }

    std::uint64_t now_;

private:
    std::uint64_t wheel_due_ = UINT64_MAX;  // not later than the earliest timer
    clock* clock_;
    std::uint64_t announced_due_ = UINT64_MAX;
    timer_wheel wheel_;
};

}  // namespace costar::machine

namespace costar {

/// Numbers that look random and are the same for the same seed, on every machine.
///
/// The generator is xoshiro256** with its state filled by splitmix64 (Blackman and Vigna, Scrambled Linear
/// Pseudorandom Number Generators, 2021). Not for secrets. Usable as a standard uniform random bit
/// generator.
///
/// Thread safety: one thread at a time.
class random_source {
public:
    using result_type = std::uint64_t;

    explicit random_source(std::uint64_t seed) noexcept
    {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15;
            word = machine::mixed(seed);
        }
    }

    std::uint64_t next() noexcept
    {
        const std::uint64_t drawn = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return drawn;
    }

    /// A number from 0 to `bound` - 1, each as likely as the others; 0 when `bound` is 0.
    ///
    /// Draws again what would favour the lower numbers, so few draws are lost: less than one in two at
    /// worst.
    std::uint64_t below(std::uint64_t bound) noexcept
    {
        if (bound == 0) {
            return 0;
        }
        const std::uint64_t excess = (0 - bound) % bound;  // 2^64 mod bound
        std::uint64_t drawn = next();
        while (drawn < excess) {
            drawn = next();
        }
        return drawn % bound;
    }

    std::uint64_t operator()() noexcept { return next(); }
    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return UINT64_MAX; }

private:
    static constexpr std::uint64_t rotate(std::uint64_t word, int by) noexcept
    {
        return (word << by) | (word >> (64 - by));
    }

    std::uint64_t state_[4];
};

}  // namespace costar
