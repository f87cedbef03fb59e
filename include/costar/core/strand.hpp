// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand_context.hpp>

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/is_executor.hpp>

#include <type_traits>
#include <utility>

namespace costar {

/// Serial executor on which an actor and all its coroutines run; a full Asio executor.
///
/// Handlers bound to it run inside the strand's turn, never at the same time as its actors. `dispatch` runs
/// at once when the caller is in the turn, or on the strand's thread between turns.
///
/// Thread safety: as any executor, copies may be used from every thread.
/// Lifetime: it must not be used after its engine is gone, except that copies which track work may still be
/// destroyed, and destroy at once what is posted to them: an operation that is pending in somebody else's
/// context does that. Cost: one pointer and some property bits; `post` about 30 ns on the strand itself.
class strand {
public:
    explicit strand(machine::strand_context& context) noexcept : context_(&context) {}
    strand(const strand& other) noexcept : context_(other.context_), bits_(other.bits_) { start_work(); }
    strand(strand&& other) noexcept
        : context_(other.context_), bits_(std::exchange(other.bits_, other.bits_ & ~tracked))
    {}
    strand& operator=(strand other) noexcept
    {
        std::swap(context_, other.context_);
        std::swap(bits_, other.bits_);
        return *this;
    }
    ~strand()
    {
        if ((bits_ & tracked) != 0)
            context_->driver().work_finished();
    }

    template <class Function>
    void execute(Function&& function) const
    {
        if ((bits_ & never_blocking) == 0) {
            if (running_in_this_thread()) {
                std::decay_t<Function> local(std::forward<Function>(function));
                std::move(local)();
                return;
            }
            if (context_->may_enter()) {
                context_->enter(std::forward<Function>(function));
                return;
            }
        }
        context_->post(std::forward<Function>(function));
    }

    /// True inside a turn of this strand.
    bool running_in_this_thread() const noexcept { return machine::strand_context::current() == context_; }

    machine::strand_context& machine() const noexcept { return *context_; }
    asio::execution_context& context() const noexcept { return context_->driver().context(); }

    strand require(asio::execution::blocking_t::possibly_t) const noexcept
    {
        return with(bits_ & ~never_blocking);
    }
    strand require(asio::execution::blocking_t::never_t) const noexcept
    {
        return with(bits_ | never_blocking);
    }
    strand require(asio::execution::relationship_t::fork_t) const noexcept
    {
        return with(bits_ & ~continuation);
    }
    strand require(asio::execution::relationship_t::continuation_t) const noexcept
    {
        return with(bits_ | continuation);
    }
    strand require(asio::execution::outstanding_work_t::untracked_t) const noexcept
    {
        return with(bits_ & ~tracked);
    }
    strand require(asio::execution::outstanding_work_t::tracked_t) const noexcept
    {
        return with(bits_ | tracked);
    }

    asio::execution_context& query(asio::execution::context_t) const noexcept { return context(); }
    asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept
    {
        return (bits_ & never_blocking) != 0
            ? asio::execution::blocking_t(asio::execution::blocking.never)
            : asio::execution::blocking_t(asio::execution::blocking.possibly);
    }
    asio::execution::relationship_t query(asio::execution::relationship_t) const noexcept
    {
        return (bits_ & continuation) != 0
            ? asio::execution::relationship_t(asio::execution::relationship.continuation)
            : asio::execution::relationship_t(asio::execution::relationship.fork);
    }
    asio::execution::outstanding_work_t query(asio::execution::outstanding_work_t) const noexcept
    {
        return (bits_ & tracked) != 0
            ? asio::execution::outstanding_work_t(asio::execution::outstanding_work.tracked)
            : asio::execution::outstanding_work_t(asio::execution::outstanding_work.untracked);
    }

    friend bool operator==(const strand& a, const strand& b) noexcept
    {
        return a.context_ == b.context_ && a.bits_ == b.bits_;
    }
    friend bool operator!=(const strand& a, const strand& b) noexcept { return !(a == b); }

private:
    static constexpr unsigned never_blocking = 1;
    static constexpr unsigned continuation = 2;
    static constexpr unsigned tracked = 4;

    strand(machine::strand_context& context, unsigned bits) noexcept : context_(&context), bits_(bits)
    {
        start_work();
    }
    strand with(unsigned bits) const noexcept { return strand(*context_, bits); }
    void start_work() const noexcept
    {
        if ((bits_ & tracked) != 0)
            context_->driver().work_started();
    }

    machine::strand_context* context_;
    unsigned bits_ = 0;
};

}  // namespace costar

namespace costar::machine {

inline strand strand_context::get_executor() noexcept
{
    return strand(*this);
}

}  // namespace costar::machine
