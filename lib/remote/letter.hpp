// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/kernel/gateway.hpp>
#include <costar/post/envelope.hpp>
#include <costar/post/headers.hpp>
#include <costar/post/pid.hpp>
#include <costar/wire/codec.hpp>
#include <costar/wire/flat_message.hpp>

#include <boost/container/small_vector.hpp>

#include <capnp/common.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace costar::remote {

/// What writes messages on this thread. A mapping writes its message and nothing else, so one serves all
/// strands.
wire::flat_writer& writer_of_thread();

/// How much waits for a peer.
///
/// Thread safety: any thread.
struct waiting_letters {
    std::atomic<std::uint32_t> count{0};
    std::atomic<std::uint64_t> bytes{0};

    /// Messages that wait for room in it, which are not counted.
    std::atomic<std::uint32_t> outside{0};
};

/// A message waits for room, from where it is sent on: what comes behind it waits as well.
class place_outside {
public:
    /// None.
    place_outside() noexcept = default;

    explicit place_outside(std::shared_ptr<waiting_letters> queue) noexcept : queue_(std::move(queue))
    {
        queue_->outside.fetch_add(1, std::memory_order_relaxed);
    }
    place_outside(place_outside&&) noexcept = default;
    place_outside& operator=(place_outside&& other) noexcept
    {
        leave();
        queue_ = std::move(other.queue_);
        return *this;
    }
    ~place_outside() { leave(); }

private:
    void leave() noexcept
    {
        if (queue_ != nullptr)
            queue_->outside.fetch_sub(1, std::memory_order_relaxed);
    }

    std::shared_ptr<waiting_letters> queue_;
};

/// The place of a letter that waits for a peer.
class place_in_queue {
public:
    /// None.
    place_in_queue() noexcept = default;

    place_in_queue(std::shared_ptr<waiting_letters> queue, std::size_t bytes) noexcept
        : queue_(std::move(queue)), bytes_(bytes)
    {
        queue_->count.fetch_add(1, std::memory_order_relaxed);
        queue_->bytes.fetch_add(bytes_, std::memory_order_relaxed);
    }
    place_in_queue(place_in_queue&&) noexcept = default;
    place_in_queue& operator=(place_in_queue&& other) noexcept
    {
        leave();
        queue_ = std::move(other.queue_);
        bytes_ = other.bytes_;
        return *this;
    }
    ~place_in_queue() { leave(); }

private:
    void leave() noexcept
    {
        if (queue_ == nullptr)
            return;
        queue_->count.fetch_sub(1, std::memory_order_relaxed);
        queue_->bytes.fetch_sub(bytes_, std::memory_order_relaxed);
    }

    std::shared_ptr<waiting_letters> queue_;
    std::size_t bytes_ = 0;
};

std::size_t bytes_of(const headers& with) noexcept;

/// A message with more of them is refused.
inline constexpr std::size_t headers_max = 256;

/// A message, a request or an answer as it goes over a link. It belongs to no strand.
struct letter {
    static constexpr std::size_t fixed_bytes = 80;

    pid target;
    pid sender;
    std::uint64_t type = 0;
    std::uint64_t request = 0;
    std::uint64_t answers = 0;
    std::uint64_t deadline = 0;
    errc failure{};
    boost::container::small_vector<std::uint64_t, 6> body;
    std::unique_ptr<wire::large_message> large;  // instead of it
    std::unique_ptr<headers> with;

    /// In the queue to the peer, as long as it waits there; answers have none.
    place_in_queue place;

    /// What it takes on the wire, about.
    std::size_t bytes() const noexcept
    {
        return body_bytes().size() + fixed_bytes + (with != nullptr ? bytes_of(*with) : 0);
    }

    /// Of its body and its headers.
    std::size_t size() const noexcept { return bytes() - fixed_bytes; }

    /// Is it as large as may be sent, or smaller?
    bool is_within(std::size_t bytes_max) const noexcept
    {
        return size() <= bytes_max && (with == nullptr || with->size() <= headers_max);
    }

    kj::ArrayPtr<const kj::byte> body_bytes() const noexcept
    {
        if (large != nullptr)
            return {reinterpret_cast<const kj::byte*>(large->data()), large->words() * sizeof(std::uint64_t)};
        return {reinterpret_cast<const kj::byte*>(body.data()), body.size() * sizeof(std::uint64_t)};
    }

    /// Writes a message into the body. Says why not, where it has no form.
    errc write(const wire::codec& known, const void* message, const wire::pid_translator& pids) noexcept;

    /// Forgets the body.
    void empty() noexcept;

    /// The message once more, for those who hear that it is lost.
    machine::held_envelope read(const wire::codec& known, const wire::pid_translator& pids) const;
};

/// Does it stay behind messages that were sent before it?
inline bool stays_behind(machine::outbound_signal::kind what) noexcept
{
    using kind = machine::outbound_signal::kind;
    return what == kind::await_end || what == kind::forget_end || what == kind::poison;
}

}  // namespace costar::remote
