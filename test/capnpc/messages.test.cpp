// SPDX-License-Identifier: MIT

#include <costar/wire/record.hpp>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <support/catch.hpp>

#include "zoo.costar.hpp"

namespace wire = costar::wire;

namespace {

/// Knows every actor by its slot.
class slots final : public wire::pid_translator {
public:
    void write(costar::pid who, costar::schema::Pid::Builder to) const override { to.setSlot(who.slot()); }
    costar::pid read(costar::schema::Pid::Reader from) const override { return actor(from.getSlot()); }

    static costar::pid actor(std::uint32_t slot)
    {
        return slot == 0 ? costar::pid() : costar::pid(0, 0, slot, 1);
    }
};

const slots pids;

/// A message that was written, and its reader.
template <class Message>
class written {
public:
    using schema = typename wire::mapping<Message>::schema;

    explicit written(const Message& message) { wire::write(message, message_.initRoot<schema>(), pids); }
    typename schema::Reader operator*() { return message_.getRoot<schema>().asReader(); }

private:
    capnp::MallocMessageBuilder message_;
};

template <class Message>
Message there_and_back(const Message& message)
{
    written<Message> on_its_way(message);
    return wire::read<Message>(*on_its_way, pids);
}

/// What is read from a message in which nothing was set.
template <class Message>
Message absent()
{
    return wire::read<Message>(typename wire::mapping<Message>::schema::Reader(), pids);
}

std::vector<std::byte> bytes(std::initializer_list<int> from)
{
    std::vector<std::byte> made;
    for (const int each : from)
        made.push_back(static_cast<std::byte>(each));
    return made;
}

/// The same, but for what compares with nothing.
zoo::numbers without_nan(zoo::numbers from)
{
    from.none = 0;
    return from;
}

}  // namespace

TEST_CASE("capnpc: members begin with the defaults of the schema", "[capnpc]")
{
    const zoo::numbers numbers;

    CHECK(numbers.yes);
    CHECK(numbers.i64 == std::numeric_limits<std::int64_t>::min());
    CHECK(numbers.u64 == std::numeric_limits<std::uint64_t>::max());
    CHECK(numbers.f32 == 0.1F);
    CHECK(std::isinf(numbers.endless));
    CHECK(numbers.low < 0);
    CHECK(std::isnan(numbers.none));
    CHECK(numbers.paint == zoo::color::dark_green);
    CHECK(without_nan(absent<zoo::numbers>()) == without_nan(numbers));

    const zoo::texts texts;
    CHECK(texts.said == "say \"h\xc3\xa9\" \?\?= \\\n");
    CHECK(texts.magic == bytes({0xca, 0xfe, 0}));
    CHECK(absent<zoo::texts>() == texts);

    const zoo::lists lists;
    CHECK(lists.primes == std::vector<std::uint16_t>{2, 3, 5});
    CHECK(lists.corners == std::vector<zoo::point>{{1, 2}, {3, 0}});
    CHECK(absent<zoo::lists>() == lists);

    const zoo::nested nested;
    CHECK(nested.start == zoo::point{7, 8});
    CHECK(nested.inner.deepest.value == 9);
    CHECK(nested.kind == zoo::nested::kind_type::big);
    CHECK(nested.spot.lon == 3);
    CHECK(nested.spot.tag.marks == std::vector<std::int8_t>{1});
    CHECK(nested.other.text == "who");
    CHECK(absent<zoo::nested>() == nested);

    const zoo::shape shape;
    CHECK(std::get<zoo::shape::as_circle>(shape.which).value == 1.5);
    CHECK(zoo::shape::as_numbers().value == std::vector<std::uint32_t>{4, 5});
    CHECK(zoo::shape::as_point().value == zoo::point{11, 0});
    CHECK(absent<zoo::shape>() == shape);
}

TEST_CASE("capnpc: numbers come back as they were", "[capnpc]")
{
    zoo::numbers numbers{.truth = true,
        .yes = false,
        .i8 = 1,
        .i16 = 2,
        .i32 = 3,
        .i64 = 4,
        .u8 = 5,
        .u16 = 6,
        .u32 = 7,
        .u64 = 8,
        .f32 = 9,
        .f64 = 10,
        .endless = 11,
        .low = 12,
        .none = 13,
        .paint = zoo::color::red,
        .plain = zoo::color::default_};

    CHECK(there_and_back(numbers) == numbers);
    numbers.none = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isnan(there_and_back(numbers).none));
}

