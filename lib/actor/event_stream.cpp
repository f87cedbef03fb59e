// SPDX-License-Identifier: MIT

#include <costar/actor/event_stream.hpp>

#include <costar/core/log.hpp>

#include <algorithm>
#include <new>
#include <string>

namespace costar {

lost_message::lost_message(const message_type& type, void* message)
    : type_(&type), memory_(::operator new(type.bytes, std::align_val_t(16)))
{
    try {
        type.move(memory_, message);
    } catch (...) {
        ::operator delete(memory_, std::align_val_t(16));
        throw;
    }
}

lost_message::~lost_message()
{
    if (type_->destroy != nullptr)
        type_->destroy(memory_);
    ::operator delete(memory_, std::align_val_t(16));
}

/// The list is replaced as a whole at every change, so publishing holds no lock while it calls.
struct event_stream::state {
    struct listener {
        std::uint64_t id;
        std::type_index type;
        erased receiver;
        mutable std::atomic<bool> active{true};  // false once, by whoever cancels
    };
    using list = std::vector<std::shared_ptr<const listener>>;

    std::mutex mutex;
    std::shared_ptr<const list> listeners = std::make_shared<const list>();
    std::uint64_t last_id = 0;
    std::atomic<std::size_t> count{0};

    std::shared_ptr<const list> snapshot()
    {
        const std::lock_guard lock(mutex);
        return listeners;
    }
};

event_stream::event_stream() : state_(std::make_shared<state>()), count_(&state_->count) {}

event_stream::~event_stream() = default;

event_stream::subscription event_stream::subscribe(std::type_index type, erased receiver)
{
    std::shared_ptr<const state::list> old;  // ends behind the lock: what it holds may come back here
    const std::lock_guard lock(state_->mutex);
    auto changed = std::make_shared<state::list>(*state_->listeners);
    const std::uint64_t id = ++state_->last_id;
    changed->push_back(std::make_shared<const state::listener>(id, type, std::move(receiver)));
    state_->count.store(changed->size(), std::memory_order_relaxed);
    old = std::exchange(state_->listeners, std::move(changed));
    return subscription(state_, id);
}

void event_stream::publish(std::type_index type, const void* event)
{
    const auto listeners = state_->snapshot();
    for (const auto& each : *listeners) {
        if (each->type != type || !each->active.load(std::memory_order_relaxed))
            continue;
        try {
            each->receiver(event);
        } catch (
            const std::exception& thrown) {  // what is being told of has happened; the teller cannot help it
            log(log_level::error, std::string("a subscriber of events threw: ") + thrown.what());
        } catch (...) {
            log(log_level::error, "a subscriber of events threw an exception of unknown type");
        }
    }
}

void event_stream::subscription::cancel() noexcept
{
    const auto state = std::exchange(state_, {}).lock();
    if (!state)
        return;
    std::shared_ptr<const state::list> old;
    const std::lock_guard lock(state->mutex);
    auto changed = std::make_shared<state::list>(*state->listeners);
    std::erase_if(*changed, [this](const auto& each) {
        if (each->id != id_)
            return false;
        each->active.store(
            false, std::memory_order_relaxed);  // no further call, even of a publishing under way
        return true;
    });
    state->count.store(changed->size(), std::memory_order_relaxed);
    old = std::exchange(state->listeners, std::move(changed));
}

}  // namespace costar
