// SPDX-License-Identifier: MIT

#include <costar/actor/router.hpp>

#include "routing_table.hpp"

#include <optional>
#include <utility>

namespace costar {

using namespace machine;

std::optional<std::uint64_t> hash_keys::hash_of(envelope& sent) const
{
    for (const entry& known : entries_)
        if (known.type == sent.type)
            return known.hash(sent.body());
    return std::nullopt;
}

}  // namespace costar

namespace costar::machine {

task<> router::operator()(context& self, router_setup setup) const
{
    if (self.stopping())
        co_return;  // born into a shutdown, where nothing is spawned
    routing_table table(self, std::move(setup));
    table.fill();
    while (auto received = co_await self.receive())
        table.handle(std::move(received));
}

}  // namespace costar::machine
