// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/log.hpp>
#include <costar/kernel/event_stream.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace costar {

/// What an event says to the log: how much it matters, a text, and attributes.
struct log_entry {
    log_level level = log_level::info;
    std::string text;
    std::vector<std::pair<std::string, std::string>> attributes{};
};

/// One line: the text, then the attributes as `name=value`, a value with spaces in quotes.
std::string to_string(const log_entry& entry);

/// The life of actors, for the log. What goes wrong (crashes, restarts, dead letters, hogs) is written there
/// without being asked for.
log_entry log_entry_of(const actor_initialized& event);  ///< debug
log_entry log_entry_of(const actor_started& event);      ///< info
log_entry log_entry_of(const actor_stopped& event);      ///< info
log_entry log_entry_of(const duplicate_name& event);     ///< warning

/// An event that has something to say to the log: a function `log_entry log_entry_of(const Event&)` beside it
/// in its namespace.
template <class Event>
concept logged_event = requires(const Event& event) {
    { log_entry_of(event) } -> std::same_as<log_entry>;
};

/// Writes events to the log while it lives: `event_log lines(engine.events());` the life of actors,
/// `lines.add<order_shipped>()` events of one's own.
///
/// Thread safety: as `event_stream`; itself by one thread at a time. It may outlive the stream. Cost: as one
/// subscriber of each type.
class event_log {
public:
    explicit event_log(event_stream& events);

    /// Writes events of type `Event` too.
    template <logged_event Event>
    event_log& add()
    {
        lines_.push_back(events_->subscribe<Event>(
            std::function<void(const Event&)>([](const Event& event) { write(log_entry_of(event)); })));
        return *this;
    }

private:
    static void write(const log_entry& entry);

    event_stream* events_;
    std::vector<event_stream::subscription> lines_;
};

}  // namespace costar
