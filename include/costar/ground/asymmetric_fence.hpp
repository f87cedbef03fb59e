// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <atomic>

namespace costar::machine {

/// Two halves of a sequentially consistent fence: a light one for what happens all the time, and a heavy one
/// for what happens seldom.
///
/// When one thread writes A, passes the light half and reads B, and another writes B, passes the heavy half
/// and reads A, at least one of them reads what the other wrote. The light half holds back the compiler only;
/// the heavy half makes the kernel run a full fence on every core that runs a thread of this process
/// (`membarrier`, Linux 4.14). Where the kernel offers no such thing both halves are full fences.
///
/// Two light halves order nothing. The idea is that of D. Dice, H. Huang and M. Yang, Asymmetric Dekker
/// Synchronization, 2001.
///
/// Thread safety: all from any thread.
/// Cost: light nothing, heavy a system call of one or a few microseconds.
class asymmetric_fence {
public:
    static void light() noexcept
    {
        if (kernel_helps_) [[likely]]
            std::atomic_signal_fence(std::memory_order_seq_cst);
        else
            full();
    }

    static void heavy() noexcept;

private:
    static void full() noexcept;
    static bool ask_kernel() noexcept;

    static const bool kernel_helps_;  // false until it has been asked, before main: then all fences are full
};

}  // namespace costar::machine
