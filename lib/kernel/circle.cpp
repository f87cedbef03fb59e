// SPDX-License-Identifier: MIT

#include <costar/kernel/extras.hpp>
#include <costar/kernel/station.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace costar::machine {

/// A search from actor to actor along what each waits for: edge chasing after Chandy, Misra and Haas,
/// Distributed Deadlock Detection (1983), where an actor that waits for several things goes on with any.
///
/// It begins when somebody waits for an actor that is itself waiting; the wait that closes a circle always
/// does, since the others are there already. All who are found on the way wait for nothing but each other, or
/// the search ends without a finding. It is made twice: first with steps of constant cost, and when that
/// closes a circle once more, with a look whether each of them still holds what the others wait for, and with
/// their names.
struct circle_chase {
    /// What `from` waits for, and who has to bring it about.
    struct edge {
        std::uint64_t token;
        awaited_kind kind;
        pid next;
        pid from;
    };

    edge first;  // that may have closed a circle
    edge at;
    std::vector<edge> pending;  // where somebody waits for several things
    std::vector<pid> visited;   // from there on
    std::vector<std::string> names;
    std::size_t hops = 0;
    bool has_branched = false;
    bool closes = false;
    bool confirms = false;
};

namespace {

/// How far a search goes, and how many things an actor may wait for at once, until it is given up.
constexpr std::size_t longest_circle = 512;
constexpr std::size_t most_waits = 16;

/// Is what `token` stands for still to be done by this actor?
bool holds(const cell& self, std::uint64_t token) noexcept
{
    if (self.current != nullptr && self.current->reply == token)
        return true;
    for (const envelope* each = self.first; each != nullptr; each = each->next)
        if (each->reply == token)
            return true;
    const extras_part* more = self.extras();
    return more != nullptr &&
        std::any_of(more->waiting.begin(), more->waiting.end(),
            [&](const admission& each) { return each.token == token || each.sent->reply == token; });
}

std::string list_of(const std::vector<std::string>& names)
{
    std::string text = names.back();
    for (const std::string& each : names)
        text += " -> " + each;
    return text;
}

}  // namespace

void post_office::suspect_circle(cell& to, const envelope& request) noexcept
{
    if (request.sender)
        suspect_circle(to, request.reply, awaited_kind::answer, request.sender);
}

void post_office::suspect_circle(cell& to, std::uint64_t token, awaited_kind kind, pid asker) noexcept
{
    const circle_chase::edge first{token, kind, pid_of(to), asker};
    whole().follow_circle({.first = first, .at = first, .pending = {}, .visited = {}, .names = {}});
}

void station::suspect_requests(cell& self) noexcept
{
    constexpr std::size_t most = 64;
    std::array<std::pair<std::uint64_t, pid>, most> asked;  // a request that is refused leaves the mailbox
    std::size_t count = 0;
    const auto note = [&](const envelope& each) {
        if (each.reply != 0 && each.sender && count < most)
            asked[count++] = {each.reply, each.sender};
    };
    if (self.current != nullptr)
        note(*self.current);
    std::size_t seen = 0;
    for (const envelope* each = self.first; each != nullptr && seen < most; each = each->next, ++seen)
        note(*each);
    for (std::size_t i = 0; i < count; ++i)
        suspect_circle(self, asked[i].first, awaited_kind::answer, asked[i].second);
}

/// Has an ancestor of that actor to wait for its end before it can go on itself?
bool station::is_descendant(cell& ancestor, pid who) const noexcept
{
    for (int generations = 0; generations < 64 && who.place() == place_; ++generations) {
        auto& self = const_cast<station&>(*this);
        const cell* at = self.find(who);  // it may have ended since it asked
        if (at == nullptr || at->parent == cell::nobody)
            return false;
        if (at->parent_strand == strand_ && at->parent == ancestor.slot)
            return true;
        who = self.parent_of(*at);
    }
    const rare_part* rare = ancestor.rare();
    return rare != nullptr &&
        std::find(rare->distant_children.begin(), rare->distant_children.end(), who) !=
        rare->distant_children.end();
}

