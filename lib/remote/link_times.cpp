// SPDX-License-Identifier: MIT

// Where the time of requests goes that a link carries.

#include "link.hpp"

#include <costar/core/log.hpp>
#include <costar/kernel/station.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>

namespace costar::remote {

namespace {

std::chrono::nanoseconds between(std::uint64_t begin, std::uint64_t end) noexcept
{
    return std::chrono::nanoseconds(end - std::min(begin, end));
}

/// Goes a sixteenth of the way to each value, and to the first one at once.
void follow(std::atomic<std::int64_t>& average, std::chrono::nanoseconds next) noexcept
{
    const std::int64_t before = average.load(std::memory_order_relaxed);
    average.store(
        before == 0 ? next.count() : before + (next.count() - before) / 16, std::memory_order_relaxed);
}

double milliseconds(std::chrono::nanoseconds time) noexcept
{
    return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

void link::note_written(std::uint64_t request) noexcept
{
    if (const auto found = asked_.find(request); found != asked_.end())
        found->second.written_at = post().home().now();
}

/// What has not come yet goes on until now.
request_times link::times_of(const asker& waits) const noexcept
{
    const std::uint64_t now = post().home().now();
    const std::uint64_t taken = waits.taken_at != 0 ? waits.taken_at : now;
    const std::uint64_t written = waits.written_at != 0 ? waits.written_at : now;
    return {between(waits.asked_at, taken), between(taken, written), between(written, now)};
}

void link::note_times(const asker& answered) noexcept
{
    const request_times times = times_of(answered);
    follow(counters_->until_taken, times.until_taken);
    follow(counters_->until_written, times.until_written);
    follow(counters_->until_answered, times.until_answered);
    if (is_past(answered.deadline) && !answered.is_told_of)
        tell_of_overdue(answered, true);
}

void link::tell_of_overdue(const asker& waits, bool is_answered)
{
    counters_->overdue.fetch_add(1, std::memory_order_relaxed);
    try {
        const wire::codec* const known = board_.words().find(waits.type);
        const std::string type = known != nullptr ? known->type->name() : std::string();
        const request_times times = times_of(waits);
        board_.refusals().write(log_level::warning, post().home().now(), "overdue " + peer_name_ + type,
            fmt::format(
                "node {} at {} has not answered a request {} in time: {:.3g} ms until the link took it, "
                "{:.3g} ms until it was written, {:.3g} ms since",
                peer_name_, address_, type, milliseconds(times.until_taken),
                milliseconds(times.until_written), milliseconds(times.until_answered)));
        board_.shared().events.publish(request_overdue{
            peer_name_, address_, waits.whom, type, times, waits.written_at != 0, is_answered});
    } catch (const std::bad_alloc&) {
        // It is counted.
    }
}

}  // namespace costar::remote
