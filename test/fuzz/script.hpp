// SPDX-License-Identifier: MIT

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

namespace support {

/// Ends the program where something does not hold that must, whatever the input.
inline void demand(bool holds, const char* otherwise)
{
    if (holds)
        return;
    std::fprintf(stderr, "fuzz: %s\n", otherwise);
    std::abort();
}

/// The bytes of an input, taken from the front: what decides comes out of them. Zeros where there are none
/// left.
///
/// Thread safety: one thread. Lifetime: as the input.
class script {
public:
    explicit script(std::span<const std::uint8_t> input) noexcept : left_(input) {}

    bool is_over() const noexcept { return left_.empty(); }

    std::uint8_t byte() noexcept
    {
        if (left_.empty())
            return 0;
        const std::uint8_t first = left_.front();
        left_ = left_.subspan(1);
        return first;
    }

    /// Small numbers mostly, large ones too.
    std::uint64_t number() noexcept
    {
        const std::uint8_t first = byte();
        if (first < 0xf0)
            return first;
        std::uint64_t made = 0;
        for (unsigned i = 0; i < 1U + first % 8U; ++i)
            made = made << 8U | byte();
        return made;
    }

    /// So many bytes, or as many as there are.
    std::span<const std::uint8_t> bytes(std::size_t count) noexcept
    {
        const auto taken = left_.first(count < left_.size() ? count : left_.size());
        left_ = left_.subspan(taken.size());
        return taken;
    }

    std::span<const std::uint8_t> rest() noexcept { return bytes(left_.size()); }

    std::string_view text(std::size_t count) noexcept
    {
        const auto taken = bytes(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

private:
    std::span<const std::uint8_t> left_;
};

}  // namespace support
