// SPDX-License-Identifier: MIT

#include <costar/wire/mapping.hpp>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <variant>

#include <support/catch.hpp>

#include "newer.costar.hpp"
#include "older.costar.hpp"

namespace wire = costar::wire;

namespace {

/// Writes a message with one schema and reads it with another.
template <class To, class From>
To through(const From& message)
{
    capnp::MallocMessageBuilder written;
    wire::mapping<From>::write(message, written.initRoot<typename wire::mapping<From>::schema>());
    const auto words = capnp::messageToFlatArray(written);
    capnp::FlatArrayMessageReader read(words);
    return wire::mapping<To>::read(read.getRoot<typename wire::mapping<To>::schema>());
}

}  // namespace

TEST_CASE("capnpc: a newer reader finds defaults where an older writer knew nothing", "[capnpc][evolution]")
{
    const older::news sent{.title = "old",
        .level = older::level::high,
        .place = {4},
        .tags = {{"a"}, {"b"}},
        .which = older::news::as_text{"text"}};
    const newer::news read = through<newer::news>(sent);

    CHECK(read.title == "old");
    CHECK(read.level == newer::level::high);
    CHECK(read.place == newer::place{4, 3});
    CHECK(read.tags == std::vector<newer::tag>{{"a", 1, {}}, {"b", 1, {}}});
    CHECK(read.author == "nobody");
    CHECK(read.extra == newer::place());
    CHECK(read.which == newer::news::which_type(newer::news::as_text{"text"}));
}

TEST_CASE("capnpc: an older reader leaves out what it does not know", "[capnpc][evolution]")
{
    const newer::news sent{.title = "new",
        .place = {1, 2},
        .tags = {{"a", 5, {"more"}}},
        .author = "somebody",
        .extra = {3, 4},
        .which = newer::news::as_text{"text"}};

    CHECK(through<older::news>(sent) ==
        older::news{.title = "new", .place = {1}, .tags = {{"a"}}, .which = older::news::as_text{"text"}});
}

TEST_CASE("capnpc: an older reader sees values that it does not know", "[capnpc][evolution]")
{
    const newer::news sent{.level = newer::level::highest, .which = newer::news::as_picture{}};
    const older::news read = through<older::news>(sent);

    CHECK(read.level == static_cast<older::level>(2));
    CHECK(std::get<wire::unknown_member>(read.which).number == 2);
    CHECK_THROWS_AS(through<newer::news>(read), std::logic_error);

    older::news passed_on = read;
    passed_on.which = older::news::as_none{};
    CHECK(through<newer::news>(passed_on).level == newer::level::highest);
}

TEST_CASE("capnpc: a constant brings the header of the file that its type is of", "[capnpc][evolution]")
{
    CHECK(newer::mood == proto::mood::merry);
}
