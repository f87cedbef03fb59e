// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/context.hpp>
#include <costar/actor/engine.hpp>

#include <cstdint>
#include <vector>

#include <support/actors.hpp>

namespace support {

/// A message that says how urgent it is.
struct parcel_of {
    int urgency = 4;
    int number = 0;
    int priority() const { return urgency; }
};

/// Lets its actor go on.
struct gate {
    static constexpr bool leaves_idle = true;
};

/// Waits for the gate, then keeps the numbers it is sent.
inline costar::task<> gated(costar::context& self, std::vector<int>* seen)
{
    if (!co_await self.receive<gate>())
        co_return;
    while (auto message = co_await self.receive())
        message.match([&](number& m) { seen->push_back(m.value); },
            [&](twice& m) {
                seen->push_back(m.value);
                return 2 * m.value;
            },
            [&](parcel_of& m) { seen->push_back(m.number); });
}

/// Options with such a mailbox.
inline costar::spawn_options boxed(costar::mailbox_options box, std::uint32_t strand = 0)
{
    costar::spawn_options options = on(strand);
    options.mailbox = box;
    return options;
}

}  // namespace support
