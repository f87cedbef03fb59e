// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/promise.hpp>

#include <capnp/capability.h>
#include <kj/async.h>

#include <utility>

namespace costar::rpc {

/// Base of a server of a Cap'n Proto interface whose methods are coroutines.
///
///     class adder final : public rpc::service<Adder> {
///         kj::Promise<void> add(AddContext call) override { return answer(call, sum(call)); }
///
///         task<> sum(AddContext call)
///         {
///             co_await sleep_for(1ms);
///             call.getResults().setSum(call.getParams().getLeft() + call.getParams().getRight());
///         }
///     };
///
/// Thread safety, errors: as `rpc::promise_of`. Lifetime: the server lives until its last task has ended,
/// whatever becomes of the connection. Cancellation: a caller that gives up, or goes, cancels the scope of
/// the task.
template <class Interface>
class service : public Interface::Server {
protected:
    /// What a method returns that a task carries out, on this strand. The task takes the call by value.
    template <class Call, class T>
    kj::Promise<T> answer(Call& call, task<T> body)
    {
        allow_cancellation(call);
        return promise_of(std::move(body), this->thisCap());
    }
};

}  // namespace costar::rpc
