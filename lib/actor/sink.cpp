// SPDX-License-Identifier: MIT

#include <costar/actor/sink.hpp>

#include <costar/core/error.hpp>

#include <stdexcept>
#include <string>

namespace costar::machine {

const hook_actions stream_gate::waiting::actions{
    .cancel = [](cancel_hook& hook) noexcept { static_cast<waiting&>(hook).end(); },
    .describe = [](const cancel_hook&) { return std::string("a reader of its stream"); }};

bool stream_gate::waiting::begin(promise_base& caller, bool is_open)
{
    scope& within = caller.scope();
    within_ = &within;
    if (within.is_cancelled())
        return gate_.home_->must_yield(*this, caller);
    // One that may go on and has not yet keeps the room that it was promised.
    if (gate_.waiting_ != nullptr)
        throw std::logic_error("a sink is put into by one coroutine at a time, and another one waits");
    if (!is_open) {
        waiter = &caller;
        within.attach(*this);
    } else if (!gate_.home_->must_yield(*this, caller)) {
        return false;
    }
    gate_.waiting_ = this;
    return true;
}

void stream_gate::waiting::await_resume()
{
    leave();
    if (within_->is_cancelled())  // perhaps only now: a branch that has lost may put nothing
        throw error(errc::cancelled);
}

void stream_gate::waiting::end() noexcept
{
    detach();
    gate_.home_->make_ready(*this);
}

void stream_gate::waiting::leave() noexcept
{
    if (gate_.waiting_ == this)
        gate_.waiting_ = nullptr;
}

void stream_gate::open() noexcept
{
    if (waiting_ != nullptr && waiting_->is_attached())  // else it is about to go on
        waiting_->end();
}

}  // namespace costar::machine
