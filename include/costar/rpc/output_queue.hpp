// SPDX-License-Identifier: MIT

#pragma once

#include <boost/asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

namespace costar::machine {

namespace asio = boost::asio;

/// A few buffers in their order, as a sequence of Asio.
class few_buffers {
public:
    static constexpr std::size_t count_max = 16;

    using value_type = asio::const_buffer;
    using const_iterator = const asio::const_buffer*;

    const_iterator begin() const noexcept { return buffers_.data(); }
    const_iterator end() const noexcept { return buffers_.data() + count_; }
    bool is_full() const noexcept { return count_ == count_max; }
    void push_back(asio::const_buffer next) noexcept { buffers_[count_++] = next; }

private:
    std::array<asio::const_buffer, count_max> buffers_;
    std::size_t count_ = 0;
};

/// Bytes that wait to be sent: small ones are copied and lie behind each other, large ones stay where they
/// are and are held.
///
/// What `front` gives is not moved by what is appended meanwhile, so it may be under way. Cost: no allocation
/// in the long run for what is copied.
class output_queue {
public:
    void append(const void* bytes, std::size_t size);

    /// Bytes that live as long as `owner`.
    void append(asio::const_buffer bytes, std::shared_ptr<const void> owner);

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    /// The first of them, in their order; none only where there are none. Stays until `consume` or `clear`.
    few_buffers front();

    /// So many are done with.
    void consume(std::size_t bytes) noexcept;

    void clear() noexcept;

private:
    /// Bytes that are not copied, and how many that are come before.
    struct held_piece {
        std::size_t after;
        asio::const_buffer bytes;
        std::shared_ptr<const void> owner;
    };

    struct half {
        std::vector<char> copied;
        std::deque<held_piece> held;

        bool empty() const noexcept { return copied.empty() && held.empty(); }
    };

    void turn_over() noexcept;

    half gathered_;
    half leaving_;
    std::size_t done_ = 0;  // of what is copied in the half that leaves
    std::size_t size_ = 0;
};

}  // namespace costar::machine
