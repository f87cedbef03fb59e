// SPDX-License-Identifier: MIT

#include <costar/rpc/message_framer.hpp>

#include <capnp/serialize.h>
#include <kj/debug.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace costar::machine {

namespace {

constexpr std::size_t word_size = sizeof(capnp::word);

std::uint32_t number_at(const kj::byte* bytes) noexcept
{
    return bytes[0] | (bytes[1] << 8U) | (bytes[2] << 16U) | (static_cast<std::uint32_t>(bytes[3]) << 24U);
}

/// What a peer reads that has sent no message, or one too large: the words are for it.
[[noreturn]] void refuse(kj::String text)
{
    kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, "", 0, kj::mv(text)));
    KJ_UNREACHABLE;
}

struct held_words {
    kj::Array<capnp::word> words;
};

/// A message and its memory.
class owned_message final : private held_words, public capnp::FlatArrayMessageReader {
public:
    owned_message(kj::Array<capnp::word> memory, std::size_t words, const capnp::ReaderOptions& options)
        : held_words{kj::mv(memory)}, FlatArrayMessageReader(held_words::words.slice(0, words), options)
    {}
    ~owned_message() noexcept(false) override = default;
};

}  // namespace

message_framer::message_framer(std::size_t buffer_size)
    : words_max_(growth * (std::max(buffer_size, buffer_min) / word_size)),
      buffer_(kj::heapArray<capnp::word>(words_max_ / growth))
{}

const kj::byte* message_framer::first() const noexcept
{
    return reinterpret_cast<const kj::byte*>(buffer_.begin()) + begin_;
}

asio::mutable_buffer message_framer::prepare()
{
    if (is_large_) {
        if (large_got_ == large_.size() * word_size)
            grow_large();
        const std::size_t room = std::min(large_.size(), large_words_) * word_size - large_got_;
        return {reinterpret_cast<kj::byte*>(large_.begin()) + large_got_, room};
    }
    const std::size_t size = buffer_.size() * word_size;
    auto* bytes = reinterpret_cast<kj::byte*>(buffer_.begin());
    if (begin_ > 0 && size - end_ < size / 2) {
        std::memmove(bytes, bytes + begin_, held());
        end_ -= std::exchange(begin_, 0);
    }
    return {bytes + end_, size - end_};
}

void message_framer::commit(std::size_t bytes) noexcept
{
    (is_large_ ? large_got_ : end_) += bytes;
}

/// Bytes of the message that lies in front; 0 as long as that cannot be told.
std::size_t message_framer::measure(const capnp::ReaderOptions& options) const
{
    if (held() < word_size)
        return 0;
    const std::uint32_t more = number_at(first());
    if (more >= segments_max)
        refuse(kj::str(
            "a message has too many segments: ", more, " and one, where ", segments_max, " are the most"));
    const std::size_t table = ((more + 1) / 2 + 1) * word_size;
    if (held() < table)
        return 0;
    std::uint64_t words = table / word_size;
    for (std::uint32_t each = 0; each <= more; ++each)
        words += number_at(first() + 4 + std::size_t{4} * each);
    if (words > options.traversalLimitInWords)
        refuse(kj::str("a message is too large: ", words, " words, where ", options.traversalLimitInWords,
            " are the most"));
    return static_cast<std::size_t>(words) * word_size;
}

kj::ArrayPtr<const capnp::word> message_framer::front(const capnp::ReaderOptions& options)
{
    if (is_large_) {
        if (large_got_ != large_words_ * word_size)
            return nullptr;
        return large_.slice(0, large_words_);
    }
    front_ = measure(options);
    if (front_ == 0)
        return nullptr;
    if (held() < front_) {
        make_room(front_ / word_size);
        return nullptr;
    }
    return kj::arrayPtr(reinterpret_cast<const capnp::word*>(first()), front_ / word_size);
}

void message_framer::drop() noexcept
{
    if (is_large_) {
        end_large();
        return;
    }
    begin_ += front_;
    if (held() == 0)
        begin_ = end_ = 0;
}

kj::Own<capnp::MessageReader> message_framer::take(const capnp::ReaderOptions& options)
{
    if (is_large_) {
        auto memory = kj::mv(large_);
        const std::size_t words = large_words_;
        end_large();
        return kj::heap<owned_message>(kj::mv(memory), words, options);
    }
    const std::size_t words = front_ / word_size;
    auto memory = kj::heapArray<capnp::word>(words);
    std::memcpy(memory.begin(), first(), front_);
    drop();
    return kj::heap<owned_message>(kj::mv(memory), words, options);
}

kj::Own<capnp::MessageReader> message_framer::next(const capnp::ReaderOptions& options)
{
    return front(options) == nullptr ? kj::Own<capnp::MessageReader>() : take(options);
}

/// For a message that is incomplete.
void message_framer::make_room(std::size_t words)
{
    if (words <= buffer_.size() / 2)
        return;
    if (words > words_max_ / 2) {
        begin_large(words);
    } else if (held() > buffer_.size() * word_size / 2) {
        auto larger = kj::heapArray<capnp::word>(words_max_);
        std::memcpy(larger.begin(), first(), held());
        end_ = held();
        begin_ = 0;
        buffer_ = kj::mv(larger);
    }
}

/// Moves what is here of a message that has no room in the buffer to memory of its own. How large that is
/// follows from what has come, not from the buffer, which an earlier message may have grown.
void message_framer::begin_large(std::size_t words)
{
    const std::size_t here = held() / word_size + 1;
    large_ = kj::heapArray<capnp::word>(std::min(words, std::max(words_max_ / growth, 2 * here)));
    std::memcpy(large_.begin(), first(), held());
    large_words_ = words;
    large_got_ = held();
    begin_ = end_ = 0;
    is_large_ = true;
}

void message_framer::grow_large()
{
    auto larger = kj::heapArray<capnp::word>(std::min(large_words_, large_.size() * 2));
    std::memcpy(larger.begin(), large_.begin(), large_got_);
    large_ = kj::mv(larger);
}

void message_framer::end_large() noexcept
{
    is_large_ = false;
    large_got_ = large_words_ = 0;
    large_ = nullptr;
}

}  // namespace costar::machine
