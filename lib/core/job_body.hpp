// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/inbox.hpp>
#include <costar/ground/ring.hpp>
#include <costar/ground/timer_wheel.hpp>

#include <new>

namespace costar::machine {

/// What the body of a parcel of the kind `own_kinds::job` holds.
struct job_body {
    job* work;
    timer_node* deadline;  // to be armed where the parcel waits for long; null for none

    static job_body& of(parcel& message) noexcept
    {
        return *std::launder(reinterpret_cast<job_body*>(message.body));
    }
};

static_assert(sizeof(job_body) <= sizeof(parcel::body));

}  // namespace costar::machine
