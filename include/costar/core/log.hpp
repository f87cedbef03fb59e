// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <functional>
#include <string_view>

namespace costar {

/// How much a line of the log matters.
enum class log_level {
    /// Every step; for the hunt after one fault.
    trace,
    /// What helps while a program is written.
    debug,
    /// What an operator likes to know.
    info,
    /// Something went wrong and was dealt with.
    warning,
    /// Something went wrong and somebody should look.
    error,
    /// The process can hardly go on.
    critical,
};

/// Where the lines go. It may be called by several threads at a time.
using log_sink = std::function<void(log_level, std::string_view)>;

/// Hands a line to the sink if its level is high enough. What the sink throws is lost.
///
/// A line stays one: control characters in it become spaces, as texts of messages, exceptions and peers stand
/// in lines, and nobody is to write lines of his own with them.
///
/// Thread safety: from any thread.
/// Cost: one relaxed load when the level is too low.
void log(log_level level, std::string_view message) noexcept;

/// Whether a line of this level would be written; asked before a costly line is put together.
///
/// Thread safety: from any thread.
bool is_logged(log_level level) noexcept;

/// Replaces the sink; an empty one brings back the default, which writes to the standard error stream.
///
/// A line that another thread is writing may still reach the old sink after this returns.
///
/// Thread safety: from any thread, also from the sink.
void set_log_sink(log_sink sink);

/// Lines below this level are not written; `info` at first.
///
/// Thread safety: from any thread.
void set_log_level(log_level level) noexcept;

}  // namespace costar
