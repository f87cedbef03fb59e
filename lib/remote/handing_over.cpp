// SPDX-License-Identifier: MIT

#include "handing_over.hpp"

#include "link.hpp"

#include <chrono>
#include <cstddef>
#include <utility>

namespace costar::remote {

namespace {

/// Follows what its strand has sent to the link that yields.
struct passed {
    errc bury(machine::post_office&, errc reason) noexcept { return reason; }
};

task<> say_passed(context& self, pid link)
{
    self.send(link, passed{});
    co_return;
}

/// Says so at last, whatever happens.
class handing {
public:
    handing(context& self, pid to) noexcept : self_(self), to_(to) {}
    handing(const handing&) = delete;
    handing& operator=(const handing&) = delete;
    ~handing()
    {
        try {
            self_.send(to_, handed_over{});
        } catch (...) {
            // The engine ends, or is out of memory.
        }
    }

private:
    context& self_;
    pid to_;
};

template <class What>
void hand(context& self, pid to, message& next)
{
    self.send(to, handed{std::move(next.get<What>())});
}

/// False for what follows all that a strand has sent.
bool pass_on(context& self, pid to, message next)
{
    if (next.is<passed>()) {
        next.mark_handled();
        return false;
    }
    if (next.is<give_way>() || next.is<link_ended>() || next.is<queue_filled>())
        next.mark_handled();  // it was for this link
    else if (next.is<departing>())
        hand<departing>(self, to, next);
    else if (next.is<departing_signal>())
        hand<departing_signal>(self, to, next);
    else if (next.is<withdrawn>())
        hand<withdrawn>(self, to, next);
    else
        self.forward(to, std::move(next));
    return true;
}

}  // namespace

errc handed::bury(machine::post_office& where, errc reason) noexcept
{
    return std::visit([&](auto& each) { return each.bury(where, reason); }, what);
}

task<> hand_over(context& self, switchboard& board, pid to)
{
    {
        const handing told(self, to);
        std::size_t left = board.shared().stations.size();
        spawn_options options;
        options.placement = placement::chosen;
        for (; options.strand < left; ++options.strand)
            self.spawn(options, say_passed, self.pid());
        while (left != 0) {
            message next = co_await self.receive();
            if (!next)
                co_return;
            if (!pass_on(self, to, std::move(next)))
                --left;
        }
    }
    // Whoever has looked up who leads there before may say so only now.
    const std::chrono::nanoseconds end = self.now() + std::chrono::seconds(1);
    while (self.now() < end) {
        message next = co_await self.receive(end - self.now());
        if (!next || next.timed_out())
            break;
        pass_on(self, to, std::move(next));
    }
}

}  // namespace costar::remote
