// SPDX-License-Identifier: MIT

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace costar::wire {

/// Memory for one large message, in words of 8 bytes. A few blocks that were given back are kept for the next
/// ones, as pages that are touched for the first time cost more than what is copied to them.
///
/// Thread safety: each by itself any thread; the blocks that are kept are guarded. At most `kept_max` of
/// them.
class large_words {
public:
    static constexpr std::size_t kept_max = 4;

    /// Blocks with more words are not kept.
    static constexpr std::size_t kept_words_max = std::size_t{512} * 1024;

    large_words() noexcept = default;

    /// For so many words at least; what is in them is not said.
    explicit large_words(std::size_t words);
    large_words(large_words&& other) noexcept
        : words_(std::move(other.words_)), size_(std::exchange(other.size_, 0))
    {}
    large_words& operator=(large_words&& other) noexcept
    {
        std::swap(words_, other.words_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~large_words();

    std::uint64_t* data() const noexcept { return words_.get(); }
    std::size_t size() const noexcept { return size_; }

private:
    std::unique_ptr<std::uint64_t[]> words_;
    std::size_t size_ = 0;
};

/// Bytes of a large message, somewhere in memory that goes with them.
struct large_message {
    large_words memory;
    std::size_t begin = 0;  // in words
    std::size_t end = 0;

    bool empty() const noexcept { return begin == end; }
    const std::uint64_t* data() const noexcept { return memory.data() + begin; }
    std::size_t words() const noexcept { return end - begin; }
};

}  // namespace costar::wire
