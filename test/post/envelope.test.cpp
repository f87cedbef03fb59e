// SPDX-License-Identifier: MIT

#include <costar/post/envelope.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;

namespace {

struct empty {};
struct sixteen {
    std::uint64_t a;
    std::uint64_t b;
};
struct seventeen {
    char bytes[17];
};
struct alignas(16) wide {
    float lanes[4];
};

struct explosive {
    explicit explosive(bool armed) : armed(armed) {}
    explosive(explosive&& other) : armed(other.armed)
    {
        if (armed)
            throw std::runtime_error("moved");
    }
    bool armed;
};

struct counted {
    explicit counted(int& alive) : alive(&alive) { ++alive; }
    counted(counted&& other) noexcept : alive(other.alive) { ++*alive; }
    ~counted() { --*alive; }
    int* alive;
};

}  // namespace

TEST_CASE("envelope: small trivially copied messages are inline, others are not", "[actor][envelope]")
{
    CHECK(type_of<empty>.is_inline);
    CHECK(type_of<int>.is_inline);
    CHECK(type_of<sixteen>.is_inline);
    CHECK(type_of<pid>.is_inline);
    CHECK_FALSE(type_of<seventeen>.is_inline);
    CHECK_FALSE(type_of<wide>.is_inline);
    CHECK_FALSE(type_of<std::string>.is_inline);
}

TEST_CASE("envelope: each message type has one record", "[actor][envelope]")
{
    CHECK(&type_of<int> == &type_of<int>);
    CHECK(static_cast<const void*>(&type_of<int>) != &type_of<unsigned>);
    CHECK(type_of<support::greet>.reply == &type_of<std::string>);
    CHECK(type_of<support::knock>.reply == &type_of<std::monostate>);
    CHECK(type_of<support::number>.reply == nullptr);
    CHECK(type_of<support::number>.name() == "support::number");
}

TEST_CASE("envelope: a message is copied where its type allows it", "[actor][envelope]")
{
    const pid sender(1, 2, 3, 4);
    envelope* text = envelope::make(std::string("a text that is too long to lie inside"), sender, 5, 6);
    envelope* number = envelope::make(support::number{7}, sender, 5, 6);
    envelope* owner = envelope::make(std::make_unique<int>(1));

    const held_envelope same_text = copy_of(*text);
    const held_envelope same_number = copy_of(*number);
    CHECK(same_text->as<std::string>() == text->as<std::string>());
    CHECK(same_number->as<support::number>().value == 7);
    CHECK(same_text->sender == sender);
    CHECK(same_text->reply == 0);
    CHECK_FALSE(copy_of(*owner));

    for (envelope* each : {text, number, owner})
        each->discard();
}

TEST_CASE("envelope: a value of any type is moved into one", "[actor][envelope]")
{
    auto value = std::make_unique<int>(5);
    const held_envelope made = move_into_envelope(type_of<std::unique_ptr<int>>, &value);

    CHECK(*made->as<std::unique_ptr<int>>() == 5);
    CHECK(value == nullptr);
    const std::size_t out = arena::current().live_blocks();
    explosive armed(true);
    CHECK_THROWS_AS(move_into_envelope(type_of<explosive>, &armed), std::runtime_error);
    CHECK(arena::current().live_blocks() == out);
}

TEST_CASE("envelope: destroys its message once", "[actor][envelope]")
{
    int alive = 0;

    envelope* made = envelope::make(counted(alive));
    CHECK(alive == 1);
    made->discard();

    CHECK(alive == 0);
}

TEST_CASE("envelope: a message whose move throws leaves nothing behind", "[actor][envelope]")
{
    arena_owner owner;
    arena_scope scope(owner.get());
    const std::size_t out = arena::current().live_blocks();

    CHECK_THROWS_AS(envelope::make(explosive(true)), std::runtime_error);

    CHECK(arena::current().live_blocks() == out);
    envelope::make(explosive(false))->discard();
    CHECK(arena::current().live_blocks() == out);
}

TEST_CASE("envelope: holds large and aligned messages", "[actor][envelope]")
{
    const auto size = GENERATE(1, 100, 1023, 1025, 4095, 4097, 100'000);

    envelope* made = envelope::make(std::string(static_cast<std::size_t>(size), 'x'));
    envelope* aligned = envelope::make(wide{{1, 2, 3, 4}});
    envelope* large = envelope::make(std::array<char, 5000>{});

    CHECK(made->as<std::string>().size() == static_cast<std::size_t>(size));
    CHECK(reinterpret_cast<std::uintptr_t>(aligned->body()) % 16 == 0);
    CHECK(aligned->as<wide>().lanes[3] == 4);
    made->discard();
    aligned->discard();
    large->discard();
}

TEST_CASE("envelope: an inline message travels by value with its header", "[actor][envelope]")
{
    const parcel packed = pack(77, envelope::make(sixteen{1, 2}, pid(1, 2, 3, 5), 99, 1000));
    CHECK(packed.to == 77);
    CHECK(packed.kind == &type_of<sixteen>);
    parcel shortcut;
    pack_inline(shortcut, 77, sixteen{1, 2}, pid(1, 2, 3, 5), 99, 1000);
    CHECK(std::memcmp(packed.body, shortcut.body, sizeof packed.body) == 0);

    envelope* arrived = unpack(packed);

    CHECK(arrived->type == &type_of<sixteen>);
    CHECK(arrived->sender == pid(1, 2, 3, 5));
    CHECK(arrived->reply == 99);
    CHECK(arrived->deadline == 1000);
    CHECK(arrived->as<sixteen>().a == 1);
    CHECK(arrived->as<sixteen>().b == 2);
    arrived->discard();
}

TEST_CASE("envelope: any other message travels in its envelope", "[actor][envelope]")
{
    int alive = 0;
    envelope* made = envelope::make(counted(alive), pid(1, 2, 3, 5), 99, 1000);

    envelope* arrived = unpack(pack(77, made));

    CHECK(arrived == made);
    CHECK(arrived->sender == pid(1, 2, 3, 5));
    CHECK(alive == 1);
    arrived->discard();
    CHECK(alive == 0);
}
