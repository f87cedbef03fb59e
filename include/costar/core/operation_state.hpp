// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// How the values of an Asio signature become the result of a `co_await`.
template <class... Values>
struct operation_result {
    using type = std::tuple<Values...>;
    static type take(std::tuple<Values...>& values) { return std::move(values); }
};

template <>
struct operation_result<> {
    using type = void;
    static void take(std::tuple<>&) noexcept {}
};

template <class Value>
struct operation_result<Value> {
    using type = Value;
    static Value take(std::tuple<Value>& values) { return std::move(std::get<0>(values)); }
};

/// Splits a leading error off the values of an Asio signature.
template <class... Values>
struct operation_values : operation_result<Values...> {
    using stored = std::tuple<Values...>;

    template <class... Args>
    static stored store(std::exception_ptr&, Args&&... args)
    {
        return stored(std::forward<Args>(args)...);
    }
};

template <class... Values>
struct operation_values<boost::system::error_code, Values...> : operation_result<Values...> {
    using stored = std::tuple<Values...>;

    template <class... Args>
    static stored store(std::exception_ptr& failure, const boost::system::error_code& code, Args&&... args)
    {
        if (code)
            failure = std::make_exception_ptr(boost::system::system_error(code));
        return stored(std::forward<Args>(args)...);
    }
};

template <class... Values>
struct operation_values<std::exception_ptr, Values...> : operation_result<Values...> {
    using stored = std::tuple<Values...>;

    template <class... Args>
    static stored store(std::exception_ptr& failure, std::exception_ptr thrown, Args&&... args)
    {
        failure = std::move(thrown);
        return stored(std::forward<Args>(args)...);
    }
};

/// Does the first of an operation's values say that it was cancelled?
template <class Value>
bool tells_cancellation(const Value&) noexcept
{
    return false;
}
inline bool tells_cancellation(const boost::system::error_code& code) noexcept
{
    return is_cancellation(code);
}
inline bool tells_cancellation(const std::exception_ptr& failure) noexcept
{
    return is_cancellation(failure);
}
template <class First, class... Others>
bool tells_cancellation(const std::tuple<First, Others...>& values) noexcept
{
    return tells_cancellation(std::get<0>(values));
}

/// Where an Asio handler and the coroutine that waits for it meet. It outlives both, so a handler that is
/// called or destroyed after its coroutine finds nobody and does no harm.
///
/// Thread safety: `complete`, `abandon` and `release` from any thread, all else from the strand. An outcome
/// that comes from elsewhere goes to the strand as a job; the job is the state itself.
template <class... Values>
class operation_state : private job {
public:
    using traits = operation_values<std::decay_t<Values>...>;

    static operation_state* make(strand_context& home)
    {
        return ::new (arena::current().allocate(sizeof(operation_state))) operation_state(home);
    }

    void release() noexcept
    {
        // Acquire: the last one sees what the other did. It is alone then, and spares the exchange.
        if (references_.load(std::memory_order_acquire) == 1 ||
            references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            this->~operation_state();
            arena::deallocate(this, sizeof(operation_state));
        }
    }

    /// The handler was called. Ends the handler's hold.
    template <class... Args>
    void complete(Args&&... args) noexcept
    {
        try {
            values_.emplace(traits::store(failure_, std::forward<Args>(args)...));
        } catch (...) {
            failure_ = caught_exception();
        }
        arrive();
    }

    /// The handler was destroyed without a call: its context is gone or dropped it. Ends the handler's hold.
    void abandon() noexcept
    {
        failure_ = std::make_exception_ptr(error(errc::cancelled));
        arrive();
    }

    typename traits::type take()
    {
        if (failure_)
            std::rethrow_exception(failure_);
        return traits::take(*values_);
    }

    /// Makes `node` ready when the outcome is here, which it may be already.
    void wait(run_node& node) noexcept
    {
        if (has_arrived_)
            home_->make_ready(node);
        else
            node_ = &node;
    }
    void forget() noexcept { node_ = nullptr; }

    /// The operation is a coroutine of Asio that runs on `executor`, where its cancellation must arrive.
    template <class Executor>
    void cancel_on(const Executor& executor)
    {
        way_ = std::make_unique<way_to<Executor>>(executor);
    }

    /// Asks the operation to end early.
    void cancel()
    {
        if (way_ == nullptr) [[likely]]
            signal.emit(asio::cancellation_type::terminal);
        else
            way_->emit(hold(*this));
    }

    bool has_arrived() const noexcept { return has_arrived_; }

    /// Has it ended as an operation does that was cancelled?
    bool was_cancelled() const noexcept
    {
        return failure_ ? is_cancellation(failure_) : tells_cancellation(*values_);
    }
    strand_context& home() const noexcept { return *home_; }

    asio::cancellation_signal signal;

private:
    /// Keeps the state in memory, and the strand whose memory it is.
    class hold {
    public:
        explicit hold(operation_state& state)
            : work_(state.home().get_executor().require(asio::execution::outstanding_work.tracked)),
              state_(&state)
        {
            state.references_.fetch_add(1, std::memory_order_relaxed);
        }
        hold(hold&& other) noexcept
            : work_(std::move(other.work_)), state_(std::exchange(other.state_, nullptr))
        {}
        ~hold()
        {
            if (state_ != nullptr)
                state_->release();
        }
        operation_state* operator->() const noexcept { return state_; }

    private:
        strand work_;
        operation_state* state_;
    };

    /// Where a coroutine runs that is awaited here.
    struct way {
        virtual ~way() = default;
        virtual void emit(hold held) = 0;
    };

    // Asio's `co_spawn` lets a pointer into the signal travel to its executor; in Boost 1.81 it arrives there
    // even when the coroutine has ended meanwhile (chriskohlhoff/asio#1332). So what it points to is held
    // until the signal was emitted on that executor.
    template <class Executor>
    struct way_to final : way {
        explicit way_to(const Executor& executor) : executor(executor) {}

        void emit(hold held) override
        {
            asio::dispatch(executor, [held = std::move(held), executor = executor]() mutable {
                held->signal.emit(asio::cancellation_type::terminal);
                asio::dispatch(executor, [held = std::move(held)] {});  // behind what it has queued
            });
        }

        Executor executor;
    };

    explicit operation_state(strand_context& home) noexcept : job{nullptr, &run_job}, home_(&home) {}

    void arrive() noexcept
    {
        if (strand_context::current() != home_) {
            home_->post(static_cast<job&>(*this));
            return;
        }
        wake();
        release();
    }

    static void run_job(job* base, bool destroy_only)
    {
        auto* self = static_cast<operation_state*>(base);
        if (!destroy_only)
            self->wake();
        self->release();
    }

    void wake() noexcept
    {
        has_arrived_ = true;
        if (run_node* node = std::exchange(node_, nullptr))
            home_->make_ready(*node);
    }

    strand_context* home_;
    run_node* node_ = nullptr;
    bool has_arrived_ = false;
    std::exception_ptr failure_;
    std::optional<typename traits::stored> values_;
    std::unique_ptr<way> way_;        // null for most
    std::atomic<int> references_{2};  // handler and coroutine; from 2 to 0, by either
};

}  // namespace costar::machine
