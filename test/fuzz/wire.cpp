// SPDX-License-Identifier: MIT

// Bytes of a peer are read as messages of every kind, or refused as malformed. What was read is written, read
// and written again, and is the same.
//
// Input: which kind, then the bytes of one message of Cap'n Proto.

#include <costar/wire/flat_message.hpp>
#include <costar/wire/record.hpp>

#include <capnp/message.h>

#include <cstring>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../wire/travel.hpp"
#include "newer.costar.hpp"
#include "older.costar.hpp"
#include "other.costar.hpp"
#include "script.hpp"
#include "zoo.costar.hpp"

using namespace costar;
using support::demand;

namespace {

constexpr const wire::codec* kinds[] = {
    // Plain values.
    &wire::codec_of<std::monostate>,
    &wire::codec_of<bool>,
    &wire::codec_of<std::int8_t>,
    &wire::codec_of<std::uint16_t>,
    &wire::codec_of<std::int64_t>,
    &wire::codec_of<float>,
    &wire::codec_of<double>,
    &wire::codec_of<std::string>,
    &wire::codec_of<std::vector<std::byte>>,
    &wire::codec_of<pid>,
    &wire::codec_of<touched>,
    // Mappings by hand, and structs that stay as they are.
    &wire::codec_of<support::greeting>,
    &wire::codec_of<support::new_greeting>,
    &wire::codec_of<wire::record<travel::Page>>,
    &wire::codec_of<wire::record<proto::zoo::Lists>>,
    &wire::codec_of<wire::record<proto::zoo::Shape>>,
    // What capnpc-costar writes: values, lists, structs in structs, unions, recursion, addresses.
    &wire::codec_of<zoo::numbers>,
    &wire::codec_of<zoo::texts>,
    &wire::codec_of<zoo::lists>,
    &wire::codec_of<zoo::point>,
    &wire::codec_of<zoo::nested>,
    &wire::codec_of<zoo::shape>,
    &wire::codec_of<zoo::tree>,
    &wire::codec_of<zoo::expression>,
    &wire::codec_of<zoo::reference>,
    &wire::codec_of<zoo::phone_book>,
    &wire::codec_of<zoo::empty>,
    &wire::codec_of<zoo::same>,
    &wire::codec_of<zoo::order>,
    &wire::codec_of<zoo::count>,
    &wire::codec_of<zoo::find>,
    &wire::codec_of<zoo::a_long_name_of_a_struct_that_makes_lines_long>,
    &wire::codec_of<older::news>,
    &wire::codec_of<newer::news>,
};

capnp::Data::Reader bytes_of(const std::vector<std::uint64_t>& words)
{
    return {reinterpret_cast<const kj::byte*>(words.data()), words.size() * sizeof(std::uint64_t)};
}

/// The words of a message; nothing where it holds a member of a union that nobody here knows.
std::optional<std::vector<std::uint64_t>> written(const wire::codec& kind, const void* body)
{
    wire::flat_writer writer(16);
    const support::plain_pids pids;
    try {
        std::vector<std::uint64_t> words(writer.write(kind, body, pids) / sizeof(std::uint64_t));
        writer.copy_to(reinterpret_cast<kj::byte*>(words.data()));
        return words;
    } catch (const std::logic_error& unknown) {
        demand(std::string_view(unknown.what()).find("does not know") != std::string_view::npos,
            "what was read cannot be written");
        return std::nullopt;
    }
}

/// Null where it is refused.
machine::held_envelope read(const wire::codec& kind, capnp::Data::Reader from)
{
    try {
        return wire::read_flat(kind, from, support::plain_pids());
    } catch (const error& refused) {
        demand(refused.code() == errc::malformed, "what is malformed is refused for another reason");
        return nullptr;
    }
}

void check(const wire::codec& kind, capnp::Data::Reader from)
{
    const auto first = read(kind, from);
    if (first == nullptr)
        return;
    demand(first->type == kind.type, "a message of another type was read");
    const auto words = written(kind, first->body());
    if (!words)
        return;
    // A list of elements without bytes is read again and again in few words, so its own size says nothing.
    const wire::read_limits limits{.readings_max = 1'000'000};
    const auto second = wire::read_flat(kind, bytes_of(*words), support::plain_pids(), limits);
    demand(written(kind, second->body()) == words, "what was written is read as something else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    support::script input({bytes, size});
    const wire::codec& kind = *kinds[input.byte() % std::size(kinds)];
    const auto rest = input.rest();
    check(kind, {rest.data(), rest.size()});  // as it lies there, which is no place for words

    std::vector<std::uint64_t> aligned(rest.size() / sizeof(std::uint64_t));
    if (!aligned.empty())
        std::memcpy(aligned.data(), rest.data(), aligned.size() * sizeof(std::uint64_t));
    check(kind, bytes_of(aligned));
    return 0;
}
