// SPDX-License-Identifier: MIT

#include <costar/actor/station.hpp>

#include <string>
#include <utility>
#include <vector>

namespace costar {

/// A search from actor to actor along what each waits for: edge chasing after Chandy, Misra and Haas,
/// Distributed Deadlock Detection (1983).
///
/// It begins when a request comes to an actor that is itself waiting for an answer; the request that closes a
/// circle always does, since the others wait already. It goes on only where waiting is certain: the actor's
/// body waits for this one answer and nothing else, no task runs beside it, and it holds the request that it
/// was reached by.
struct circle_chase {
    std::uint64_t first;  // the request that may have closed a circle
    pid holder;           // whom it came to
    std::uint64_t token;  // the request by which `next` is reached
    pid next;
    std::vector<std::string> names;
};

namespace {

constexpr std::size_t longest_circle = 10'000;

bool holds(const cell& self, std::uint64_t token) noexcept
{
    if (self.current != nullptr && self.current->reply == token)
        return true;
    for (const envelope* each = self.first; each != nullptr; each = each->next)
        if (each->reply == token)
            return true;
    return false;
}

std::string text_of(const std::vector<std::string>& names)
{
    std::string text = names.back();
    for (const std::string& each : names)
        text += " -> " + each;
    return text;
}

}  // namespace

void station::suspect_circle(cell& to, const envelope& request) noexcept
{
    if (request.sender && to.sole_request().token != 0)
        follow_circle({request.reply, pid_of(to), request.reply, pid_of(to), {}});
}

void station::follow_circle(circle_chase chase) noexcept
{
    while (chase.next.place() == place_) {
        cell* found = find(chase.next);
        if (found == nullptr || found->wanted != nullptr || chase.names.size() == longest_circle)
            return;
        const awaited_request awaited = found->sole_request();
        if (awaited.token == 0)
            return;
        const bool is_first = chase.names.empty();
        chase.names.push_back(name_of(*found));
        if (!is_first && !holds(*found, chase.token))
            return;
        if (awaited.token == chase.first) {
            if (reply_waiter* refused = claim(chase.first, false)) {
                circles_[refused] = text_of(chase.names);
                refused->fail(errc::request_circle);
                take_back(chase.holder, chase.first);
            }
            return;
        }
        chase.token = awaited.token;
        chase.next = pid(awaited.place, awaited.key);
    }
    if (chase.next.node() != node_ || !is_known(chase.next.strand()))
        return;
    station& theirs = *shared_.stations[chase.next.strand()];
    theirs.home_.post(
        [&theirs, chase = std::move(chase)]() mutable { theirs.follow_circle(std::move(chase)); });
}

/// Takes a refused request out of the mailbox it is in, so that it is not handled some time later.
void station::take_back(pid from, std::uint64_t token) noexcept
{
    if (goes_on_at(from, [=](station& theirs) { theirs.take_back(from, token); }))
        return;
    cell* holder = find(from);
    if (holder == nullptr || (holder->is_receptive() && holder->wanted == nullptr))
        return;  // what it is about to receive stays
    envelope* before = nullptr;
    for (envelope* each = holder->first; each != nullptr; before = std::exchange(each, each->next)) {
        if (each->reply != token)
            continue;
        holder->unlink(each, before);
        home_.message_taken(*holder);
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

}  // namespace costar
