// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/clock.hpp>
#include <costar/core/error.hpp>
#include <costar/core/scheduler.hpp>
#include <costar/core/spawn.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace support {

namespace asio = boost::asio;

/// Notes the parcels of one strand; `on_receive` is called with each.
class recording_receiver final : public costar::machine::parcel_receiver {
public:
    void receive(costar::machine::parcel& arrived) override
    {
        received.push_back(arrived.to);
        if (on_receive)
            on_receive(arrived.to);
    }
    void discard(costar::machine::parcel& left) noexcept override { discarded.push_back(left.to); }
    void reap(costar::machine::run_node&) noexcept override { ++reaped; }

    std::vector<std::uint64_t> received;
    std::vector<std::uint64_t> discarded;
    std::function<void(std::uint64_t)> on_receive;
    int reaped = 0;
};

/// How a task that was started by a test has ended, if it has.
template <class T>
class outcome {
public:
    using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    bool has_ended() const noexcept { return ended_; }

    /// Cancels the task as the slot of its completion token does.
    void cancel() { signal_.emit(asio::cancellation_type::terminal); }
    asio::cancellation_signal& signal() noexcept { return signal_; }

    /// What the task returned; throws what it threw, and an error when it has not ended.
    stored get()
    {
        if (!ended_)
            throw std::logic_error("the task has not ended");
        if (failure_)
            std::rethrow_exception(failure_);
        return std::move(*value_);
    }

    /// The error code of the `system_error` that the task threw; none when it returned.
    costar::error_code code() const
    {
        if (!ended_)
            throw std::logic_error("the task has not ended");
        if (!failure_)
            return {};
        try {
            std::rethrow_exception(failure_);
        } catch (const boost::system::system_error& thrown) {
            return thrown.code();
        }
    }

    void end(std::exception_ptr failure, stored value = {})
    {
        ended_ = true;
        failure_ = std::move(failure);
        value_ = std::move(value);
    }

private:
    bool ended_ = false;
    std::exception_ptr failure_;
    std::optional<stored> value_;
    asio::cancellation_signal signal_;
};

/// Starts `body` on a strand and tells how it goes.
template <class T>
std::shared_ptr<outcome<T>> start(costar::machine::strand_context& where, costar::task<T> body)
{
    auto started = std::make_shared<outcome<T>>();
    auto done = [started](std::exception_ptr failure, auto... value) {
        started->end(std::move(failure), std::move(value)...);
    };
    costar::async_spawn(where.get_executor(), std::move(body),
        asio::bind_cancellation_slot(started->signal().slot(), std::move(done)));
    return started;
}

/// Strands that get their turns from the test, on a clock that stands still until it is moved.
class manual_strands {
public:
    explicit manual_strands(std::size_t count = 1, costar::turn_options turn = {})
        : receivers_(count), strands_(costar::machine::scheduler::manual{}, options(count, turn))
    {
        std::vector<costar::machine::parcel_receiver*> all;
        for (recording_receiver& each : receivers_)
            all.push_back(&each);
        strands_.start(all);
    }

    costar::machine::strand_context& operator[](std::size_t index) { return strands_.at(index); }
    recording_receiver& receiver(std::size_t index = 0) { return receivers_[index]; }
    costar::manual_clock& clock() noexcept { return clock_; }
    std::size_t size() const noexcept { return strands_.size(); }

    /// Time since the beginning.
    std::chrono::nanoseconds now() noexcept
    {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(clock_.now() - origin));
    }

    /// Gives all strands turns until none has anything to do.
    void run()
    {
        for (bool more = true; more;) {
            more = false;
            for (std::size_t i = 0; i < strands_.size(); ++i) {
                costar::machine::strand_context& each = strands_.at(i);
                if (each.has_work() || each.next_timer() <= clock_.now()) {
                    each.turn();
                    more = true;
                }
            }
        }
    }

    /// Lets time pass from timer to timer.
    void advance(std::chrono::nanoseconds span)
    {
        const std::uint64_t end = clock_.now() + static_cast<std::uint64_t>(span.count());
        run();
        for (std::uint64_t next = next_timer(); next <= end; next = next_timer()) {
            clock_.set(next);
            run();
        }
        clock_.set(end);
        run();
    }

    std::uint64_t next_timer()
    {
        std::uint64_t next = UINT64_MAX;
        for (std::size_t i = 0; i < strands_.size(); ++i)
            next = std::min(next, strands_.at(i).next_timer());
        return next;
    }

    /// Starts a task on a strand.
    template <class T>
    std::shared_ptr<outcome<T>> start(costar::task<T> body, std::size_t index = 0)
    {
        return support::start(strands_.at(index), std::move(body));
    }

    /// Runs a task to its end, moving time as far as it needs.
    template <class T>
    auto run(costar::task<T> body)
    {
        auto started = start(std::move(body));
        run();
        while (!started->has_ended() && next_timer() != UINT64_MAX) {
            clock_.set(next_timer());
            run();
        }
        return started->get();
    }

private:
    static constexpr std::uint64_t origin = 1'000'000'000;

    costar::machine::scheduler_options options(std::size_t count, const costar::turn_options& turn)
    {
        costar::machine::scheduler_options all;
        all.strands = count;
        all.turn = turn;
        all.clock = &clock_;
        return all;
    }

    costar::manual_clock clock_{origin};
    std::vector<recording_receiver> receivers_;
    costar::machine::scheduler strands_;
};

/// Counts what is alive of it, and notes the order in which it ends.
class tracked {
public:
    explicit tracked(int& alive) noexcept : alive_(&alive) { ++alive; }
    tracked(const tracked& other) noexcept : alive_(other.alive_) { ++*alive_; }
    tracked& operator=(const tracked&) = delete;
    ~tracked() { --*alive_; }

private:
    int* alive_;
};

}  // namespace support
