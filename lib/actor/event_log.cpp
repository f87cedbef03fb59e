// SPDX-License-Identifier: MIT

#include <costar/actor/event_log.hpp>

#include <fmt/format.h>

namespace costar {

using namespace machine;

std::string to_string(const log_entry& entry)
{
    std::string line = entry.text;
    for (const auto& [name, value] : entry.attributes) {
        const bool is_plain = !value.empty() && value.find_first_of(" \t\n\"=") == std::string::npos;
        line += fmt::format(" {}=", name);
        if (is_plain) {
            line += value;
            continue;
        }
        line += '"';
        for (const char each : value) {
            if (each == '"' || each == '\\')
                line += '\\';
            if (each == '\n')
                line += "\\n";
            else
                line += each;
        }
        line += '"';
    }
    return line;
}

log_entry log_entry_of(const actor_initialized& event)
{
    return {log_level::debug, "actor made", {{"who", event.who.to_string()}, {"name", event.name}}};
}

log_entry log_entry_of(const actor_started& event)
{
    return {log_level::info, "actor started", {{"who", event.who.to_string()}, {"name", event.name}}};
}

log_entry log_entry_of(const actor_stopped& event)
{
    return {log_level::info, "actor stopped",
        {{"who", event.who.to_string()}, {"name", event.name},
            {"after", event.reason == errc::actor_failed ? "a crash" : "its end"}}};
}

log_entry log_entry_of(const duplicate_name& event)
{
    return {log_level::warning, "name in use", {{"name", event.name}, {"holder", event.holder.to_string()}}};
}

event_log::event_log(event_stream& events) : events_(&events)
{
    add<actor_initialized>().add<actor_started>().add<actor_stopped>().add<duplicate_name>();
}

void event_log::write(const log_entry& entry)
{
    if (is_logged(entry.level))
        log(entry.level, to_string(entry));
}

}  // namespace costar
