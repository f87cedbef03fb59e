// SPDX-License-Identifier: MIT

#include "refusal_log.hpp"

#include <fmt/format.h>

#include <utility>

namespace costar::remote {

std::optional<std::string> refusal_log::note(std::uint64_t now, const std::string& what, std::string line)
{
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= lines_max && !lines_.contains(what))
        std::erase_if(lines_, [&](const auto& each) { return each.second.at + interval <= now; });
    const bool is_one_too_many = lines_.size() >= lines_max && !lines_.contains(what);
    const auto [found, is_new] = lines_.try_emplace(is_one_too_many ? std::string() : what, written{now, 0});
    if (is_new)
        return line;
    if (now < found->second.at + interval) {
        ++found->second.left_out;
        return std::nullopt;
    }
    const std::uint64_t left_out = std::exchange(found->second, written{now, 0}).left_out;
    if (left_out > 0)
        line += fmt::format(", and {} times more before", left_out);
    return line;
}

void refusal_log::write(log_level level, std::uint64_t now, const std::string& what, std::string line)
{
    if (const auto written = note(now, what, std::move(line)))
        log(level, *written);
}

}  // namespace costar::remote
