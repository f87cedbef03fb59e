// SPDX-License-Identifier: MIT

#include "pinning.hpp"

#include <costar/core/log.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include <pthread.h>
#include <sched.h>

namespace costar::machine {

namespace {

/// The cores that the process was given. Asked before main, since threads may be bound to one by themselves,
/// and hand that on to those they start.
const cpu_set_t given_cores = [] {
    cpu_set_t given;
    CPU_ZERO(&given);
    if (sched_getaffinity(0, sizeof given, &given) != 0)
        CPU_ZERO(&given);
    return given;
}();

}  // namespace

void pin_this_thread(std::size_t n)
{
    const auto count = static_cast<std::size_t>(CPU_COUNT(&given_cores));
    int failure = EINVAL;
    if (count != 0) {
        n %= count;
        std::size_t core = 0;
        while (!CPU_ISSET(core, &given_cores) || n-- > 0)
            ++core;
        cpu_set_t chosen;
        CPU_ZERO(&chosen);
        CPU_SET(core, &chosen);
        failure = pthread_setaffinity_np(pthread_self(), sizeof chosen, &chosen);
    }
    if (failure != 0)
        log(log_level::warning,
            std::string("a strand's thread could not be bound to a core: ") +
                std::generic_category().message(failure));
}

}  // namespace costar::machine
