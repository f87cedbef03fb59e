// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/kj.hpp>

#include <boost/asio/buffer.hpp>

#include <capnp/message.h>
#include <kj/array.h>
#include <kj/memory.h>

#include <cstddef>
#include <cstdint>

namespace costar::machine {

namespace asio = boost::asio;

/// Finds the messages of Cap'n Proto in a stream of bytes: a machine without input or output.
///
/// Bytes are read into `prepare()` and counted by `commit`; `next` takes the messages out one by one. What a
/// peer announces costs nothing: the memory for a large message grows as its bytes come. Cost: a block and a
/// copy for a message, of a large one each byte is copied less than twice.
///
/// Source: the stream framing of the Cap'n Proto encoding: segments less one, their sizes in words, padding
/// to a word, the segments.
class message_framer {
public:
    static constexpr std::uint32_t segments_max = 512;
    static constexpr std::size_t buffer_min = 8192;  // has room for a table of so many segments, twice

    /// `buffer_size` bytes are read ahead, `buffer_min` at least, and four times as many from when it was
    /// filled by the beginning of one message; larger messages have memory of their own.
    explicit message_framer(std::size_t buffer_size);

    /// Where the next bytes belong; never empty. Invalidates the bytes in it that were not committed.
    asio::mutable_buffer prepare();
    void commit(std::size_t bytes) noexcept;

    /// The words of the next message with its table, where they lie, until the next call of anything else;
    /// empty while it is incomplete.
    ///
    /// Errors: throws a `kj::Exception` when there are too many segments, or more words than
    /// `options.traversalLimitInWords`. After that no call gives anything.
    kj::ArrayPtr<const capnp::word> front(const capnp::ReaderOptions& options);

    /// That message, to be kept. Precondition: `front` has just given it.
    kj::Own<capnp::MessageReader> take(const capnp::ReaderOptions& options);

    /// It was read. Precondition: `front` has just given it.
    void drop() noexcept;

    /// The next message, to be kept; null while it is incomplete. Errors: as above.
    kj::Own<capnp::MessageReader> next(const capnp::ReaderOptions& options);

    /// Does the stream end between two messages here?
    bool is_between_messages() const noexcept { return held() == 0 && !is_large_; }

    /// Bytes of memory that it holds.
    std::size_t footprint() const noexcept { return (buffer_.size() + large_.size()) * sizeof(capnp::word); }

private:
    std::size_t held() const noexcept { return end_ - begin_; }
    const kj::byte* first() const noexcept;
    std::size_t measure(const capnp::ReaderOptions& options) const;
    void make_room(std::size_t words);
    void begin_large(std::size_t words);
    void grow_large();
    void end_large() noexcept;

    static constexpr std::size_t growth = 4;

    std::size_t words_max_;  // of the buffer
    kj::Array<capnp::word> buffer_;
    std::size_t begin_ = 0;  // of what lies in the buffer, in bytes
    std::size_t end_ = 0;
    std::size_t front_ = 0;  // bytes of the message that `front` has given

    bool is_large_ = false;
    kj::Array<capnp::word> large_;
    std::size_t large_words_ = 0;  // of the message
    std::size_t large_got_ = 0;    // bytes of it
};

}  // namespace costar::machine
