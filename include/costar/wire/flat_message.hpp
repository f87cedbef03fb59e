// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/wire/codec.hpp>
#include <costar/wire/large_words.hpp>

#include <capnp/common.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace costar::wire {

/// Writes messages as bytes: each one a message of Cap'n Proto by itself, with its table of segments, as it
/// would stand in a file.
///
///     flat_writer writer;
///     const std::size_t bytes = writer.write(*known, envelope.body(), pids);
///     writer.copy_to(body_of(bytes));
///
/// Thread safety: one thread at a time. Cost: no allocation for a message that fits into the scratch memory,
/// in which messages are written one behind the other until half of it is used.
class flat_writer {
public:
    /// With scratch memory for so many words of 8 bytes.
    explicit flat_writer(std::size_t scratch_words = 1024);
    flat_writer(const flat_writer&) = delete;
    flat_writer& operator=(const flat_writer&) = delete;
    ~flat_writer();

    /// Writes a message, and says how many bytes it takes.
    ///
    /// Errors: throws what its mapping throws.
    std::size_t write(const codec& known, const void* body, const pid_translator& pids);

    /// Copies what was written last to memory of that size.
    void copy_to(kj::byte* memory) noexcept;

    /// Does what was written last have memory of its own, nearly all of it in one piece?
    bool is_large() const noexcept;

    /// Hands that over without a copy, instead of `copy_to`. Precondition: it is large.
    large_message take() noexcept;

private:
    class builder;

    void begin_anew();
    bool has_own_place() noexcept;

    std::vector<std::uint64_t> scratch_;
    std::unique_ptr<builder> written_;

    /// Where the message that was written last begins and ends in the scratch memory, in words, and what
    /// leads to it; none when it is not there alone.
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::uint64_t root_ = 0;
    bool is_alone_ = true;
};

/// Limits of a message that somebody else has made.
struct read_limits {
    /// How deep its structs may be nested.
    int nesting_max = 64;

    /// How many times its own size may be read in it, for one whose pointers lead to the same place again and
    /// again.
    std::uint32_t readings_max = 4;
};

/// Reads such bytes into a new envelope of the current arena. It copies what it needs: `from` may go then.
///
/// Errors: throws `costar::error` with `errc::malformed` and a line that says why, where it is no such
/// message or its mapping refuses it; `std::bad_alloc`. Bytes that lie are believed in nothing: what is
/// allocated is bounded by the size of `from`.
machine::held_envelope read_flat(const codec& known, capnp::Data::Reader from, const pid_translator& pids,
    const read_limits& limits = read_limits());

}  // namespace costar::wire
