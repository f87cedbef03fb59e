// SPDX-License-Identifier: MIT

#include <costar/core/log.hpp>

#include <costar/ground/control_characters.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace costar {

namespace {

spdlog::level::level_enum to_spdlog(log_level level) noexcept
{
    switch (level) {
    case log_level::trace:
        return spdlog::level::trace;
    case log_level::debug:
        return spdlog::level::debug;
    case log_level::info:
        return spdlog::level::info;
    case log_level::warning:
        return spdlog::level::warn;
    case log_level::error:
        return spdlog::level::err;
    case log_level::critical:
        return spdlog::level::critical;
    }
    return spdlog::level::critical;
}

log_sink default_sink()
{
    // A logger of its own, outside spdlog's registry: the names there belong to the program.
    auto logger =
        std::make_shared<spdlog::logger>("costar", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::warn);
    return [logger](log_level level, std::string_view message) {
        logger->log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
    };
}

/// The sink in use.
///
/// Thread safety: from any thread.
class sink_holder {
public:
    // Never destroyed: static destructors may log.
    static sink_holder& instance()
    {
        static auto* holder = new sink_holder;
        return *holder;
    }

    std::shared_ptr<const log_sink> get()
    {
        std::lock_guard lock(mutex_);
        if (!sink_) {
            sink_ = std::make_shared<const log_sink>(default_sink());
        }
        return sink_;
    }

    void set(std::shared_ptr<const log_sink> sink)
    {
        std::lock_guard lock(mutex_);
        sink_.swap(sink);
    }  // the old sink dies outside the lock, with `sink`

private:
    std::mutex mutex_;
    std::shared_ptr<const log_sink> sink_;
};

constinit std::atomic<log_level> level_min{log_level::info};

}  // namespace

void log(log_level level, std::string_view message) noexcept
{
    if (!is_logged(level)) {
        return;
    }
    try {
        const auto sink = sink_holder::instance().get();
        if (std::ranges::none_of(message, machine::is_control)) {
            (*sink)(level, message);
            return;
        }
        (*sink)(level, machine::one_line(std::string(message)));
    } catch (...) {  // who logs can do nothing about a sink that fails
    }
}

bool is_logged(log_level level) noexcept
{
    return level >= level_min.load(std::memory_order_relaxed);
}

void set_log_sink(log_sink sink)
{
    sink_holder::instance().set(sink ? std::make_shared<const log_sink>(std::move(sink)) : nullptr);
}

void set_log_level(log_level level) noexcept
{
    level_min.store(level, std::memory_order_relaxed);
}

}  // namespace costar
