// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// How a value reaches an Asio handler beside an error: as `std::optional` when there is no empty one, a
/// reference as pointer.
template <class T>
struct handed_over {
    using type = std::conditional_t<std::is_default_constructible_v<T>, T, std::optional<T>>;
};

template <class T>
struct handed_over<T&> {
    using type = T*;
};

/// A job that takes an operation one step further, or destroys it when it will not run: `Step` and `Destroy`
/// are member functions of the operation.
template <class Operation, auto Step, auto Destroy>
class operation_step {
public:
    explicit operation_step(Operation& subject) noexcept : subject_(&subject) {}
    operation_step(operation_step&& other) noexcept : subject_(std::exchange(other.subject_, nullptr)) {}
    ~operation_step()
    {
        if (subject_ != nullptr)
            (subject_->*Destroy)();
    }

    void operator()() { (std::exchange(subject_, nullptr)->*Step)(); }

private:
    Operation* subject_;
};

/// A value for a handler whose own moves may throw: on its way there it is not moved.
template <class Value>
struct boxed_value {
    std::unique_ptr<Value> value;
};

template <class Value>
Value&& unboxed(Value& value) noexcept
{
    return std::move(value);
}
template <class Value>
Value&& unboxed(boxed_value<Value>& boxed) noexcept
{
    return std::move(*boxed.value);
}

/// A completion handler on its way through a strand: it is called once, on its associated executor, which has
/// work to do until then.
///
/// Its associated allocator carries it there. Without an associated executor the strand calls it, in the same
/// turn; other executors get it by a dispatch, or by a post when they lie on the context that runs the
/// strand: then a foreign handler would run inside the turn, where it could not even end the engine. An
/// executor that does not say where it lies, as that of Asio's `any_completion_handler`, gets a dispatch in
/// any case. Thread safety: `connect_cancellation` from the initiating thread before the operation can end;
/// all else from the strand.
template <class Handler>
class completion {
public:
    completion(strand_context& home, Handler handler)
        : handler_(std::move(handler)),
          executor_(asio::prefer(asio::get_associated_executor(handler_, home.get_executor()),
              asio::execution::outstanding_work.tracked))
    {}

    /// From now on no signal reaches the operation, which may end before the handler is called.
    completion(completion&& other) noexcept
        : handler_(std::move(other.handler_)), executor_(std::move(other.executor_))
    {
        other.link_.reset();
    }

    /// Calls the handler with `values`. What is in a `boxed_value` comes out of it.
    template <class... Values>
    void operator()(Values... values)
    {
        link_.reset();
        auto allocator = asio::get_associated_allocator(handler_);
        auto executor = std::move(executor_);
        auto call = asio::bind_allocator(allocator,
            [handler = std::move(handler_), values = std::tuple<Values...>(std::move(values)...)]() mutable {
                std::apply([&](Values&... value) { std::move(handler)(unboxed(value)...); }, values);
            });
        if constexpr (may_have_threads) {
            if (would_run_inside(executor)) {
                asio::post(executor, std::move(call));
                return;
            }
        }
        asio::dispatch(executor, std::move(call));
    }

    /// Lets the handler's cancellation slot call `operation.cancel()` in a turn of `home`, as long as
    /// `operation` has not ended. The slot's signal may be emitted on another thread while the strand ends.
    template <class Operation>
    void connect_cancellation(strand_context& home, Operation& operation)
    {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (!slot.is_connected())
            return;
        auto link = std::make_shared<cancellation_link>(home, &operation);
        link_ = disarm{link};
        slot.assign([link](asio::cancellation_type) {
            const std::optional<strand> held = link->hold();
            if (!held)
                return;
            held->machine().post([link] {
                if (void* still = link->operation())
                    static_cast<Operation*>(still)->cancel();
            });
        });
    }

private:
    /// What the slot points to, whatever becomes of the operation and its strand.
    ///
    /// Thread safety: `hold` from any thread; all else from the strand, or from whoever destroys it.
    class cancellation_link {
    public:
        cancellation_link(strand_context& home, void* operation) noexcept
            : home_(&home), operation_(operation)
        {}

        /// The strand, which stays in memory as long as this is held; nothing when the operation has ended:
        /// the strand may be gone then.
        std::optional<strand> hold()
        {
            const std::lock_guard lock(mutex_);
            if (operation_ == nullptr)
                return std::nullopt;
            return home_->get_executor().require(asio::execution::outstanding_work.tracked);
        }

        void* operation() const noexcept { return operation_; }

        void clear() noexcept
        {
            const std::lock_guard lock(mutex_);
            operation_ = nullptr;
        }

    private:
        std::mutex mutex_;
        strand_context* home_;
        void* operation_;  // written under the mutex, by the strand
    };

    /// Clears what the slot points to when the operation ends.
    class disarm {
    public:
        disarm() = default;
        explicit disarm(std::shared_ptr<cancellation_link> link) noexcept : link_(std::move(link)) {}
        disarm(disarm&&) noexcept = default;
        disarm& operator=(disarm&&) noexcept = default;
        ~disarm() { reset(); }
        void reset() noexcept
        {
            if (link_)
                link_->clear();
            link_.reset();
        }

    private:
        std::shared_ptr<cancellation_link> link_;
    };

    // Decayed: an executor that cannot track work comes back as a reference.
    using executor_type =
        std::decay_t<decltype(asio::prefer(std::declval<asio::associated_executor_t<Handler, strand>>(),
            asio::execution::outstanding_work.tracked))>;

    // Only executors that can lie on a context with threads are asked for it: the mere question to that of a
    // promise would start the threads of Asio's system context.
    static constexpr bool may_have_threads = !std::is_same_v<executor_type, strand> &&
        (std::is_same_v<executor_type, asio::any_io_executor> ||
            requires(const executor_type& executor) { executor.running_in_this_thread(); });

    /// True when a dispatch might call a foreign handler right here: its executor lies on the context that
    /// runs the strand.
    static bool would_run_inside(const executor_type& executor) noexcept
    {
        const strand_context* home = strand_context::current();
        const asio::execution_context* foreign = &asio::query(executor, asio::execution::context);
        return home != nullptr && foreign == &home->driver().context();
    }

    Handler handler_;
    executor_type executor_;
    disarm link_;
};

}  // namespace costar::machine
