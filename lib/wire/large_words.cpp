// SPDX-License-Identifier: MIT

#include <costar/wire/large_words.hpp>

#include <array>
#include <mutex>

namespace costar::wire {

namespace {

/// The blocks that are kept, largest last.
class kept_blocks {
public:
    struct block {
        std::unique_ptr<std::uint64_t[]> words;
        std::size_t size = 0;
    };

    /// One of so many words at least, and not many more; an empty one when there is none.
    block take(std::size_t words) noexcept
    {
        const std::lock_guard lock(mutex_);
        for (block& each : blocks_)
            if (each.size >= words && each.size / 4 <= words)
                return std::exchange(each, {});
        return {};
    }

    void keep(block given) noexcept
    {
        const std::lock_guard lock(mutex_);
        for (block& each : blocks_)
            if (each.words == nullptr) {
                each = std::move(given);
                return;
            }
        // One that nobody has asked for makes room.
        blocks_[next_++ % blocks_.size()] = std::move(given);
    }

private:
    std::mutex mutex_;
    std::array<block, large_words::kept_max> blocks_;
    std::size_t next_ = 0;
};

kept_blocks& kept()
{
    static kept_blocks all;
    return all;
}

}  // namespace

large_words::large_words(std::size_t words)
{
    kept_blocks::block found = kept().take(words);
    if (found.words == nullptr)
        found = {std::unique_ptr<std::uint64_t[]>(new std::uint64_t[words]), words};
    words_ = std::move(found.words);
    size_ = found.size;
}

large_words::~large_words()
{
    if (words_ != nullptr && size_ <= kept_words_max)
        kept().keep({std::move(words_), size_});
}

}  // namespace costar::wire
