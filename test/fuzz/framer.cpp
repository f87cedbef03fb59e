// SPDX-License-Identifier: MIT

// Any bytes are the same messages, and the same error, in whatever pieces they come; what is announced costs
// nothing before it comes.
//
// Input: how large the buffer is, the sizes of the pieces, then the stream.

#include <costar/rpc/message_framer.hpp>

#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "script.hpp"

using costar::machine::message_framer;
using support::demand;

namespace {

struct found {
    std::vector<std::string> messages;
    std::string failure;
    bool is_between = false;
    friend bool operator==(const found&, const found&) = default;
};

/// The words of a message, and where its segments end.
std::string content_of(capnp::MessageReader& message)
{
    std::string content;
    for (unsigned i = 0;; ++i) {
        const auto segment = message.getSegment(i);
        if (segment.begin() == nullptr)
            return content;
        content += std::to_string(segment.size()) + ":";
        content.append(reinterpret_cast<const char*>(segment.begin()), segment.size() * sizeof(capnp::word));
    }
}

capnp::ReaderOptions limits()
{
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 16'384;
    return options;
}

/// Takes out what is complete; false where the stream is refused, and stays so.
bool take_all(message_framer& framer, found& made)
{
    try {
        for (;;) {
            auto message = framer.next(limits());
            if (message.get() == nullptr)
                return true;
            made.messages.push_back(content_of(*message));
        }
    } catch (const kj::Exception& refused) {
        made.failure = refused.getDescription().cStr();
    }
    try {
        framer.next(limits());
        demand(false, "a stream that was refused goes on");
    } catch (const kj::Exception& refused) {
        demand(made.failure == refused.getDescription().cStr(), "it is refused in another way");
    }
    return false;
}

found feed(std::span<const std::uint8_t> stream, std::span<const std::uint8_t> pieces, std::size_t buffer)
{
    message_framer framer(buffer);
    found made;
    const std::size_t empty = framer.footprint();
    std::size_t sent = 0;
    for (std::size_t turn = 0; sent < stream.size(); ++turn) {
        const auto room = framer.prepare();
        demand(room.size() > 0, "there is no room for more bytes");
        // Small ones most of all, since what matters lies in the tables.
        const std::size_t piece = pieces.empty() ? stream.size() : pieces[turn % pieces.size()];
        const std::size_t size =
            std::min({room.size(), stream.size() - sent, piece < 192 ? piece + 1 : (piece - 191) * 200});
        std::memcpy(room.data(), stream.data() + sent, size);
        framer.commit(size);
        sent += size;
        const bool goes_on = take_all(framer, made);
        demand(framer.footprint() <= 4 * empty + 3 * sent, "what a peer announces costs memory");
        if (!goes_on)
            return made;
    }
    made.is_between = framer.is_between_messages();
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    support::script input({bytes, size});
    const std::size_t buffer = std::size_t{input.byte()} * 512;
    const auto pieces = input.bytes(input.byte() % 16);
    // Made long here, so that inputs stay small: the rest, so many times.
    const unsigned times = 1 + input.byte() % 24;
    const auto rest = input.rest();
    std::vector<std::uint8_t> stream;
    for (unsigned i = 0; i < times; ++i)
        stream.insert(stream.end(), rest.begin(), rest.end());

    const found whole = feed(stream, {}, buffer);
    demand(whole == feed(stream, pieces, buffer), "other pieces make other messages");
    demand(whole == feed(stream, pieces, 65'536), "another buffer makes other messages");
    return 0;
}
