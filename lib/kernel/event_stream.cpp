// SPDX-License-Identifier: MIT

#include <costar/kernel/event_stream.hpp>

#include <costar/core/log.hpp>
#include <costar/ground/hash.hpp>
#include <costar/kernel/station.hpp>

#include <list>
#include <map>
#include <mutex>
#include <new>
#include <string>

namespace costar {

using namespace machine;

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

/// Whoever subscribed, by the numbers of their subscriptions, which are their order.
struct event_stream::channel {
    struct listener {
        explicit listener(erased receiver) : receiver(std::move(receiver)) {}

        erased receiver;
        std::atomic<bool> active{true};  // false once, by whoever cancels
    };

    explicit channel(const kind& type) noexcept : type(type) {}

    const kind& type;
    channel* next = nullptr;            // set before anybody sees it
    std::atomic<std::size_t> count{0};  // written behind the lock; a relaxed look may be late
    std::mutex mutex;                   // of what follows
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, std::shared_ptr<listener>> listeners;
};

/// A channel that is there once stays, so it is found without a lock. There are as many as there are types
/// in the program to which somebody subscribes.
struct event_stream::state {
    static constexpr std::size_t places = 64;

    ~state()
    {
        for (const std::atomic<channel*>& each : channels)
            for (channel* left = each.load(std::memory_order_relaxed); left != nullptr;)
                delete std::exchange(left, left->next);
    }

    std::atomic<channel*>& place_of(const kind& type) noexcept
    {
        return channels[mixed(reinterpret_cast<std::uintptr_t>(&type)) % places];
    }

    channel* find(const kind& type) noexcept
    {
        // Acquire: whoever made the channel and entered it here has made the whole of it before.
        channel* found = place_of(type).load(std::memory_order_acquire);
        while (found != nullptr && &found->type != &type)
            found = found->next;
        return found;
    }

    channel& made(const kind& type)
    {
        const std::lock_guard lock(mutex);
        if (channel* found = find(type))
            return *found;
        std::atomic<channel*>& place = place_of(type);
        auto* made = new channel(type);
        made->next = place.load(std::memory_order_relaxed);
        place.store(made, std::memory_order_release);
        return *made;
    }

    std::atomic<std::size_t> count{0};  // of all channels together
    std::mutex mutex;                   // of whoever makes a channel
    std::atomic<channel*> channels[places]{};
};

event_stream::event_stream() : state_(std::make_shared<state>()), count_(&state_->count) {}

event_stream::~event_stream() = default;

event_stream::channel* event_stream::find_channel(const kind& type) const noexcept
{
    channel* found = state_->find(type);
    return found != nullptr && found->count.load(std::memory_order_relaxed) != 0 ? found : nullptr;
}

event_stream::subscription event_stream::subscribe(const kind& type, erased receiver)
{
    channel& of = state_->made(type);
    auto added = std::make_shared<channel::listener>(std::move(receiver));
    const std::lock_guard lock(of.mutex);
    const std::uint64_t id = ++of.last_id;
    of.listeners.emplace_hint(of.listeners.end(), id, std::move(added));
    of.count.store(of.listeners.size(), std::memory_order_relaxed);
    state_->count.fetch_add(1, std::memory_order_relaxed);
    return subscription(state_, of, id);
}

/// What the calling thread tells of at the moment, and what its subscribers have published meanwhile.
class event_stream::publishing {
public:
    explicit publishing(const state& stream) noexcept
        : stream_(stream), outer_(std::exchange(innermost_, this))
    {}
    publishing(const publishing&) = delete;
    publishing& operator=(const publishing&) = delete;
    ~publishing() { innermost_ = outer_; }

    /// That of a stream on the calling thread, null when there is none.
    static publishing* of(const state& stream) noexcept
    {
        publishing* each = innermost_;
        while (each != nullptr && &each->stream_ != &stream)
            each = each->outer_;
        return each;
    }

    /// Keeps an event until its turn comes; false when that is not possible.
    bool put_aside(channel& to, const void* event, copy_function copy) noexcept
    {
        if (copy == nullptr)
            return false;
        try {
            waiting_.push_back({to, newest_of(to), copy(event)});
            return true;
        } catch (...) {
            return false;
        }
    }

    void tell_waiting() noexcept
    {
        while (!waiting_.empty()) {
            const put_aside_event next = std::move(waiting_.front());
            waiting_.pop_front();
            tell(next.to, next.newest, next.event.get());
        }
    }

    /// The subscriber who subscribed last.
    static std::uint64_t newest_of(channel& of) noexcept
    {
        const std::lock_guard lock(of.mutex);
        return of.last_id;
    }

    /// Calls those who have not cancelled when their turn comes, up to the `newest`, some at a time, so that
    /// it holds no lock while it calls and needs no memory.
    static void tell(channel& told, std::uint64_t newest, const void* event) noexcept
    {
        constexpr std::size_t most = 16;
        std::uint64_t last = 0;  // that was called
        for (bool goes_on = true; goes_on;) {
            std::shared_ptr<channel::listener> some[most];
            std::size_t count = 0;
            {
                const std::lock_guard lock(told.mutex);
                auto each = told.listeners.upper_bound(last);
                for (; count < most && each != told.listeners.end() && each->first <= newest; ++each) {
                    last = each->first;
                    some[count++] = each->second;
                }
                goes_on = count == most;
            }
            for (std::size_t i = 0; i < count; ++i) {
                const auto called = std::move(some[i]);
                if (!called->active.load(std::memory_order_relaxed))
                    continue;
                try {
                    called->receiver(event);
                } catch (...) {  // it has happened; the teller cannot help it
                    log(log_level::error,
                        "a subscriber of events threw: " + text_of(std::current_exception()));
                }
            }
        }
    }

private:
    struct put_aside_event {
        channel& to;
        std::uint64_t newest;
        std::shared_ptr<const void> event;
    };

    static thread_local publishing* innermost_;

    const state& stream_;
    publishing* outer_;  // of another stream
    std::list<put_aside_event> waiting_;
};

thread_local event_stream::publishing* event_stream::publishing::innermost_ = nullptr;

void event_stream::publish(channel& told, const void* event, copy_function copy)
{
    publishing* outer = publishing::of(*state_);
    if (outer != nullptr && outer->put_aside(told, event, copy))
        return;
    const std::uint64_t newest = publishing::newest_of(told);
    if (outer != nullptr) {
        publishing::tell(told, newest, event);
        return;
    }
    publishing here(*state_);
    publishing::tell(told, newest, event);
    here.tell_waiting();
}

void event_stream::subscription::cancel() noexcept
{
    const auto state = std::exchange(state_, {}).lock();
    if (!state)
        return;
    std::shared_ptr<channel::listener> ended;  // ends behind the lock: what it holds may come back here
    const std::lock_guard lock(channel_->mutex);
    const auto found = channel_->listeners.find(id_);
    if (found == channel_->listeners.end())
        return;
    ended = std::move(found->second);
    ended->active.store(false, std::memory_order_relaxed);  // no further call, even of a publishing under way
    channel_->listeners.erase(found);
    channel_->count.store(channel_->listeners.size(), std::memory_order_relaxed);
    state->count.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace costar
