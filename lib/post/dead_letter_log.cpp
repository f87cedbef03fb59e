// SPDX-License-Identifier: MIT

#include <costar/post/dead_letter_log.hpp>

#include <costar/core/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace costar::machine {

dead_letter_log::~dead_letter_log()
{
    report_left_out();
}

void dead_letter_log::configure(std::uint32_t lines, std::chrono::nanoseconds interval) noexcept
{
    lines_ = lines;
    interval_ = static_cast<std::uint64_t>(std::max<std::int64_t>(interval.count(), 1));
}

void dead_letter_log::note(std::uint64_t now, const std::function<std::string()>& line) noexcept
{
    if (lines_ == 0)
        return;
    const std::uint64_t window = now / interval_ + 1;
    if (window_.load(std::memory_order_relaxed) != window &&
        window_.exchange(window, std::memory_order_relaxed) != window) {
        report_left_out();
        written_.store(0, std::memory_order_relaxed);
    }
    if (written_.fetch_add(1, std::memory_order_relaxed) < lines_)
        log(log_level::info, line());
    else
        left_out_.fetch_add(1, std::memory_order_relaxed);
}

void dead_letter_log::report_left_out() noexcept
{
    if (const std::uint64_t count = left_out_.exchange(0, std::memory_order_relaxed))
        log(log_level::info, fmt::format("and {} more dead letters", count));
}

}  // namespace costar::machine
