// SPDX-License-Identifier: MIT

#include <costar/wire/flat_message.hpp>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <new>

namespace costar::wire {

namespace {

static_assert(sizeof(capnp::word) == sizeof(std::uint64_t));

/// The word that leads to a struct, as the encoding of Cap'n Proto lays it out.
struct struct_pointer {
    std::uint64_t word;

    bool is_one() const noexcept { return word != 0 && (word & 3) == 0; }

    /// Words between it and the struct; -1 for a struct of no size.
    std::int32_t offset() const noexcept
    {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(word)) >> 2;
    }
    std::size_t data_words() const noexcept { return (word >> 32) & 0xffff; }
    std::size_t pointers() const noexcept { return word >> 48; }

    /// The same to a struct right behind it.
    std::uint64_t without_offset() const noexcept { return word & 0xffff'ffff'0000'0000; }
};

/// Words can be looked at as numbers.
constexpr bool is_little_endian = std::endian::native == std::endian::little;

std::uint64_t table_of_one(std::size_t words) noexcept
{
    return static_cast<std::uint64_t>(words) << 32;
}

}  // namespace

/// A message in the scratch memory, and what has no room there: a large piece in memory that is used again,
/// with room in front of it for the table and the beginning; all else from the heap.
class flat_writer::builder final : public capnp::MessageBuilder {
public:
    /// Thrown for a large piece where the message has to be begun anew.
    struct is_crowded {};

    explicit builder(std::vector<std::uint64_t>& scratch) noexcept : scratch_(scratch) {}
    builder(const builder&) = delete;
    ~builder() noexcept override
    {
        if (pieces_ == 0)
            return;
        const std::size_t used = getSegmentsForOutput()[0].size();
        std::fill_n(scratch_.begin(), used, 0);
    }

    kj::ArrayPtr<capnp::word> allocateSegment(unsigned words_least) override
    {
        if (pieces_++ == 0)
            return as_words(scratch_.data(), scratch_.size());
        if (words_least >= large_least && large_.size() == 0) {
            if (!is_first)
                throw is_crowded{};
            const std::size_t words = words_least + spare;
            large_ = large_words(front() + words);
            std::fill_n(large_.data() + front(), words, 0);
            is_large_last_ = pieces_ == 2;
            return as_words(large_.data() + front(), words);
        }
        is_large_last_ = false;
        const std::size_t words = std::max<std::size_t>(words_least, std::max(heap_words_, scratch_.size()));
        heap_words_ += words;  // so that there are few of them
        heap_.push_back(std::make_unique<std::uint64_t[]>(words));
        return as_words(heap_.back().get(), words);
    }

    /// Is it the scratch memory and the large piece?
    bool is_large() const noexcept { return is_large_last_; }

    large_message take() noexcept
    {
        const auto pieces = getSegmentsForOutput();
        const std::size_t first = pieces[0].size();
        const std::size_t begin = front() - first - table;
        auto* const at = large_.data() + begin;
        at[0] = 1 | static_cast<std::uint64_t>(first) << 32;
        at[1] = pieces[1].size();
        std::memcpy(at + table, scratch_.data(), first * sizeof(std::uint64_t));
        is_large_last_ = false;
        const std::size_t end = front() + pieces[1].size();
        return {std::move(large_), begin, end};
    }

    /// Does it begin the scratch memory?
    bool is_first = true;

private:
    static constexpr std::size_t large_least = 4096;
    static constexpr std::size_t spare = 64;  // for what comes behind it
    static constexpr std::size_t table = 2;   // of two segments

    std::size_t front() const noexcept { return scratch_.size() + table; }

    static kj::ArrayPtr<capnp::word> as_words(std::uint64_t* memory, std::size_t words) noexcept
    {
        return {reinterpret_cast<capnp::word*>(memory), words};
    }

