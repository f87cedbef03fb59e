// SPDX-License-Identifier: MIT

// Order from one link of a peer to its next one.

#include "link.hpp"

#include <costar/core/result.hpp>
#include <costar/kernel/station.hpp>

#include <utility>
#include <variant>

namespace costar::remote {

kj::Promise<void> link::way_is_free(std::uint64_t number)
{
    if (is_way_free_)
        return kj::READY_NOW;
    if (free_way_.get() != nullptr)
        return free_.addBranch();
    const auto [former, taken] = board_.book().taken_by(peer_);
    if (former && former != self_.pid() && number < taken) {
        is_late_ = is_way_free_ = true;
        return kj::READY_NOW;
    }
    if ((!former || former == self_.pid()) && board_.book().take_over(peer_, former, {self_.pid(), number})) {
        is_way_free_ = true;
        return kj::READY_NOW;
    }
    their_number_ = number;
    auto pair = kj::newPromiseAndFulfiller<void>();
    free_way_ = kj::mv(pair.fulfiller);
    free_ = pair.promise.fork();
    self_.spawn_task(clear_way(self_, place_));
    return free_.addBranch();
}

namespace {

task<> echo(context& self)
{
    message asked = co_await self.receive();
    if (asked)
        asked.respond(std::monostate{});
}

/// Ends when all that has left this strand is where it belongs.
task<> follow(context& self, std::size_t strands)
{
    spawn_options options;
    options.placement = placement::chosen;
    for (; options.strand < strands; ++options.strand) {
        const pid there = self.spawn(options, echo);
        static_cast<void>(co_await as_result(self.ask(there, take_leave{}, std::chrono::nanoseconds::max())));
    }
}

}  // namespace

task<> link::clear_way(context& self, std::shared_ptr<link_place> place)
{
    pid former;
    do {
        if (place->there == nullptr)
            co_return;
        const auto taken = place->there->board_.book().taken_by(place->there->peer_);
        former = taken.link;
        if (former && former != self.pid() && place->there->their_number_ < taken.number) {
            place->there->is_late_ = true;  // a later one was faster
            break;
        }
        if (!former || former == self.pid())
            continue;
        // It may wait for its peer, and hear of nothing else.
        static_cast<void>(co_await as_result(self.stop(former)));
        if (place->there == nullptr)
            co_return;
        spawn_options options;
        options.placement = placement::chosen;
        options.strand = former.strand();
        const pid follower = self.spawn(options, follow, place->there->board_.shared().stations.size());
        static_cast<void>(co_await as_result(self.wait(follower)));
        if (place->there == nullptr)
            co_return;
    } while (!place->there->board_.book().take_over(
        place->there->peer_, former, {self.pid(), place->there->their_number_}));
    place->there->is_way_free_ = true;
    place->there->free_way_->fulfill();
}

}  // namespace costar::remote
