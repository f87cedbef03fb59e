// SPDX-License-Identifier: MIT

#include <costar/post/envelope.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include "shapes.hpp"

using namespace costar;
using namespace costar::machine;
using namespace support;

namespace {

struct explosive {
    explicit explosive(bool armed) : armed(armed) {}
    explosive(explosive&& other) : armed(other.armed)
    {
        if (armed)
            throw std::runtime_error("moved");
    }
    bool armed;
};

}  // namespace

TEST_CASE("envelope: a message is copied where its type allows it", "[post][envelope]")
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

TEST_CASE("envelope: a value of any type is moved into one", "[post][envelope]")
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

TEST_CASE("envelope: destroys its message once", "[post][envelope]")
{
    int alive = 0;

    envelope* made = envelope::make(counted(alive));
    CHECK(alive == 1);
    made->discard();

    CHECK(alive == 0);
}

TEST_CASE("envelope: a message whose move throws leaves nothing behind", "[post][envelope]")
{
    arena_owner owner;
    arena_scope scope(owner.get());
    const std::size_t out = arena::current().live_blocks();

    CHECK_THROWS_AS(envelope::make(explosive(true)), std::runtime_error);

    CHECK(arena::current().live_blocks() == out);
    envelope::make(explosive(false))->discard();
    CHECK(arena::current().live_blocks() == out);
}

TEST_CASE("envelope: holds large and aligned messages", "[post][envelope]")
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