    std::vector<std::uint64_t>& scratch_;
    std::size_t pieces_ = 0;
    large_words large_;
    bool is_large_last_ = false;
    std::vector<std::unique_ptr<std::uint64_t[]>> heap_;
    std::size_t heap_words_ = 0;
};

flat_writer::flat_writer(std::size_t scratch_words) : scratch_(std::max<std::size_t>(scratch_words, 1)) {}
flat_writer::~flat_writer() = default;

void flat_writer::begin_anew()
{
    written_.reset();  // it clears the scratch memory again
    written_ = std::make_unique<builder>(scratch_);
    begin_ = end_ = 1;  // behind the root
}

std::size_t flat_writer::write(const codec& known, const void* body, const pid_translator& pids)
{
    if (!is_little_endian || is_alone_ || end_ > scratch_.size() / 2)
        begin_anew();
    for (;;) {
        const bool is_first = end_ == 1;
        // What the root led to stays behind, and is nobody's.
        scratch_[0] = 0;
        begin_ = end_;
        is_alone_ = true;  // also when this throws
        written_->is_first = is_first;
        try {
            known.write(body, written_->getRoot<capnp::AnyPointer>(), pids);
        } catch (const builder::is_crowded&) {
            begin_anew();
            continue;
        }
        if (has_own_place()) {
            is_alone_ = false;
            return (end_ - begin_ + 2) * sizeof(capnp::word);
        }
        if (is_first)
            return capnp::computeSerializedSizeInWords(*written_) * sizeof(capnp::word);
        begin_anew();
    }
}

bool flat_writer::is_large() const noexcept
{
    return is_little_endian && is_alone_ && written_->is_large();
}

large_message flat_writer::take() noexcept
{
    return written_->take();
}

/// Is the message all that lies behind the former ones in the scratch memory? What is in it leads to places
/// by their distance, so it can be taken from there.
bool flat_writer::has_own_place() noexcept
{
    const auto segments = written_->getSegmentsForOutput();
    if (!is_little_endian || segments.size() != 1)
        return false;
    end_ = segments[0].size();
    const struct_pointer root{scratch_[0]};
    if (begin_ == end_) {
        root_ = root.word;
        return !root.is_one() || root.offset() == -1;
    }
    root_ = root.without_offset();
    return root.is_one() && static_cast<std::size_t>(root.offset()) + 1 == begin_;
}

void flat_writer::copy_to(kj::byte* memory) noexcept
{
    const auto put = [&memory](const void* from, std::size_t bytes) {
        std::memcpy(memory, from, bytes);
        memory += bytes;
    };
    if (!is_alone_) {
        const std::uint64_t head[] = {table_of_one(end_ - begin_ + 1), root_};
        put(head, sizeof head);
        put(scratch_.data() + begin_, (end_ - begin_) * sizeof(capnp::word));
        return;
    }
    const auto segments = written_->getSegmentsForOutput();
    const auto put_number = [&put](std::size_t number) {
        const auto value = static_cast<std::uint32_t>(number);
        const kj::byte bytes[4] = {static_cast<kj::byte>(value), static_cast<kj::byte>(value >> 8),
            static_cast<kj::byte>(value >> 16), static_cast<kj::byte>(value >> 24)};
        put(bytes, sizeof bytes);
    };
    put_number(segments.size() - 1);
    for (const auto segment : segments)
        put_number(segment.size());
    if (segments.size() % 2 == 0)
        put_number(0);
    for (const auto segment : segments)
        put(segment.begin(), segment.size() * sizeof(capnp::word));
}

namespace {

[[noreturn]] void refuse(const codec& known, const char* why)
{
    throw error(errc::malformed, known.type->name() + ": " + why);
}

/// Reads a struct of numbers alone, as nearly all write it: one segment, the struct behind the root. Of it a
/// copy is read that leads nowhere, so nothing has to be looked after. Null where it looks otherwise.
machine::held_envelope read_numbers(
    const codec& known, kj::ArrayPtr<const capnp::word> words, const pid_translator& pids)
{
    constexpr std::size_t words_max = 15;
    const auto* const at = reinterpret_cast<const std::uint64_t*>(words.begin());
    if (!is_little_endian || words.size() < 2 || at[0] != table_of_one(words.size() - 1))
        return {};
    const struct_pointer root{at[1]};
    if (!root.is_one() || root.offset() < 0 || root.data_words() > words_max ||
        2 + static_cast<std::size_t>(root.offset()) + root.data_words() + root.pointers() > words.size())
        return {};
    std::uint64_t copy[words_max + 1];
    copy[0] = static_cast<std::uint64_t>(root.data_words()) << 32;
    std::copy_n(at + 2 + root.offset(), root.data_words(), copy + 1);
    return machine::held_envelope(known.read(
        capnp::readMessageUnchecked<capnp::AnyPointer>(reinterpret_cast<const capnp::word*>(copy)), pids));
}

machine::held_envelope read_words(const codec& known, kj::ArrayPtr<const capnp::word> words,
    const pid_translator& pids, const read_limits& limits)
{
    if (!known.has_pointers)
        if (auto made = read_numbers(known, words, pids))
            return made;
    capnp::ReaderOptions options;
    options.nestingLimit = limits.nesting_max;
    // Elements without a size count as a word each: lists of some thousand of them are honest.
    constexpr std::size_t always = 4096;
    options.traversalLimitInWords = words.size() * limits.readings_max + always;
    capnp::FlatArrayMessageReader reader(words, options);
    return machine::held_envelope(known.read(reader.getRoot<capnp::AnyPointer>(), pids));
}

}  // namespace

machine::held_envelope read_flat(
    const codec& known, capnp::Data::Reader from, const pid_translator& pids, const read_limits& limits)
{
    const std::size_t words = from.size() / sizeof(capnp::word);
    if (words == 0 || words * sizeof(capnp::word) != from.size())
        refuse(known, "its size is no number of words");
    try {
        if (reinterpret_cast<std::uintptr_t>(from.begin()) % alignof(std::uint64_t) == 0)
            return read_words(
                known, kj::arrayPtr(reinterpret_cast<const capnp::word*>(from.begin()), words), pids, limits);
        std::vector<std::uint64_t> aligned(words);
        std::memcpy(aligned.data(), from.begin(), from.size());
        return read_words(
            known, kj::arrayPtr(reinterpret_cast<const capnp::word*>(aligned.data()), words), pids, limits);
    } catch (const kj::Exception& failure) {
        refuse(known, failure.getDescription().cStr());
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& failure) {
        refuse(known, failure.what());
    }
}

}  // namespace costar::wire
