// SPDX-License-Identifier: MIT

#include <costar/ground/asymmetric_fence.hpp>

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace costar::machine {

const bool asymmetric_fence::kernel_helps_ = ask_kernel();

#if defined(__linux__)
bool asymmetric_fence::ask_kernel() noexcept
{
    return ::syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void asymmetric_fence::heavy() noexcept
{
    // A thread that began before the kernel was asked has passed full fences until then.
    if (!kernel_helps_ || ::syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        full();
}
#else
bool asymmetric_fence::ask_kernel() noexcept
{
    return false;
}

void asymmetric_fence::heavy() noexcept
{
    full();
}
#endif

void asymmetric_fence::full() noexcept
{
    // An exchange, since some tools that watch threads do not know fences.
    static std::atomic<int> crossing{0};
    crossing.fetch_add(1, std::memory_order_seq_cst);
}

}  // namespace costar::machine