/// Goes on to what the actor waits for. False when it can go on, or nothing certain is known.
bool station::follow_waits(cell& at, circle_chase& chase)
{
    const pid self = pid_of(at);
    const auto wait_for_family = [&] {
        if (keeps_children(at) || !is_descendant(at, chase.at.from))
            return false;
        chase.pending.push_back({0, awaited_kind::end, chase.at.from, self});
        return true;
    };
    if (at.state == life::closing && !at.body)
        return wait_for_family();
    if (at.state != life::running || at.wanted != nullptr)
        return false;
    std::size_t waits = 0;
    const std::size_t known = chase.pending.size();
    const bool is_stuck = at.waits_only_for_requests([&](const awaited_request& wanted) {
        if (wanted.kind == awaited_kind::children)
            return wait_for_family();
        if (wanted.token == 0 || ++waits > most_waits)
            return false;
        if (wanted.token == chase.first.token)
            chase.closes = true;
        else
            chase.pending.push_back({wanted.token, wanted.kind, pid(wanted.place, wanted.key), self});
        return true;
    });
    chase.has_branched = chase.has_branched || chase.pending.size() > known + 1;
    return is_stuck;
}

void station::follow_circle(circle_chase chase) noexcept
{
    try {
        for (;;) {
            if (chase.at.next.place() != place_) {
                if (chase.at.next.node() != node_ || !is_known(chase.at.next.strand()))
                    return;
                station& theirs = *shared_.stations[chase.at.next.strand()];
                theirs.home().post([&theirs, chase = std::move(chase)]() mutable {
                    theirs.follow_circle(std::move(chase));
                });
                return;
            }
            cell* found = find(chase.at.next);
            if (found == nullptr || ++chase.hops > longest_circle)
                return;
            const bool is_first = chase.at.token == chase.first.token;
            if (chase.confirms && !is_first && chase.at.kind != awaited_kind::end &&
                !holds(*found, chase.at.token))
                return;
            const bool is_known_already =
                std::find(chase.visited.begin(), chase.visited.end(), chase.at.next) != chase.visited.end();
            if (!is_known_already) {
                if (chase.confirms)
                    chase.names.push_back(name_of(*found));
                if (!follow_waits(*found, chase))
                    return;
                if (chase.has_branched)
                    chase.visited.push_back(chase.at.next);
            }
            if (chase.pending.empty()) {
                if (!chase.closes)
                    return;  // it waits for a circle that it is no part of
                if (chase.confirms) {
                    refuse(std::move(chase));
                    return;
                }
                chase = {.first = chase.first,
                    .at = chase.first,
                    .pending = {},
                    .visited = {},
                    .names = {},
                    .confirms = true};
                continue;
            }
            chase.at = chase.pending.back();
            chase.pending.pop_back();
        }
    } catch (const std::bad_alloc&) {
        // The deadline ends what this would have ended at once.
    }
}

/// Ends the wait that has closed a circle.
void station::refuse(circle_chase chase)
{
    const std::uint64_t token = chase.first.token;
    if (!replies_.is_own(token)) {
        station& theirs = *shared_.stations[reply_table::strand_of(token)];
        theirs.home().post(
            [&theirs, chase = std::move(chase)]() mutable { theirs.refuse(std::move(chase)); });
        return;
    }
    reply_waiter* refused = replies_.claim(token);
    if (refused == nullptr)
        return;
    circles_[refused] = list_of(chase.names);
    refused->fail(errc::request_circle);
    if (chase.first.kind == awaited_kind::end) {
        forget_end(chase.first.next, token);
    } else {
        withdraw(chase.first.next, token);
        take_back(chase.first.next, token);
    }
}

/// Takes a refused request out of the mailbox it is in, so that it is not handled some time later.
void station::take_back(pid from, std::uint64_t token) noexcept
{
    if (goes_on_at(from, [=](station& theirs) { theirs.take_back(from, token); }))
        return;
    cell* holder = find(from);
    if (holder == nullptr || (holder->has_receiver() && holder->wanted == nullptr))
        return;  // what it is about to receive stays
    envelope* before = nullptr;
    for (envelope* each = holder->first; each != nullptr; before = std::exchange(each, each->next)) {
        if (each->reply != token)
            continue;
        holder->unlink(each, before);
        holder->count_taken(*each);
        if (extras_part* more = holder->extras()) {
            has_taken(*holder, each);
            more->forget(each);
        }
        each->discard();
        return;
    }
}

std::string station::take_circle(const reply_waiter& refused)
{
    const auto found = circles_.find(&refused);
    if (found == circles_.end())
        return {};
    std::string text = std::move(found->second);
    circles_.erase(found);
    return text;
}

}  // namespace costar::machine
