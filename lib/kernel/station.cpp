// SPDX-License-Identifier: MIT

#include <costar/kernel/station.hpp>

#include <costar/core/log.hpp>

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

namespace costar::machine {

station::station(commons& shared, strand_context& home) : post_office(shared, home) {}

station::~station() = default;

/// Of an actor that has no name of its own.
std::string station::automatic_name(pid id)
{
    return fmt::format("${}-{}-{}", id.strand(), id.slot(), id.generation());
}

std::string station::name_of(const cell& self) const
{
    if (self.cold != nullptr && self.cold->name != nullptr)
        return std::string(registry::name_of(*self.cold->name));
    return automatic_name(pid_of(self));
}

parcel_receiver::run_identity station::identify(root_scope& root) noexcept
{
    if (!root.is_actor())
        return {};
    const auto& self = static_cast<cell&>(root);
    watched_name_.clear();
    try {
        if (self.cold != nullptr && self.cold->name != nullptr)
            watched_name_ = registry::name_of(*self.cold->name);
    } catch (const std::bad_alloc&) {
        // Its automatic name is told then.
    }
    const bool takes_message = self.is_receptive() && self.first != nullptr;
    return {pid_of(self).key(), takes_message ? self.first->type : nullptr};
}

bool station::is_mailbox(const run_node& node, const root_scope& root) const noexcept
{
    // Of a root that is no cell only the address is formed, and no node lies there.
    return root.is_receptive() && static_cast<const run_node*>(static_cast<const cell*>(&root)) == &node;
}

void station::report_hog(run_identity who, std::chrono::nanoseconds spent) noexcept
{
    const pid id(place_, who.who);
    const bool is_actor = who.who != 0;
    const auto* type = static_cast<const message_type*>(who.why);
    strand_hogged event{id,
        !is_actor                    ? std::string()
            : !watched_name_.empty() ? watched_name_
                                     : automatic_name(id),
        type != nullptr ? type->name() : std::string(), spent};
    log(log_level::warning,
        fmt::format("strand {} was kept for {} ms by {}{}{}", strand_,
            std::chrono::duration_cast<std::chrono::milliseconds>(spent).count(),
            is_actor ? event.name : "a task or handler", type != nullptr ? ", with a " : "", event.type));
    shared_.events.publish(event);
}

std::string station::busy_line() const
{
    std::string line = fmt::format("strand {} is busy", strand_);
    run_identity by;
    if (!home_.is_kept(by))
        return line;
    if (by.who == 0)
        return line + " with a task or handler";
    const pid id(place_, by.who);
    const std::string name = shared_.names.name_of(id);
    line += " with " + (name.empty() ? automatic_name(id) : name);
    if (const auto* type = static_cast<const message_type*>(by.why))
        line += ", with a " + demangled(*type->info);
    return line;
}

station_figures station::figures() const noexcept
{
    return {.live = figures_.live.value(),
        .spawned = figures_.spawned.value(),
        .restarts = figures_.restarts.value(),
        .dead_letters = figures_.dead_letters.value(),
        .late_replies = figures_.late_replies.value(),
        .dropped = figures_.dropped.value()};
}

std::vector<std::string> station::living_names() const
{
    std::vector<std::string> all;
    cells_.for_each([&](cell& each) { all.push_back(name_of(each)); });
    return all;
}

std::vector<std::string> station::dump() const
{
    std::vector<std::string> lines;
    cells_.for_each([&](cell& each) {
        std::string line = fmt::format("{} {} ({}), {} queued", pid_of(each), name_of(each),
            each.kind != nullptr ? demangled(*each.kind->info) : "being born", each.queued());
        if (each.state == life::closing)
            line += ", is ending" + (keeps_children(each) ? std::string() : family_of(each));
        else if (each.state == life::restarting)
            line += ", waits to be begun anew";
        else if (each.wanted == &any_type && !each.receives_in_branch)
            line += ", waits for a message";
        else if (each.wanted != nullptr && !each.receives_in_branch)
            line += ", waits for a message of type " + each.wanted->name();
        each.for_each_waiting([&](const cancel_hook& hook) {
            const scope* inner = hook.inside();
            if (inner == nullptr || !inner->has_ended())
                line += (inner != nullptr && inner->is_apart() ? ", a task waits for " : ", waits for ") +
                    hook.describe();
            if (hook.request().kind == awaited_kind::children)
                line += family_of(each);
        });
        if (each.waiter != nullptr && each.body && each.state == life::running)
            line += fmt::format(
                ", from {}:{}", each.body.promise().where().file_name(), each.body.promise().where().line());
        lines.push_back(std::move(line));
    });
    return lines;
}

}  // namespace costar::machine
