// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/call.hpp>
#include <costar/rpc/promise.hpp>

#include <capnp/any.h>
#include <capnp/capability.h>
#include <capnp/common.h>
#include <kj/async.h>

#include <cstdint>
#include <utility>

namespace costar::rpc {

/// Base of a server of a Cap'n Proto interface whose methods are coroutines.
///
///     class adder final : public rpc::service<Adder> {
///         kj::Promise<void> add(AddContext call) override { return answer(call, sum(call)); }
///
///         task<> sum(rpc::call<AddContext> call)
///         {
///             co_await sleep_for(1ms);
///             call->getResults().setSum(call->getParams().getLeft() + call->getParams().getRight());
///         }
///     };
///
/// Thread safety, errors: as `rpc::promise_of`. Lifetime: server and call live until the task has ended,
/// whatever becomes of the connection. Cancellation: a caller that gives up, or goes, cancels the scope of
/// the task.
template <class Interface>
class service : public Interface::Server {
public:
#if CAPNP_VERSION >= 1000000
    /// Lets callers cancel what `answer` carries out, whether or not the schema says so.
    capnp::Capability::Server::DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t method,
        capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> called) override
    {
        has_begun_task_ = false;
        auto dispatched = Interface::Server::dispatchCall(interface, method, called);
        dispatched.allowCancellation |= has_begun_task_;
        return dispatched;
    }
#endif

protected:
    /// What a method returns that a task carries out, on this strand. The task takes the call as `rpc::call`.
    template <class Context, class T>
    kj::Promise<T> answer(Context& called, task<T> body)
    {
        allow_cancellation(called);
        has_begun_task_ = true;
        return machine::promise_of(
            std::move(body), {.server = this->thisCap(), .call = machine::hook_of(called).addRef()});
    }

private:
    bool has_begun_task_ = false;  // the method that is dispatched
};

}  // namespace costar::rpc
