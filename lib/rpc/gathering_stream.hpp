// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/direct_calls.hpp>

#include <capnp/serialize-async.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace costar::machine {

/// A message stream that copies what is written and sends it later.
class gathering_stream : public capnp::MessageStream {
public:
    /// Writes are done at once from now on, however much waits to be sent: Cap'n Proto chains them, and
    /// nobody waits at the end of the chain. `unsent_max` bytes hold back input instead, if it is not 0.
    virtual void never_wait(std::size_t unsent_max) noexcept = 0;

    /// What has come, whole messages or not; and what was written.
    virtual std::uint64_t bytes_read() const noexcept = 0;
    virtual std::uint64_t bytes_written() const noexcept = 0;

    /// Was it said that nothing more will be written?
    virtual bool is_output_over() const noexcept = 0;

    /// Sends what was written, as much as the system takes, without waiting for the end of the turn.
    virtual void send_now() = 0;

    /// Bytes that wait to be sent.
    virtual std::size_t unsent() const noexcept = 0;

    /// Shows all messages to `watcher` from now on, to nobody where it is null.
    virtual void watch(message_watcher* watcher) noexcept = 0;

    /// Writes a message that nobody has to be told of, with what else is written in this turn. What lies in
    /// `held` is not copied: `owner` keeps it.
    virtual void write(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments,
        kj::ArrayPtr<const kj::byte> held, std::shared_ptr<const void> owner) = 0;
    void write(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments)
    {
        write(segments, nullptr, nullptr);
    }
};

}  // namespace costar::machine
