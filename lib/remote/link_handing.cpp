// SPDX-License-Identifier: MIT

// What a link takes over from others that yield to it.

#include "link.hpp"

#include <utility>
#include <variant>

namespace costar::remote {

void link::take_handed(handed&& next)
{
    if (auto* const message = std::get_if<departing>(&next.what))
        depart(std::move(*message));
    else if (auto* const signal = std::get_if<departing_signal>(&next.what))
        depart(std::move(*signal));
    else
        outside_.forget(std::get<withdrawn>(next.what).token);
}

void link::end_of_handing()
{
    if (!taking_over_.end_one())
        return;
    while (!taking_over_.has_none())
        take_handed(taking_over_.pop());
}

}  // namespace costar::remote
