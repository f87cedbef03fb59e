// SPDX-License-Identifier: MIT

#include <costar/actor/sink.hpp>

#include <costar/core/error.hpp>

#include <string>

namespace costar {

const hook_actions stream_gate::waiting::actions{
    .cancel = [](cancel_hook& hook) noexcept { static_cast<waiting&>(hook).end(); },
    .describe = [](const cancel_hook&) { return std::string("a reader of its stream"); }};

stream_gate::waiting::~waiting()
{
    if (gate_.waiting_ == this)  // destroyed while it waits
        gate_.waiting_ = nullptr;
}

bool stream_gate::waiting::begin(promise_base& caller, bool is_open) noexcept
{
    scope& within = caller.scope();
    within_ = &within;
    if (is_open || within.is_cancelled())
        return false;
    assert(gate_.waiting_ == nullptr && "one coroutine puts at a time");
    waiter = &caller;
    within.attach(*this);
    gate_.waiting_ = this;
    return true;
}

void stream_gate::waiting::await_resume() const
{
    if (within_->is_cancelled())  // perhaps only now: a branch that has lost may put nothing
        throw error(errc::cancelled);
}

void stream_gate::waiting::end() noexcept
{
    gate_.waiting_ = nullptr;
    detach();
    gate_.home_->make_ready(*this);
}

void stream_gate::open() noexcept
{
    if (waiting_ != nullptr)
        waiting_->end();
}

}  // namespace costar
