// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/kj.hpp>

#include <capnp/capability.h>
#include <kj/memory.h>

#include <type_traits>

namespace costar::machine {

/// What a `CallContext` points to, and does not hold: Cap'n Proto lets go of it when the promise of the
/// method is dropped.
template <class Context>
capnp::CallContextHook& hook_of(Context& called) noexcept
{
    static_assert(std::is_standard_layout_v<Context> && sizeof(Context) == sizeof(capnp::CallContextHook*),
        "a CallContext of this version of Cap'n Proto is no plain pointer to its hook");
    return **reinterpret_cast<capnp::CallContextHook**>(&called);
}

}  // namespace costar::machine

namespace costar::rpc {

/// A call that a coroutine answers: a pointer to its `CallContext`, which it keeps in being.
///
///     task<> sum(rpc::call<AddContext> call)
///     {
///         co_await sleep_for(1ms);
///         call->getResults().setSum(call->getParams().getLeft() + call->getParams().getRight());
///     }
///
/// A `CallContext` alone is gone as soon as its caller gives up or the connection is cut; a coroutine that is
/// cancelled goes on for a while, and may still look at it. What is set then is dropped.
///
/// Thread safety: as the call, where the event loop is present. Lifetime: it may outlive the promise, the
/// connection and the server; it ends on the strand where it began.
template <class Context>
class call {
public:
    static constexpr bool belongs_to_strand = true;

    call(Context& called) : held_(machine::hook_of(called).addRef()), context_(*held_) {}
    call(Context&& called) : call(called) {}
    call(call&& other) noexcept : held_(kj::mv(other.held_)), context_(*held_) {}
    call& operator=(call&&) = delete;
    ~call() noexcept {}

    Context* operator->() noexcept { return &context_; }
    Context& operator*() noexcept { return context_; }

private:
    kj::Own<capnp::CallContextHook> held_;
    Context context_;
};

/// Lets the caller of a method cancel it, with Cap'n Proto 0.9. From 1.0 on the schema says so instead, by
/// the annotation `$Cxx.allowCancellation`, or an `rpc::service`, and this does nothing.
template <class Context>
void allow_cancellation([[maybe_unused]] Context& called)
{
#if CAPNP_VERSION < 1000000
    called.allowCancellation();
#endif
}

}  // namespace costar::rpc