TEST_CASE(
    "capnpc: texts and bytes keep their zeros, and are empty though the schema has a default", "[capnpc]")
{
    zoo::texts texts;
    texts.name = std::string("a\0b", 3);
    texts.said = "";
    texts.bytes = bytes({0, 1, 255});
    texts.magic = {};
    texts.long_ = "short";

    CHECK(there_and_back(texts) == texts);
}

TEST_CASE("capnpc: lists of everything come back as they were", "[capnpc]")
{
    zoo::lists lists;
    lists.nothings.resize(3);
    lists.flags = {true, false, true};
    lists.numbers = {-1, 0, 1};
    lists.small = {0, 255};
    lists.reals = {0.5, -0.5};
    lists.names = {"one", "", std::string("z\0", 2)};
    lists.blobs = {bytes({1}), {}};
    lists.colors = {zoo::color::default_, static_cast<zoo::color>(77)};
    lists.points = {{1, 2}, {3, 4}};
    lists.matrix = {{1}, {}, {2, 3}};
    lists.deep = {{{{1, 1}}, {}}, {}};
    lists.primes = {};
    lists.corners = {};

    CHECK(there_and_back(lists) == lists);
}

TEST_CASE("capnpc: structs and groups inside of a struct come back as they were", "[capnpc]")
{
    zoo::nested nested;
    nested.point = {1, 2};
    nested.start = {};
    nested.inner.deepest.value = 0;
    nested.kind = zoo::nested::kind_type::small;
    nested.spot = {.lat = 1, .lon = 2, .tag = {.text = "here", .marks = {}}};
    nested.other.text = "";

    CHECK(there_and_back(nested) == nested);
}

TEST_CASE("capnpc: each member of a union comes back as it was", "[capnpc]")
{
    using zoo::shape;
    const shape::which_type all[] = {shape::as_circle{2}, shape::as_square{2}, shape::as_nothing{},
        shape::as_name{""}, shape::as_name{"x"}, shape::as_blob{}, shape::as_blob{bytes({7})},
        shape::as_numbers{{}}, shape::as_numbers{{1}}, shape::as_point{{1, 2}}, shape::as_rect{.width = 3},
        shape::as_rect{.label = shape::as_rect::label_text{"wide"}}, shape::as_color{zoo::color::default_},
        shape::as_either{shape::as_either::as_right{1}}};
    for (const auto& each : all) {
        const zoo::shape made{.id = 5, .area = shape::area_exact{1}, .which = each};
        CHECK(there_and_back(made) == made);
    }
}

TEST_CASE("capnpc: members of a union that have one type are told apart", "[capnpc]")
{
    zoo::shape circle{.which = zoo::shape::as_circle{1}};
    zoo::shape square{.which = zoo::shape::as_square{1}};

    CHECK_FALSE(circle == square);
    CHECK(std::holds_alternative<zoo::shape::as_square>(there_and_back(square).which));
}

TEST_CASE("capnpc: a struct with a union is written as an aggregate", "[capnpc]")
{
    const zoo::shape made{.id = 5, .area = zoo::shape::area_exact{1}, .which = zoo::shape::as_circle{2}};

    CHECK(there_and_back(made) == made);
    CHECK(std::get_if<zoo::shape::as_circle>(&made.which)->value == 2);
}

TEST_CASE("capnpc: an unknown member of a union is not written, and it is said which", "[capnpc]")
{
    zoo::shape shape;
    shape.area = wire::unknown_member{7};

    CHECK_THROWS_WITH(written(shape),
        Catch::Matchers::StartsWith("the union zoo.capnp: struct Shape, union area "
                                    "holds a member that this program's schema"));
    CHECK_THROWS_AS(written(shape), std::logic_error);
}

