// SPDX-License-Identifier: MIT

#include "figures.hpp"

#include "say.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/timer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace service {

using namespace std::chrono_literals;

std::size_t histogram::bucket_of(std::chrono::nanoseconds time) noexcept
{
    const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 4));
    const auto octave = static_cast<std::size_t>(std::bit_width(count)) - 1;
    const std::size_t quarter = (count >> (octave - 2)) & 3;
    return std::min(octave * 4 + quarter, buckets - 1);
}

std::chrono::nanoseconds histogram::limit_of(std::size_t bucket) noexcept
{
    return std::chrono::nanoseconds(
        (std::int64_t{1} << (bucket / 4)) / 4 * (static_cast<std::int64_t>(bucket % 4) + 5));
}

unanswered::request::request(unanswered& all, time since) noexcept
    : all_(all), since_(since), before_(all.last_)
{
    if (before_ != nullptr) {
        before_->behind_ = this;
        all_.last_ = this;
        return;
    }
    all_.first_ = all_.last_ = this;
    all_.publish();
}

unanswered::request::~request()
{
    (behind_ != nullptr ? behind_->before_ : all_.last_) = before_;
    if (before_ != nullptr) {
        before_->behind_ = behind_;
        return;
    }
    all_.first_ = behind_;
    all_.publish();
}

std::optional<unanswered::time> unanswered::oldest() const noexcept
{
    const std::int64_t since = oldest_.load(std::memory_order_relaxed);
    return since == nobody ? std::nullopt : std::optional(time(std::chrono::nanoseconds(since)));
}

void unanswered::publish() noexcept
{
    const std::int64_t since = first_ == nullptr ? nobody : first_->since_.time_since_epoch() / 1ns;
    oldest_.store(since, std::memory_order_relaxed);
}

totals sum_of(const std::vector<tally>& tallies) noexcept
{
    totals sum;
    for (const tally& part : tallies) {
        sum.requests += part.requests.value();
        sum.refused += part.refused.value();
        sum.accounts += part.accounts.value() - part.accounts_ended.value();
        sum.transfers += part.transfers.value();
        sum.deposited += part.deposited.value();
        sum.connections += part.opened.value() - part.closed.value();
        for (std::size_t i = 0; i < histogram::buckets; ++i)
            sum.times[i] += part.times.count(i);
        if (const auto since = part.waiting.oldest())
            sum.oldest_unanswered = std::min(*since, sum.oldest_unanswered.value_or(*since));
    }
    return sum;
}

std::chrono::nanoseconds percentile(const totals& before, const totals& after, double percent) noexcept
{
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < histogram::buckets; ++i)
        all += after.times[i] - before.times[i];
    const double wanted = static_cast<double>(all) * percent / 100;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < histogram::buckets; ++i) {
        seen += after.times[i] - before.times[i];
        if (seen != 0 && static_cast<double>(seen) >= wanted)
            return histogram::limit_of(i);
    }
    return 0ns;
}

costar::task<> reporter(costar::context& self, const std::vector<tally>* tallies)
{
    using milliseconds = std::chrono::duration<double, std::milli>;
    totals before = sum_of(*tallies);
    for (auto then = self.now();;) {
        co_await costar::sleep_for(1s);
        const totals after = sum_of(*tallies);
        const auto now = self.now();
        const auto clock = std::chrono::steady_clock::now();
        const auto oldest = clock - std::min(after.oldest_unanswered.value_or(clock), clock);
        if (after.requests != before.requests || oldest > 1s) {
            say(fmt::format(
                "{:8.0f} requests/s, p99 {:.2f} ms, worst {:.2f} ms, oldest unanswered {:.0f} ms, "
                "{} refused, {} connections, {} accounts, {} restarts\n",
                static_cast<double>(after.requests - before.requests) /
                    std::chrono::duration<double>(now - then).count(),
                milliseconds(percentile(before, after, 99)).count(),
                milliseconds(percentile(before, after, 100)).count(), milliseconds(oldest).count(),
                after.refused - before.refused, after.connections, after.accounts,
                self.engine().figures().restarts));
        }
        before = after;
        then = now;
    }
}

}  // namespace service
