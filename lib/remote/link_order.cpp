// SPDX-License-Identifier: MIT

// Order from one link of a peer to its next one.

#include "link.hpp"

#include <costar/core/result.hpp>
#include <costar/kernel/station.hpp>

#include <variant>

namespace costar::remote {

bool link::ask_for_way(std::uint64_t number)
{
    if (is_way_free_ || free_way_.get() != nullptr)
        return is_way_free_;
    their_number_ = number;
    if (!take_way({}))
        return true;
    auto pair = kj::newPromiseAndFulfiller<void>();
    free_way_ = kj::mv(pair.fulfiller);
    free_ = pair.promise.fork();
    self_.spawn_task(clear_way(self_, place_));
    return false;
}

kj::Promise<void> link::when_way_is_free(std::uint64_t number)
{
    return ask_for_way(number) ? kj::Promise<void>(kj::READY_NOW) : free_.addBranch();
}

kj::Promise<void> link::when_way_is_free()
{
    return is_way_free_ ? kj::Promise<void>(kj::READY_NOW) : free_.addBranch();
}

/// What still waits for a free way when the link ends is late.
void link::lose_held() noexcept
{
    if (!direct_.has_held())
        return;
    is_late_ = is_way_free_ = true;
    is_told_ = true;  // nobody takes more
    try {
        direct_.go_on();
    } catch (...) {
        // Without memory there is no dead letter.
    }
}

/// Who has to end before this link takes messages; nobody when the way is free, or a later link has taken
/// some.
pid link::take_way(pid ended)
{
    const auto former = board_.book().take_over(peer_, ended, {self_.pid(), their_number_});
    is_late_ = former.link && their_number_ < former.number;
    is_way_free_ = is_late_ || !former.link;
    return is_way_free_ ? pid() : former.link;
}

namespace {

/// A question that follows what has left before it.
struct are_you_there {
    using reply = void;
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

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
        static_cast<void>(
            co_await as_result(self.ask(there, are_you_there{}, std::chrono::nanoseconds::max())));
    }
}

}  // namespace

task<> link::clear_way(context& self, std::shared_ptr<link_place> place)
{
    pid former;
    while (place->there != nullptr && (former = place->there->take_way(former))) {
        // It may wait for its peer, and hear of nothing else.
        static_cast<void>(co_await as_result(self.stop(former)));
        if (place->there == nullptr)
            co_return;
        spawn_options options;
        options.placement = placement::chosen;
        options.strand = former.strand();
        const pid follower = self.spawn(options, follow, place->there->board_.shared().stations.size());
        static_cast<void>(co_await as_result(self.wait(follower)));
    }
    if (place->there == nullptr)
        co_return;
    place->there->free_way_->fulfill();
    place->there->direct_.go_on();
}

}  // namespace costar::remote