TEST_CASE("capnpc: structs that hold themselves come back as they were, and are copied", "[capnpc]")
{
    zoo::tree tree{1, zoo::tree{2, zoo::tree{3, {}, {}}, {}}, {}};
    const zoo::tree copy = tree;

    CHECK(there_and_back(tree) == tree);
    CHECK(copy == tree);
    tree.left->left->value = 4;
    CHECK_FALSE(copy == tree);
    CHECK_FALSE(zoo::tree() == tree);
    CHECK_FALSE(there_and_back(tree).right);

    using zoo::expression;
    const expression one{expression::as_number{1}};
    const expression sum{
        expression::as_sum{{one, {expression::as_negated{one}}, {expression::as_negated{}}}}};
    const expression call{expression::as_call{"f", {{"x", sum}, {"y", one}}}};
    CHECK(there_and_back(call) == call);
    CHECK_FALSE(there_and_back(call) == sum);
}

TEST_CASE("capnpc: addresses of actors go through the translator, wherever they are", "[capnpc]")
{
    zoo::reference made;
    made.who = slots::actor(1);
    made.all = {slots::actor(2), {}};
    made.inner = {slots::actor(3), {{slots::actor(4), {}}}};
    made.which = zoo::reference::as_one{slots::actor(5)};

    CHECK(there_and_back(made) == made);
    made.which = zoo::reference::as_held{slots::actor(6)};
    CHECK(there_and_back(made) == made);
    CHECK((*written(made)).getWho().getSlot() == 1);
}

TEST_CASE("capnpc: names that C++ takes, or that the schema gives, are used", "[capnpc]")
{
    zoo::phone_book book;
    book.class_ = "first";
    book.phone_number.type = zoo::phone_book::phone_number_type::type_type::home;
    book.amount = 1;
    book.fresh = 2;
    book.port_of_http_server = 80;

    CHECK(there_and_back(book) == book);
    CHECK((*written(book)).getNew() == 2);
}

TEST_CASE("capnpc: a field may be called as its struct, or as its type", "[capnpc]")
{
    zoo::same same;
    same.same = "x";
    same.next = zoo::same();
    same.point = {1, 2};
    same.points = {{3, 4}};

    CHECK(there_and_back(same) == same);
}

TEST_CASE("capnpc: requests say the type of their answer, and messages their key", "[capnpc]")
{
    STATIC_REQUIRE(std::is_same_v<zoo::order::reply, zoo::order::receipt>);
    STATIC_REQUIRE(std::is_same_v<zoo::next::reply, zoo::order::receipt>);
    STATIC_REQUIRE(std::is_same_v<zoo::count::reply, std::uint64_t>);
    STATIC_REQUIRE(std::is_same_v<zoo::stop::reply, void>);
    STATIC_REQUIRE(std::is_same_v<zoo::find::reply, costar::pid>);
    STATIC_REQUIRE(wire::travels<zoo::order>);
    STATIC_REQUIRE(wire::travels<zoo::stop>);
    STATIC_REQUIRE(wire::travels<zoo::find>);
    STATIC_REQUIRE(costar::keyed<zoo::order>);

    CHECK(zoo::order{.customer = "alice"}.hash_key() == "alice");
    CHECK(zoo::count{zoo::color::default_}.hash_key() == 2);
    CHECK(there_and_back(zoo::stop()) == zoo::stop());
    CHECK(there_and_back(zoo::whatever::part{3}) == zoo::whatever::part{3});
}

TEST_CASE("capnpc: constants are those of the schema", "[capnpc]")
{
    STATIC_REQUIRE(zoo::pi == 3.25);
    STATIC_REQUIRE(zoo::great == 18446744073709551615U);
    STATIC_REQUIRE(zoo::hello == "hello");
    STATIC_REQUIRE(zoo::zero.size() == 3);
    STATIC_REQUIRE(zoo::favourite == zoo::color::dark_green);
    STATIC_REQUIRE(zoo::nested::answer == 42);
    CHECK(zoo::primes == std::vector<std::int32_t>{2, 3, 5});
    CHECK(zoo::raw == bytes({1, 2}));
    CHECK(zoo::middle == zoo::point{5, 6});
    CHECK(zoo::nested_parts::home == zoo::point{1, 1});
}
