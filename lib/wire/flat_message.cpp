// SPDX-License-Identifier: MIT

#include <costar/wire/flat_message.hpp>

#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

namespace costar::wire {

flat_writer::flat_writer(std::size_t scratch_words) : scratch_(std::max<std::size_t>(scratch_words, 1)) {}

std::size_t flat_writer::write(const codec& known, const void* body, const pid_translator& pids)
{
    static_assert(sizeof(capnp::word) == sizeof(std::uint64_t));
    written_.reset();  // it clears the scratch memory again
    written_.emplace(kj::arrayPtr(reinterpret_cast<capnp::word*>(scratch_.data()), scratch_.size()));
    known.write(body, written_->message.getRoot<capnp::AnyPointer>(), pids);
    return capnp::computeSerializedSizeInWords(written_->message) * sizeof(capnp::word);
}

void flat_writer::copy_to(kj::byte* memory) noexcept
{
    const auto segments = written_->message.getSegmentsForOutput();
    const auto put = [&memory](const void* from, std::size_t bytes) {
        std::memcpy(memory, from, bytes);
        memory += bytes;
    };
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

machine::held_envelope read_words(const codec& known, kj::ArrayPtr<const capnp::word> words,
    const pid_translator& pids, const read_limits& limits)
{
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
