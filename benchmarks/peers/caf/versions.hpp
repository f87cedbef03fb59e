// SPDX-License-Identifier: MIT

#pragma once

#include <caf/all.hpp>
#include <caf/config.hpp>

#include <cstdint>
#include <string>
#include <utility>

/// What has other names in newer versions of CAF.
namespace peer {

#if CAF_VERSION >= 1800
inline const std::string scheduler = "caf.scheduler.";
#else
inline const std::string scheduler = "scheduler.";
#endif

template <class... Parts>
void tell_from_outside(const caf::actor& to, Parts&&... parts)
{
#if CAF_VERSION >= 10000
    caf::anon_mail(std::forward<Parts>(parts)...).send(to);
#else
    caf::anon_send(to, std::forward<Parts>(parts)...);
#endif
}

template <class Self, class... Parts>
void tell(Self* self, const caf::actor& to, Parts&&... parts)
{
#if CAF_VERSION >= 10000
    self->mail(std::forward<Parts>(parts)...).send(to);
#else
    self->send(to, std::forward<Parts>(parts)...);
#endif
}

/// Sends to the sender; quicker than a handler that returns the number.
template <class Self>
void answer(Self* self, std::uint64_t number)
{
    tell(self, caf::actor_cast<caf::actor>(self->current_sender()), number);
}

template <class Self>
auto ask(Self* self, const caf::actor& to, std::uint64_t number)
{
#if CAF_VERSION >= 10000
    return self->mail(number).request(to, caf::infinite);
#else
    return self->request(to, caf::infinite, number);
#endif
}

template <class State>
State& state_of(caf::stateful_actor<State>* self)
{
#if CAF_VERSION >= 10000
    return self->state();
#else
    return self->state;
#endif
}

inline std::string version()
{
    return std::to_string(CAF_MAJOR_VERSION) + '.' + std::to_string(CAF_MINOR_VERSION) + '.' +
        std::to_string(CAF_PATCH_VERSION);
}

}  // namespace peer
