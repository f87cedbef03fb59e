// SPDX-License-Identifier: MIT

#include <costar/wire/flat_message.hpp>
#include <costar/wire/record.hpp>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <rapidcheck.h>

#include <support/catch.hpp>

#include "travel.hpp"

using namespace costar;
using namespace support;

namespace {

using page = wire::record<travel::Page>;

/// Why bytes are refused; empty when they are not.
template <class Message>
std::string refusal_of(capnp::Data::Reader from, const wire::read_limits& limits = {})
{
    try {
        read_as<Message>(from, limits);
    } catch (const error& refused) {
        CHECK(refused.code() == errc::malformed);
        return refused.what();
    }
    return {};
}

}  // namespace

TEST_CASE("flat_message: a message comes back, however many segments it took", "[wire][flat]")
{
    CHECK(rc::check("greetings", [](const std::string& name, std::uint32_t times) {
        const greeting sent{name, times};
        RC_ASSERT(travelled<greeting>(sent) == sent);
    }));
    for (const std::size_t size : {0, 1, 100, 127, 128, 5000, 100'000}) {
        const greeting sent{std::string(size, 'x'), 7};
        CHECK(travelled<greeting>(sent) == sent);
    }
}

TEST_CASE("flat_message: the bytes are those of a message in a file", "[wire][flat]")
{
    flat_bytes bytes(greeting{"bob", 3});
    const auto words =
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(bytes.bytes()), bytes.size() / sizeof(capnp::word));
    capnp::FlatArrayMessageReader file(words);
    CHECK(file.getRoot<travel::Greeting>().getTimes() == 3);
    CHECK(file.getEnd() == words.end());

    capnp::MallocMessageBuilder other;
    other.initRoot<travel::Greeting>().setName("eve");
    flat_bytes foreign(other);
    CHECK(read_as<greeting>(foreign.data()) == greeting{"eve", 1});
}

TEST_CASE("flat_message: a writer is used again, and one message leaves nothing in the next", "[wire][flat]")
{
    wire::flat_writer writer(8);
    const plain_pids pids;
    const auto write = [&](const greeting& sent) {
        std::vector<std::uint64_t> words(writer.write(wire::codec_of<greeting>, &sent, pids) / 8);
        writer.copy_to(reinterpret_cast<kj::byte*>(words.data()));
        return words;
    };
    const auto first = write({"bob", 3});
    write({std::string(1000, 'y'), 9});
    CHECK(write({"bob", 3}) == first);
}

TEST_CASE("flat_message: a large message is handed over without a copy", "[wire][flat]")
{
    wire::flat_writer writer(64);
    const plain_pids pids;
    for (const std::size_t size : {40'000, 1'000'000, 40'000, 3'000'000, 5'000'000, 1'000'001}) {
        for (const bool is_behind_others : {false, true}) {
            const greeting small{"bob", 3};
            if (is_behind_others) {
                writer.write(wire::codec_of<greeting>, &small, pids);
                CHECK_FALSE(writer.is_large());
            }
            const greeting sent{std::string(size, static_cast<char>('a' + size % 7)), 5};
            const std::size_t bytes = writer.write(wire::codec_of<greeting>, &sent, pids);
            REQUIRE(writer.is_large());
            const wire::large_message taken = writer.take();
            REQUIRE(taken.words() * 8 == bytes);
            const capnp::Data::Reader read(reinterpret_cast<const kj::byte*>(taken.data()), bytes);
            CHECK(read_as<greeting>(read) == sent);
            wire::flat_writer fresh(64);
            REQUIRE(fresh.write(wire::codec_of<greeting>, &sent, pids) == bytes);
            std::vector<std::uint64_t> copied(bytes / 8);
            fresh.copy_to(reinterpret_cast<kj::byte*>(copied.data()));
            CHECK(std::equal(copied.begin(), copied.end(), taken.data()));
        }
    }
}

