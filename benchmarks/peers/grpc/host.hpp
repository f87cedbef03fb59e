// SPDX-License-Identifier: MIT

#pragma once

#include "second_process.hpp"

#include <grpcpp/completion_queue.h>

namespace bench {

/// Whatever waits in a completion queue; its address is the tag.
///
/// Thread safety: on the thread that reads the queue.
class completion {
public:
    virtual ~completion() = default;

    /// `is_done` is false where the operation came to nothing, since the other side or the queue has ended.
    virtual void proceed(bool is_done) = 0;
};

/// Lets whatever waits in a queue proceed, until `is_over` or the queue has ended.
void work_off(grpc::CompletionQueue& queue, const bool& is_over);

/// The second process: answers both methods of the service, on one completion queue and one thread.
void serve_with_grpc(const second_process::door& door);

}  // namespace bench
