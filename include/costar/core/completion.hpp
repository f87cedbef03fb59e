// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar {

/// A completion handler on its way through a strand: it is called once, on its associated executor, which has work to
/// do until then.
///
/// Its associated allocator carries it there. Without an associated executor the strand calls it.
/// Thread safety: `connect_cancellation` from the initiating thread before the operation can end; all else from the
/// strand.
template <class Handler>
class completion {
public:
    completion(strand_context& home, Handler handler)
        : handler_(std::move(handler)),
          executor_(asio::prefer(asio::get_associated_executor(handler_, home.get_executor()),
                                 asio::execution::outstanding_work.tracked))
    {
    }

    /// Calls the handler with `values`.
    template <class... Values>
    void operator()(Values... values)
    {
        target_.reset();
        auto allocator = asio::get_associated_allocator(handler_);
        auto executor = std::move(executor_);
        asio::dispatch(executor,
                       asio::bind_allocator(allocator, [handler = std::move(handler_),
                                                        values = std::tuple<Values...>(std::move(values)...)]() mutable {
                           std::apply([&](Values&... value) { std::move(handler)(std::move(value)...); }, values);
                       }));
    }

    /// Lets the handler's cancellation slot call `operation.cancel()` in a turn of `home`, as long as `operation` has
    /// not ended.
    template <class Operation>
    void connect_cancellation(strand_context& home, Operation& operation)
    {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (!slot.is_connected())
            return;
        auto target = std::make_shared<void*>(&operation);
        target_ = disarm{target};
        slot.assign([&home, target](asio::cancellation_type) {
            home.post([target] {
                if (*target != nullptr)
                    static_cast<Operation*>(*target)->cancel();
            });
        });
    }

private:
    /// Clears what the slot points to when the operation ends.
    class disarm {
    public:
        disarm() = default;
        explicit disarm(std::shared_ptr<void*> target) noexcept : target_(std::move(target)) {}
        void reset() noexcept
        {
            if (target_)
                *target_ = nullptr;
            target_.reset();
        }

    private:
        std::shared_ptr<void*> target_;
    };

    // Decayed: an executor that cannot track work comes back as a reference.
    using executor_type = std::decay_t<decltype(asio::prefer(
        std::declval<asio::associated_executor_t<Handler, strand>>(), asio::execution::outstanding_work.tracked))>;

    Handler handler_;
    executor_type executor_;
    disarm target_;
};

}  // namespace costar