TEST_CASE("flat_message: a message of many pieces has few segments", "[wire][flat]")
{
    wire::flat_writer writer(16);
    const plain_pids pids;
    wire::record<travel::Page> sent;
    auto lines = sent.build().initLines(50'000);
    for (unsigned i = 0; i < lines.size(); ++i)
        lines.set(i, "a text with some length");
    const std::size_t bytes = writer.write(wire::codec_of<wire::record<travel::Page>>, &sent, pids);
    std::vector<std::uint64_t> words(bytes / 8);
    writer.copy_to(reinterpret_cast<kj::byte*>(words.data()));
    CHECK(static_cast<std::uint32_t>(words[0]) < 32);
    const auto back =
        read_as<wire::record<travel::Page>>({reinterpret_cast<const kj::byte*>(words.data()), bytes});
    CHECK(back->getLines().size() == 50'000);
    CHECK(back->getLines()[49'999] == "a text with some length");
}

TEST_CASE("flat_message: what a writer has written before does not show", "[wire][flat]")
{
    const auto words_of = [](auto& writer, const auto& sent) {
        const plain_pids pids;
        const auto& known = wire::codec_of<std::remove_cvref_t<decltype(sent)>>;
        std::vector<std::uint64_t> words(writer.write(known, &sent, pids) / 8);
        writer.copy_to(reinterpret_cast<kj::byte*>(words.data()));
        return words;
    };
    CHECK(rc::check("one after the other", [&](const std::vector<std::pair<std::uint16_t, bool>>& all) {
        wire::flat_writer used(64);
        for (const auto& [size, is_number] : all) {
            wire::flat_writer fresh(64);
            if (is_number) {
                const std::int64_t sent = size;
                RC_ASSERT(words_of(used, sent) == words_of(fresh, sent));
            } else {
                const greeting sent{std::string(size % 700, 'x'), size};
                const auto words = words_of(used, sent);
                const capnp::Data::Reader read(
                    reinterpret_cast<const kj::byte*>(words.data()), words.size() * 8);
                RC_ASSERT(read_as<greeting>(read) == sent);
            }
        }
    }));
}

TEST_CASE("flat_message: a struct of numbers is what Cap'n Proto reads", "[wire][flat]")
{
    using whole = wire::mapping<std::int64_t>::schema;
    const auto read_alone = [](const std::vector<std::uint64_t>& words) -> std::optional<std::int64_t> {
        try {
            capnp::FlatArrayMessageReader reader(
                kj::arrayPtr(reinterpret_cast<const capnp::word*>(words.data()), words.size()));
            return reader.getRoot<whole>().getValue();
        } catch (const kj::Exception&) {
            return std::nullopt;
        }
    };
    const auto read_here = [](const std::vector<std::uint64_t>& words) -> std::optional<std::int64_t> {
        try {
            return read_as<std::int64_t>({reinterpret_cast<const kj::byte*>(words.data()), words.size() * 8});
        } catch (const error&) {
            return std::nullopt;
        }
    };
    unsigned read = 0;
    for (std::uint64_t offset = 0; offset < 5; ++offset)
        for (std::uint64_t data = 0; data < 20; ++data)
            for (std::uint64_t pointers = 0; pointers < 3; ++pointers)
                for (std::uint64_t size = 1; size < 20; ++size) {
                    std::vector<std::uint64_t> words(size + 1);
                    for (std::size_t i = 2; i <= size; ++i)
                        words[i] = 1000 + i;
                    words[0] = size << 32;
                    words[1] = (offset - 1) % (1 << 30) << 2 | data << 32 | pointers << 48;
                    const auto alone = read_alone(words);
                    REQUIRE(read_here(words) == alone);
                    read += alone ? 1 : 0;
                }
    CHECK(read > 1000);
    CHECK(rc::check("noise", [&](std::vector<std::uint64_t> words) {
        words.resize(words.size() + 2);
        words[0] = (words.size() - 1) << 32;
        RC_ASSERT(read_here(words) == read_alone(words));
    }));
}

TEST_CASE("flat_message: an older reader skips what is new, a newer one sees defaults", "[wire][flat]")
{
    CHECK(travelled<greeting>(new_greeting{"bob", 3, "de", pid(1, 2, 3, 4)}) == greeting{"bob", 3});
    CHECK(travelled<new_greeting>(greeting{"bob", 3}) == new_greeting{"bob", 3, "en", pid()});
}

TEST_CASE("flat_message: bytes need not lie at the start of a word", "[wire][flat]")
{
    flat_bytes bytes(greeting{"bob", 3});
    std::vector<kj::byte> shifted(bytes.size() + 1);
    std::memcpy(shifted.data() + 1, bytes.bytes(), bytes.size());
    CHECK(read_as<greeting>({shifted.data() + 1, bytes.size()}) == greeting{"bob", 3});
}

TEST_CASE("flat_message: cut or changed bytes are refused or read, and never more than that", "[wire][flat]")
{
    const greeting sent{std::string(300, 'x'), 7};
    flat_bytes whole(sent);
    for (std::size_t size = 0; size < whole.size(); ++size)
        CHECK_FALSE(refusal_of<greeting>({whole.bytes(), size}).empty());

    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const int bit : {0, 3, 7}) {
            flat_bytes changed(sent);
            changed.bytes()[at] ^= static_cast<kj::byte>(1 << bit);
            refusal_of<greeting>(changed.data());
            refusal_of<page>(changed.data());
        }
    CHECK(rc::check("noise", [](std::vector<std::uint64_t> words) {
        const capnp::Data::Reader noise(reinterpret_cast<const kj::byte*>(words.data()), words.size() * 8);
        refusal_of<greeting>(noise);
        refusal_of<new_greeting>(noise);
        refusal_of<page>(noise);
    }));
}

TEST_CASE("flat_message: depth and repetition are bounded, with a line that says so", "[wire][flat]")
{
    capnp::MallocMessageBuilder deep;
    auto at = deep.initRoot<travel::Page>();
    for (int i = 0; i < 100; ++i)
        at = at.initInner();
    flat_bytes nested(deep);
    CHECK(refusal_of<page>(nested.data()).find("nested") != std::string::npos);
    CHECK(refusal_of<page>(nested.data(), {.nesting_max = 200}).empty());

    capnp::MallocMessageBuilder honest;
    honest.initRoot<travel::Page>().initNothing(4000);
    flat_bytes small(honest);
    CHECK(refusal_of<page>(small.data()).empty());

    capnp::MallocMessageBuilder wide;
    wide.initRoot<travel::Page>().initNothing(500'000'000);
    flat_bytes amplified(wide);
    CHECK(amplified.size() < 100);
    CHECK_FALSE(refusal_of<page>(amplified.data()).empty());
}
