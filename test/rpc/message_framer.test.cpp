// SPDX-License-Identifier: MIT

#include <costar/rpc/message_framer.hpp>

#include <capnp/any.h>
#include <capnp/serialize.h>

#include <rapidcheck.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include "hub.capnp.h"

using costar::machine::message_framer;

namespace {

/// A message with so many bytes in it, as it stands in a stream.
std::string framed(std::size_t bytes, std::uint32_t first_segment = 64)
{
    capnp::MallocMessageBuilder message(first_segment, capnp::AllocationStrategy::FIXED_SIZE);
    auto root = message.initRoot<hub::Hub::BytesResults>().initData(static_cast<unsigned>(bytes));
    for (std::size_t i = 0; i < bytes; ++i)
        root[i] = static_cast<kj::byte>(i);
    auto words = capnp::messageToFlatArray(message);
    return {reinterpret_cast<const char*>(words.begin()), words.size() * sizeof(capnp::word)};
}

/// Feeds bytes in pieces of these sizes, over and over; the sizes of the messages that come out.
std::vector<std::size_t> fed(const std::string& stream, const std::vector<std::size_t>& pieces,
    std::size_t buffer, const capnp::ReaderOptions& options = {})
{
    message_framer framer(buffer);
    std::vector<std::size_t> found;
    std::size_t sent = 0;
    for (std::size_t turn = 0; sent < stream.size(); ++turn) {
        auto room = framer.prepare();
        REQUIRE(room.size() > 0);
        const std::size_t size = std::min({room.size(), stream.size() - sent, pieces[turn % pieces.size()]});
        std::memcpy(room.data(), stream.data() + sent, size);
        framer.commit(size);
        sent += size;
        for (;;) {
            auto message = framer.next(options);
            if (message.get() == nullptr)
                break;
            auto data = message->getRoot<hub::Hub::BytesResults>().getData();
            for (std::size_t i = 0; i < data.size(); ++i)
                REQUIRE(data[i] == static_cast<kj::byte>(i));
            found.push_back(data.size());
        }
    }
    CHECK(framer.is_between_messages());
    return found;
}

std::string table(const std::vector<std::uint32_t>& numbers)
{
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4};
}

void feed(message_framer& framer, const std::string& bytes)
{
    auto room = framer.prepare();
    REQUIRE(room.size() >= bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    framer.commit(bytes.size());
}

}  // namespace

TEST_CASE("message_framer: finds messages however their bytes come", "[rpc][message_framer]")
{
    CHECK(rc::check("messages come out as they went in", [] {
        const auto sizes =
            *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 40'000));
        const auto pieces = *rc::gen::nonEmpty(
            rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 9'000)));
        std::string stream;
        for (const std::size_t size : sizes)
            stream += framed(size, 16);
        RC_ASSERT(fed(stream, pieces, 8192) == sizes);
    }));
}

TEST_CASE("message_framer: takes bytes one by one", "[rpc][message_framer]")
{
    CHECK(fed(framed(3) + framed(9000) + framed(0), {1}, 8192) == std::vector<std::size_t>{3, 9000, 0});
}

TEST_CASE("message_framer: what is announced costs nothing before it comes", "[rpc][message_framer]")
{
    message_framer framer(65536);
    const std::size_t empty = framer.footprint();
    feed(framer, table({0, (8U << 20U) - 1}));  // nearly 64 MiB
    CHECK(framer.next({}).get() == nullptr);
    CHECK(framer.footprint() <= 4 * empty);

    for (std::size_t came = 0; came < 20'000'000;) {
        auto room = framer.prepare();
        const std::size_t piece = std::min<std::size_t>(room.size(), 100'000);
        std::memset(room.data(), 0, piece);
        framer.commit(piece);
        came += piece;
        CHECK(framer.next({}).get() == nullptr);
        CHECK(framer.footprint() <= 4 * empty + 3 * came);
    }
    CHECK_FALSE(framer.is_between_messages());
}

TEST_CASE(
    "message_framer: a buffer that has grown makes the next announcement no dearer", "[rpc][message_framer]")
{
    message_framer framer(8192);
    const std::size_t empty = framer.footprint();
    std::size_t came = 0;
    // More than half of the buffer has come of a message that fits into a larger one: it grows.
    const std::string filling = framed(6000);
    for (const std::size_t piece : {filling.size() - 64, std::size_t{64}}) {
        feed(framer, filling.substr(came, piece));
        came += piece;
        const bool is_complete = framer.next({}).get() != nullptr;
        CHECK(is_complete == (came == filling.size()));
    }
    CHECK(framer.footprint() == 4 * empty);

    feed(framer, table({0, (8U << 20U) - 1}));  // nearly 64 MiB
    CHECK(framer.next({}).get() == nullptr);
    CHECK(framer.footprint() <= 4 * empty + 3 * came);
}

TEST_CASE("message_framer: refuses what is no message, or too large a one", "[rpc][message_framer]")
{
    const auto refused = [](const std::string& bytes) {
        message_framer framer(8192);
        feed(framer, bytes);
        CHECK_THROWS_AS(framer.next({}), kj::Exception);
        CHECK_THROWS_AS(framer.next({}), kj::Exception);
    };
    refused("GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n");
    refused(table({512, 0}));
    refused(table({0xffffffff, 0}));
    refused(table({0, 0xffffffff}));
    refused(table({1, 0x80000000, 0x80000000, 0}));
    refused(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello", 18));  // of TLS

    message_framer framer(8192);
    feed(framer, table({0, 0}));  // no words at all is for the reader to refuse
    CHECK(framer.next({}).get() != nullptr);
}

TEST_CASE("message_framer: any bytes are a message, wait for more, or are refused", "[rpc][message_framer]")
{
    CHECK(rc::check("nothing else happens", [](const std::vector<std::uint8_t>& noise) {
        message_framer framer(8192);
        feed(framer, std::string(noise.begin(), noise.end()).substr(0, 4000));
        try {
            while (framer.next({}).get() != nullptr)
                ;
        } catch (const kj::Exception&) {
            return;
        }
    }));
}
