// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/core/timer.hpp>

#include <chrono>
#include <memory>

namespace costar::machine {

namespace {

/// Has it anything to do, or to wait for, beside messages? News of silence do not count for one that is to be
/// stopped when there is silence.
bool is_at_work(const cell& self, bool news_do_not_count) noexcept
{
    if (!news_do_not_count)
        return self.first != nullptr || self.wanted == nullptr;
    for (const envelope* each = self.first; each != nullptr; each = each->next)
        if (!each->type->leaves_idle)
            return true;
    return self.wanted == nullptr && (self.current != nullptr || self.first == nullptr);
}

}  // namespace

void extras_part::disarm_idle(strand_context& home) noexcept
{
    for (idle_timer* each : {idle.get(), passing.get()})
        if (each != nullptr) {
            home.disarm(*each);
            each->length = {};
        }
}

void post_office::watch_idleness(cell& self, std::chrono::nanoseconds length, bool repeats, bool stops)
{
    extras_part& more = self.extras_made();
    std::unique_ptr<idle_timer>& made = stops ? more.passing : more.idle;
    if (made == nullptr) {
        made = std::make_unique<idle_timer>();
        made->owner = &whole();
        made->target = &self;
        made->fire = [](timer_node* timer) {
            auto& idle = *static_cast<idle_timer*>(timer);
            station& post = *idle.owner;
            cell& target = *idle.target;
            const bool is_busy = is_at_work(target, idle.stops);
            if (is_busy || idle.repeats)
                post.home().arm(idle, deadline_after(post.home().now(), idle.length));
            else
                idle.length = std::chrono::nanoseconds(0);
            if (is_busy)
                return;
            if (idle.stops)
                post.request_stop(target);
            else
                post.deliver(target, envelope::make(receive_timeout{}));
        };
    }
    home_.disarm(*made);
    made->length = length;
    made->repeats = repeats;
    made->stops = stops;
    arm_idle(made);
}

void post_office::arm_idle(const std::unique_ptr<idle_timer>& timer)
{
    if (timer != nullptr && timer->is_set())
        home_.arm(*timer, deadline_after(home_.time_for(timer->length), timer->length));
}

}  // namespace costar::machine
